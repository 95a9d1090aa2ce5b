/** `npm run dev`: the embedded site in the foreground, until Ctrl-C. */
import { parseArgs } from 'node:util';
import { messageOf } from '../model/errors.ts';
import { DEFAULT_SITE_DIRECTORY } from './site/background.ts';
import { describeSite } from './site/describe-site.ts';
import { parseServices } from './site/parse-services.ts';
import { type RunningSite, startSite } from './site/start-site.ts';

const USAGE = `npm run dev -- [--site FILE] [--directory DIR] [--services LIST]

  --site FILE       the site file (temporal-dev.yaml)
  --directory DIR   where everything of the site lies (${DEFAULT_SITE_DIRECTORY})
  --services LIST   of temporal,s3,nfs,hot-tier,workers (all)
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      site: { type: 'string', default: 'temporal-dev.yaml' },
      directory: { type: 'string', default: DEFAULT_SITE_DIRECTORY },
      services: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const interrupted = firstInterrupt();
  const started = startSite({
    configFile: values.site,
    directory: values.directory,
    withExampleData: true,
    log: (line) => process.stderr.write(`${line}\n`),
    ...(values.services === undefined ? {} : { services: parseServices(values.services) }),
  });
  const site = await Promise.race([started, interrupted]);
  if (typeof site === 'string') return 130; // before the site stood; its children die with this process
  process.stdout.write(`${describeSite(site)}\n\nCtrl-C stops it.\n`);
  await interrupted;
  await stopSite(site);
  return 0;
}

function firstInterrupt(): Promise<string> {
  return new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve).once('SIGHUP', resolve));
}

async function stopSite(site: RunningSite): Promise<void> {
  process.stderr.write('\nstopping (Ctrl-C again kills) ...\n');
  // One Ctrl-C may arrive twice, from the terminal and from npm.
  setTimeout(() => process.once('SIGINT', () => process.exit(130)), 1000).unref();
  process.on('SIGINT', () => undefined);
  await site.stop();
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  },
);
