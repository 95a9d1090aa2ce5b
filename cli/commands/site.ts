import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { loadSiteFile } from '../../drivers/site-file.ts';
import { addCommand, addGroup, type Run } from '../command.ts';
import { renderFacts, renderTable } from '../output/table.ts';
import { EMBEDDED_SITE_FILE, LOCAL_SITE_FILE } from '../session.ts';

const DIRECTORY_OPTION = '--directory <directory>';
const DIRECTORY_ABOUT = `where everything of the site lies (default: ${dirname(LOCAL_SITE_FILE)})`;

export function addSiteCommands(program: Command, run: Run): void {
  const site = addGroup(program, 'site', 'Start, stop and look at an embedded site in the background');

  addCommand(site, 'up', {
    summary: 'Start the embedded site in the background and wait until it is up',
    details:
      'Does nothing where it is up already; where one of its services is gone, it says which, and what to do. The first start on a machine may build tools, which takes minutes',
    examples: ['penstock site up', 'penstock site up my-site.yaml --directory /var/tmp/my-site'],
  })
    .argument('[file]', `the site file (default: ${EMBEDDED_SITE_FILE})`)
    .option(DIRECTORY_OPTION, DIRECTORY_ABOUT)
    .option('--services <list>', 'of temporal,s3,nfs,hot-tier,workers; all where absent')
    .action((file: string | undefined, options: { directory?: string; services?: string }, command: Command) =>
      run(command, async (session) => {
        const [{ siteUp }, { parseServices }, { describeUpload }] = await Promise.all([
          import('../../dev/site/background.ts'),
          import('../../dev/site/parse-services.ts'),
          import('../../dev/site/describe-site.ts'),
        ]);
        const state = await siteUp({
          configFile: file ?? embeddedSiteFile(session.io.cwd),
          log: (line) => session.note(line),
          ...(options.directory === undefined ? {} : { directory: options.directory }),
          ...(options.services === undefined ? {} : { services: parseServices(options.services) }),
        });
        const facts = renderFacts([
          ['site', 'up'],
          ['site file', state.siteFile],
          ['Temporal UI', state.uiUrl],
          ['services', state.services.map(({ name }) => name).join(', ')],
        ]);
        const upload = describeUpload(await loadSiteFile(state.siteFile));
        return { data: state, text: [facts, ...(upload.length > 0 ? ['', ...upload] : [])].join('\n') };
      }),
    );

  addCommand(site, 'down', { summary: 'Stop the site that was started in the background, workers first', examples: ['penstock site down'] })
    .option(DIRECTORY_OPTION, DIRECTORY_ABOUT)
    .action((options: { directory?: string }, command: Command) =>
      run(command, async () => {
        const { siteDown } = await import('../../dev/site/background.ts');
        const wasRunning = await siteDown(options.directory);
        return { data: { wasRunning }, text: wasRunning ? 'the site is down' : 'no site was running' };
      }),
    );

  addCommand(site, 'status', {
    summary: 'Show whether the site is up and which of its processes live',
    details: 'Exit code 4 where it is not up, or one of its processes is gone',
    examples: ['penstock site status', 'penstock site status -o json'],
  })
    .option(DIRECTORY_OPTION, DIRECTORY_ABOUT)
    .action((options: { directory?: string }, command: Command) =>
      run(command, async (session) => {
        const { siteStatus } = await import('../../dev/site/background.ts');
        const { phase, state, services } = await siteStatus(options.directory);
        const isWell = phase === 'up' && services.every(({ alive }) => alive);
        const facts = renderFacts([
          ['site', phase],
          ['site file', state?.siteFile],
          ['started', state?.startedAt],
          ['Temporal UI', phase === 'up' ? state?.uiUrl : undefined],
        ]);
        const rows = services.map(({ name, pid, alive }) => [name, String(pid), alive ? 'yes' : 'no']);
        const table = renderTable(['service', 'process', 'alive'], rows, {
          paint: (cell, column) => (column === 2 && cell === 'no' ? session.paint('red', cell) : cell),
        });
        return {
          data: { phase, ...state, services },
          text: phase === 'down' || rows.length === 0 ? facts : `${facts}\n\n${table}`,
          exit: isWell ? 'ok' : 'unreachable',
        };
      }),
    );
}

/** In the current folder, else the one that came with this tool. */
function embeddedSiteFile(cwd: string): string {
  const local = join(cwd, EMBEDDED_SITE_FILE);
  return existsSync(local) ? local : fileURLToPath(new URL(`../../${EMBEDDED_SITE_FILE}`, import.meta.url));
}
