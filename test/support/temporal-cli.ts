/** The `temporal` command against a site, as a person or a scheduler without our client would use it: JSON in, JSON out. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import type { TestSite } from './site.ts';

const run = promisify(execFile);

/** @returns what the command printed, parsed by the caller's schema. @throws what it printed on standard error and output where it failed */
export type TemporalCli = (...parameters: readonly string[]) => Promise<unknown>;

export async function temporalCli(site: TestSite): Promise<TemporalCli> {
  const { path } = await resolveTool('temporal');
  const { address, namespace } = site.running.site.temporal;
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  return async (...parameters) => {
    const { stdout } = await run(path, [...parameters, '--address', address, '--namespace', namespace, '--output', 'json', '--disable-config-file'], {
      env: environment,
      maxBuffer: 64 << 20,
    });
    return JSON.parse(stdout);
  };
}
