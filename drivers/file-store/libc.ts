/**
 * What the file system can do and Node does not offer, by calls into the C library. Every call but {@link waitingSetFileTime}'s runs on the thread pool and rejects with
 * `code`, as Node's own do; ENOSYS where the package or the function is missing, which callers take for "cannot".
 */
import { getSystemErrorName } from 'node:util';

/** From linux/falloc.h and unistd.h. */
const FALLOC_FL_KEEP_SIZE = 1;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** From linux/fcntl.h. */
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** From sys/file.h. */
const LOCK_EX = 2;
const LOCK_NB = 4;
/** linux/limits.h: XATTR_LIST_MAX and XATTR_SIZE_MAX. */
const XATTR_BYTES = 65_536;

type Call = (...values: unknown[]) => Promise<number>;

const declarations = {
  copyFileRange: 'int64_t copy_file_range(int, _Inout_ int64_t *, int, _Inout_ int64_t *, size_t, unsigned int)',
  syncfs: 'int syncfs(int)',
  lseek: 'int64_t lseek(int, int64_t, int)',
  fallocate: 'int fallocate(int, int, int64_t, int64_t)',
  flistxattr: 'int64_t flistxattr(int, void *, size_t)',
  fgetxattr: 'int64_t fgetxattr(int, const char *, void *, size_t)',
  fsetxattr: 'int fsetxattr(int, const char *, void *, size_t, int)',
  futimens: 'int futimens(int, void *)',
  utimensat: 'int utimensat(int, const char *, void *, int)',
  flock: 'int flock(int, int)',
} as const;
type Calls = Readonly<Record<keyof typeof declarations, Call>>;
interface Library {
  readonly calls: Calls;
  readonly isPresent: boolean;
  /** On the calling thread. */
  readonly futimens: (fd: number, times: Buffer) => void;
}

let loaded: Promise<Library> | undefined;

function libc(): Promise<Library> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Library> {
  const koffi = await import('koffi').then(
    (module) => module.default,
    () => undefined,
  );
  const library = koffi?.load(null);
  const bind = (name: keyof typeof declarations): Call => {
    try {
      const native = library?.func(declarations[name]);
      // Read inside the callback: there koffi has put the errno of the thread that made the call.
      if (koffi && native) return promised(name, native.async, () => koffi.errno());
    } catch {
      // This C library has no such function.
    }
    return () => Promise.reject(failure(name, 'ENOSYS'));
  };
  const calls = {
    copyFileRange: bind('copyFileRange'),
    syncfs: bind('syncfs'),
    lseek: bind('lseek'),
    fallocate: bind('fallocate'),
    flistxattr: bind('flistxattr'),
    fgetxattr: bind('fgetxattr'),
    fsetxattr: bind('fsetxattr'),
    futimens: bind('futimens'),
    utimensat: bind('utimensat'),
    flock: bind('flock'),
  };
  const native = library?.func(declarations.futimens);
  const futimens = (fd: number, times: Buffer): void => {
    if (!koffi || !native) throw failure('futimens', 'ENOSYS');
    if (native(fd, times) < 0) throw failure('futimens', getSystemErrorName(-koffi.errno()));
  };
  return { calls, isPresent: library !== undefined, futimens };
}

function promised(name: string, start: (...values: unknown[]) => void, errno: () => number): Call {
  return (...values) =>
    new Promise((resolve, reject) => {
      start(...values, (error: unknown, result: unknown) => {
        if (error) reject(error instanceof Error ? error : new Error(String(error)));
        else if (Number(result) < 0) reject(failure(name, getSystemErrorName(-errno())));
        else resolve(Number(result));
      });
    });
}

const failure = (name: string, code: string): Error => Object.assign(new Error(`${name}: ${code}`), { code });

/** Whether one call can make every file of a file system durable. */
export const hasSyncfs = async (): Promise<boolean> => (await libc()).isPresent;

/** Everything written to the file system the descriptor is on; fails with what writing back failed with since the descriptor was opened (Linux 5.8). */
export async function syncFileSystem(fd: number): Promise<void> {
  await (await libc()).calls.syncfs(fd);
}

/** Shares blocks where the file system can, else copies inside the kernel. @returns bytes copied, 0 at the end of the source */
export async function copyRange(source: number, sourcePosition: number, target: number, targetPosition: number, bytes: number): Promise<number> {
  return (await libc()).calls.copyFileRange(source, [sourcePosition], target, [targetPosition], bytes, 0);
}

/** @returns undefined behind the last data. Where the file system keeps no holes, everything is data. */
export async function nextDataRange(fd: number, position: number): Promise<{ readonly start: number; readonly end: number } | undefined> {
  const { calls } = await libc();
  try {
    const start = await calls.lseek(fd, position, SEEK_DATA);
    return { start, end: await calls.lseek(fd, start, SEEK_HOLE) };
  } catch (error) {
    if (hasCode(error, 'ENXIO')) return undefined;
    throw error;
  }
}

/** Blocks for the first bytes, without changing the size. */
export async function allocateBlocks(fd: number, bytes: number): Promise<void> {
  await (await libc()).calls.fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes);
}

/** Names with their namespace. */
export async function listXattrs(fd: number): Promise<Buffer[]> {
  const into = Buffer.allocUnsafeSlow(XATTR_BYTES);
  const bytes = await (await libc()).calls.flistxattr(fd, into, into.length);
  const names: Buffer[] = [];
  for (let start = 0; start < bytes; ) {
    const end = into.indexOf(0, start);
    names.push(into.subarray(start, end));
    start = end + 1;
  }
  return names;
}

export async function getXattr(fd: number, name: string): Promise<Buffer> {
  const into = Buffer.allocUnsafeSlow(XATTR_BYTES);
  return into.subarray(0, await (await libc()).calls.fgetxattr(fd, name, into, into.length));
}

export async function setXattr(fd: number, name: string, value: Buffer): Promise<void> {
  await (await libc()).calls.fsetxattr(fd, name, value, value.length, 0);
}

/** For as long as the descriptor, or a copy of it, is open: a killed process lets go. @returns false where somebody else has it */
export async function lockFile(fd: number): Promise<boolean> {
  try {
    await (await libc()).calls.flock(fd, LOCK_EX | LOCK_NB);
    return true;
  } catch (error) {
    if (hasCode(error, 'EAGAIN') || hasCode(error, 'EWOULDBLOCK')) return false;
    throw error;
  }
}

/** Both times, of access and of modification, to the nanosecond. */
export async function setFileTime(fd: number, nanoseconds: bigint): Promise<void> {
  await (await libc()).calls.futimens(fd, timesOf(nanoseconds));
}

/** The same for a thread that may wait for the call. */
export async function waitingSetFileTime(): Promise<(fd: number, nanoseconds: bigint) => void> {
  const { futimens } = await libc();
  return (fd, nanoseconds) => futimens(fd, timesOf(nanoseconds));
}

/** The same of a link itself. The path is absolute. */
export async function setLinkTime(path: string, nanoseconds: bigint): Promise<void> {
  await (await libc()).calls.utimensat(AT_FDCWD, path, timesOf(nanoseconds), AT_SYMLINK_NOFOLLOW);
}

/** Two of struct timespec, as on every 64-bit Linux: seconds, and the nanoseconds behind them. */
function timesOf(nanoseconds: bigint): Buffer {
  const behind = ((nanoseconds % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const seconds = (nanoseconds - behind) / NS_PER_SECOND;
  return Buffer.from(BigInt64Array.of(seconds, behind, seconds, behind).buffer);
}
const NS_PER_SECOND = 1_000_000_000n;

const hasCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code;
