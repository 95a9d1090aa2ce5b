/** The `penstock` command as a process of its own, against a test's site. */
import { execFile } from 'node:child_process';
import type { TestSite } from './site.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function commandLine({ running }: Pick<TestSite, 'running'>, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['cli/main.ts', '--site', running.siteFile, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}
