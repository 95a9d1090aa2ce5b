/** Installs Debian packages, in continuous integration only: nobody's own machine is changed behind their back. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { whichExecutable } from './find-tool.ts';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MILLISECONDS = 10 * 60_000;

export async function installDebian(packages: readonly string[], log: (line: string) => void): Promise<void> {
  const aptGet = await whichExecutable('apt-get');
  const wish = packages.join(' and ');
  if (!aptGet) throw new Error(`${wish} not found, and this is no Debian system`);
  if (process.env['CI'] !== 'true' || process.getuid?.() !== 0) throw new Error(`${wish} not found; Penstock installs system packages only as root in CI`);
  log(`installing ${wish} with apt-get ...`);
  const aptGetRun = (...parameters: string[]) =>
    run(aptGet, parameters, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: INSTALL_TIMEOUT_MILLISECONDS });
  const install = () => aptGetRun('install', '--yes', '--quiet', '--no-install-recommends', ...packages);
  await install().catch(async () => {
    await aptGetRun('update', '--quiet');
    await install();
  });
}
