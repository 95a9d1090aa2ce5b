/** What a command takes: wall time, processor time and peak of resident memory of its whole process tree, exact, for ours and peers alike (measure.py). */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Command } from '../../dev/site/child.ts';
import type { Workspace } from './workspace.ts';

export interface Measured {
  readonly wallSeconds: number;
  /** User and system. */
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  readonly stdout: string;
}

const MEASURE = join(import.meta.dirname, 'measure.py');
const TIMEOUT_MS = 15 * 60_000; // the slowest case seen took 70 s
const ERROR_LINES = 12;
const factsSchema = z.object({ wallSeconds: z.number(), cpuSeconds: z.number(), peakRssBytes: z.number(), exitCode: z.number() });

/** @throws with the command's last lines where it fails; nothing of it runs on when this settles */
export async function measure(workspace: Workspace, command: Command): Promise<Measured> {
  const child = spawn('python3', [MEASURE, command.file, ...command.arguments], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true, // a process group of its own, so that all of it can be ended
    env: command.environment ?? process.env,
    ...(command.currentDirectory ? { cwd: command.currentDirectory } : {}),
  });
  const end = (): void => endGroup(child.pid);
  const forget = workspace.onLeave(async () => end());
  const timer = setTimeout(end, TIMEOUT_MS);
  const failed = new Promise<never>((_, reject) => child.once('error', (error) => reject(new Error('python3 is needed to measure', { cause: error }))));
  try {
    const pipes = child.stdio.slice(1).filter((stream) => stream instanceof Readable);
    const [stdout = '', stderr = '', line = ''] = await Promise.race([Promise.all(pipes.map((pipe) => text(pipe))), failed]);
    const measured = line === '' ? undefined : factsSchema.parse(JSON.parse(line));
    if (measured?.exitCode !== 0) {
      const tail = `${stdout}\n${stderr}`.trim().split('\n').slice(-ERROR_LINES).join('\n');
      throw new Error(`${command.file} ${command.arguments.join(' ')} ended with ${measured?.exitCode ?? 'a signal'}:\n${tail}`);
    }
    return { ...measured, stdout };
  } finally {
    clearTimeout(timer);
    forget();
    end();
  }
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // it is gone
  }
}
