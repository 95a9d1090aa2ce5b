/**
 * Makes system calls of a script fail as a failing disk would: the script runs in a Node process of its own under `strace -e inject`. What Node's
 * file calls are to the kernel: `read` and `write` at a position pread64 and pwrite64 (of several buffers preadv and pwritev), without one read and write,
 * `sync` fsync, `datasync` fdatasync, `copyFile` ioctl(FICLONE) and copy_file_range.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installDebian } from '../../dev/toolchain/debian.ts';
import { whichExecutable } from '../../dev/toolchain/find-tool.ts';
import { logToStandardError } from '../../dev/toolchain/resolve-tool.ts';

const run = promisify(execFile);
/** The script's. `timeout` keeps it inside: strace, ended from outside, would let the script go on by itself. */
const LIMIT_SECONDS = 20;

/** Every way in which a file's bytes are read. */
export const READING = ['pread64', 'read', 'preadv', 'copy_file_range', 'sendfile'] as const;
export const SYNCING = ['fsync', 'fdatasync', 'syncfs', 'sync'] as const;

export interface Injection {
  readonly syscalls: readonly string[];
  readonly errno: 'EIO' | 'ENOSPC' | 'EACCES';
  /** As strace counts: `3` the third, `3+` from the third on, `3+2` every second from there; absent: each. Each kind of system call has its own count. */
  readonly when?: string;
}
export interface StraceOptions {
  readonly injections: readonly Injection[];
  /** Files or directories whose calls fail, where they are absolute and free of links; none: every file's. */
  readonly paths?: readonly string[];
}
export interface StraceResult {
  readonly stdout: string;
  /** The calls that were made to fail, as strace prints them. */
  readonly injected: readonly string[];
}

/**
 * @param script ends with `answerAndEnd`
 * @throws where strace is missing and cannot be installed, or the script fails or takes longer than {@link LIMIT_SECONDS}
 */
export async function runUnderStrace(script: string, parameters: readonly string[], { injections, paths = [] }: StraceOptions): Promise<StraceResult> {
  const strace = await ensureStrace();
  const directory = await mkdtemp(join(tmpdir(), 'penstock-strace-'));
  const log = join(directory, 'calls');
  const flags = [
    ...['--follow-forks', '--seccomp-bpf', '--quiet=all', `--output=${log}`],
    `--trace=${[...new Set(injections.flatMap(({ syscalls }) => syscalls))].join(',')}`,
    ...injections.map(({ syscalls, errno, when }) => `--inject=${syscalls.join(',')}:error=${errno}${when === undefined ? '' : `:when=${when}`}`),
    ...paths.map((path) => `--trace-path=${path}`),
  ];
  // strace counts per thread, so Node is given one for its files. libuv's io_uring, where it is on, would pass by system calls altogether.
  // What Node loads of a cache of its own is not the script's.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0', NODE_DISABLE_COMPILE_CACHE: '1' };
  try {
    const command = ['timeout', '--signal=KILL', `${LIMIT_SECONDS}`, process.execPath, script, ...parameters];
    const stdout = await run(strace, [...flags, ...command], { env }).then((ended) => ended.stdout, answerOfKilled);
    const calls = (await readFile(log, 'utf8')).split('\n');
    return { stdout, injected: calls.filter((call) => call.includes('(INJECTED)')) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A whole line is a whole answer; without one, the script was killed by its limit or failed. */
function answerOfKilled(error: unknown): string {
  if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string' && error.stdout.endsWith('\n')) return error.stdout;
  throw error;
}

export async function ensureStrace(): Promise<string> {
  const found = await whichExecutable('strace');
  if (found) return found;
  await installDebian(['strace'], logToStandardError);
  const installed = await whichExecutable('strace');
  if (!installed) throw new Error('strace was installed, but is not on the PATH');
  return installed;
}
