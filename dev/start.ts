/** `npm start`: the embedded site, one real allocation through its whole life, the proof of what lies where, and nothing left running. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Listr } from 'listr2';
import { connectPenstock } from '../client/index.ts';
import { openStores } from '../drivers/open-site.ts';
import { loadSiteFile } from '../drivers/site-file.ts';
import { messageOf } from '../model/errors.ts';
import { type DemoContext, demoAllocation } from './demo/allocation.ts';
import { checkDemo } from './demo/checks.ts';
import { installedPackages, seedDataset } from './demo/dataset.ts';
import { printReport } from './demo/report.ts';
import { finishAndArchive, runTheJob, stageAndAssign } from './demo/story.ts';
import { DEFAULT_SITE_DIRECTORY, siteDown, siteStatus, siteUp } from './site/background.ts';
import { resolveTool } from './toolchain/resolve-tool.ts';

const DEMO_DIRECTORY = '.penstock/demo';

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
if (values.help) {
  process.stdout.write(
    'npm start [-- --keep]\n\nBrings up the embedded site, runs one allocation from queue to archive and shows what lies where.\n--keep leaves the site up afterwards, to look around in the Temporal UI.\n',
  );
  process.exit(0);
}

const startedAt = Date.now();
const running = (await siteStatus(DEFAULT_SITE_DIRECTORY)).phase === 'up';
const directory = resolve(running ? DEFAULT_SITE_DIRECTORY : DEMO_DIRECTORY);
process.once('SIGINT', () => void stop(130));
process.once('SIGTERM', () => void stop(143));

const tasks = new Listr<DemoContext>(
  [
    {
      title: 'tools',
      task: async (_, task) => {
        for (const tool of ['temporal', 'versitygw'] as const) {
          const found = await resolveTool(tool, { log: (line) => (task.output = line) });
          task.output = `${tool} ${found.version} (${found.origin})`;
        }
        task.title = 'tools: temporal, versitygw';
      },
    },
    {
      title: running ? 'the site that `npm run dev` keeps up' : 'site',
      task: async (context, task) => {
        if (!running) {
          await siteDown(directory);
          await rm(directory, { recursive: true, force: true }); // each run begins with an empty site
        }
        const state = await siteUp({ configFile: 'temporal-dev.yaml', directory, log: (line) => (task.output = line) });
        const site = await loadSiteFile(state.siteFile);
        Object.assign(context, {
          directory,
          uiUrl: state.uiUrl,
          siteFile: state.siteFile,
          stores: await openStores(site),
          request: demoAllocation(),
          penstock: await connectPenstock({ address: site.temporal.address, namespace: site.temporal.namespace }),
        });
        task.title = `site up after ${seconds()} s: ${state.services.length} services in ${directory}; Temporal UI ${state.uiUrl}`;
      },
    },
    {
      title: 'data set',
      task: async (context, task) => {
        context.dataset = await installedPackages();
        await seedDataset(context, (line) => (task.output = line));
        task.title = `data set: ${context.dataset.files.length} files of the installed packages, in warm s3://training-data/packages/`;
      },
    },
    { title: 'queued and staging', task: (context, task) => stageAndAssign(context, task) },
    { title: 'running', task: (context, task) => runTheJob(context, task) },
    { title: 'draining and archiving', task: (context, task) => finishAndArchive(context, task) },
    { title: 'checks', task: (context, task) => checkDemo(context, task) },
  ],
  { rendererOptions: { collapseSubtasks: false } },
);

try {
  const context = await tasks.run();
  printReport(context, { keep: values.keep || running, elapsedSeconds: seconds() });
  await stop(0);
} catch (error) {
  process.stderr.write(`\n${messageOf(error)}\nLogs of every service are in ${directory}/logs.\n`);
  await stop(1);
}

function seconds(): number {
  return Math.round((Date.now() - startedAt) / 100) / 10;
}

/** Whatever happened, nothing is left running that was not running before, unless asked. */
async function stop(exitCode: number): Promise<never> {
  const keep = values.keep && exitCode === 0;
  if (!running && !keep) await siteDown(directory);
  process.exit(exitCode);
}
