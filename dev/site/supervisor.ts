/**
 * The process behind a site in the background: `node dev/site/supervisor.ts --config FILE --directory DIR`. Starts the site, writes
 * state.json when all is ready, stops it on SIGTERM. Started by `siteUp`.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '../../model/errors.ts';
import { parseServices } from './parse-services.ts';
import { startSite } from './start-site.ts';

const { values } = parseArgs({
  options: { config: { type: 'string' }, directory: { type: 'string' }, services: { type: 'string' } },
});
if (!values.config || !values.directory) throw new Error('usage: supervisor.ts --config FILE --directory DIR [--services a,b]');

// Until the site stands, the way out is to die: the children die with this process.
const dieAtOnce = (): never => process.exit(1);
process.on('SIGTERM', dieAtOnce).on('SIGINT', dieAtOnce);

try {
  const site = await startSite({
    configFile: values.config,
    directory: values.directory,
    withExampleData: true,
    log: (line) => process.stdout.write(`${new Date().toISOString()} ${line}\n`),
    ...(values.services === undefined ? {} : { services: parseServices(values.services) }),
  });
  const stop = (): void => {
    void site.stop().then(() => process.exit(0));
  };
  process.off('SIGTERM', dieAtOnce).off('SIGINT', dieAtOnce);
  process.on('SIGTERM', stop).on('SIGINT', stop);
  setInterval(() => undefined, 1 << 30); // the children alone would keep it alive, but not once one has ended
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
}
