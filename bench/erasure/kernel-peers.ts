/** The peers' programs, built once per user: ISA-L in C and klauspost/reedsolomon in Go. A changed source is another program. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { isExecutable, whichExecutable } from '../../dev/toolchain/find-tool.ts';
import { cacheDirectory } from '../../drivers/user-cache.ts';
import { messageOf } from '../../model/errors.ts';

const run = promisify(execFile);
const PEERS = join(import.meta.dirname, 'peers');
const BUILD_TIMEOUT_MILLISECONDS = 5 * 60_000;

/** @returns the program's path */
export function buildIsalProgram(log: (line: string) => void): Promise<string> {
  return buildOnce('isal', ['isal.c'], log, async (output) => {
    const compiler = (await whichExecutable('gcc')) ?? (await whichExecutable('cc'));
    if (!compiler) throw new Error('there is no C compiler; install gcc');
    await run(compiler, ['-O2', '-pthread', '-o', output, join(PEERS, 'isal.c'), '-ldl'], { timeout: BUILD_TIMEOUT_MILLISECONDS });
  });
}

/** Its version is pinned by go.mod and go.sum. @returns the program's path */
export function buildKlauspostProgram(log: (line: string) => void): Promise<string> {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => join('klauspost', name));
  return buildOnce('klauspost', sources, log, async (output) => {
    const go = await whichExecutable('go');
    if (!go) throw new Error('Go is not installed; install Go 1.24 or newer');
    await run(go, ['build', '-trimpath', '-o', output, '.'], { cwd: join(PEERS, 'klauspost'), timeout: BUILD_TIMEOUT_MILLISECONDS });
  });
}

export async function klauspostVersion(): Promise<string> {
  const module = await readFile(join(PEERS, 'klauspost', 'go.mod'), 'utf8');
  return /klauspost\/reedsolomon v(\S+)/.exec(module)?.[1] ?? 'unknown';
}

async function buildOnce(name: string, sources: readonly string[], log: (line: string) => void, build: (output: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) hash.update(await readFile(join(PEERS, source)));
  const program = join(cacheDirectory(), 'bench', `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (await isExecutable(program)) return program;
  log(`building the peer ${name}: some seconds, once per user ...`);
  await mkdir(dirname(program), { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  try {
    await build(unfinished);
  } catch (error) {
    throw new Error(`the peer ${name} could not be built: ${messageOf(error)}`, { cause: error });
  }
  await rename(unfinished, program);
  return program;
}
