/** Our own programs as children: the same Node, the repository's files, and the line they print when they are ready. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Child, Command } from './child.ts';

const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What is young is collected early, and the heap may grow by half before what is old is: two thirds and half the memory of a mover of small files, at the same speed. */
const MEMORY_FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=50'];

/** @param program such as "workers/main.ts", below the repository */
export function nodeCommand(program: string, parameters: readonly string[]): Command {
  return { file: process.execPath, arguments: [...MEMORY_FLAGS, join(REPOSITORY, program), ...parameters] };
}

export function programExists(program: string): boolean {
  return existsSync(join(REPOSITORY, program));
}

/** Whether the child has printed a line that is "ready" or begins with "ready ". */
export async function hasSaidReady(child: Child): Promise<boolean> {
  return /^ready(?: .*)?$/m.test(await child.output());
}
