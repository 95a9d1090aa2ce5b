/**
 * A lock held by a process: a directory (mkdir is atomic) with one file named after its owner. A dead owner's lock is taken
 * over by unlinking exactly that owner's file, which only one contender can do; nobody can remove a successor's lock.
 */
import { mkdir, readdir, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identifyProcess, isAlive, type ProcessIdentity } from './process-identity.ts';

/** An empty lock directory this old belongs to a process that died between mkdir and naming itself. */
const NAMELESS_LOCK_SECONDS = 10;

export interface Lock {
  release(): Promise<void>;
}

/** @returns the lock, or the process that holds it (undefined pid: it is just being taken) */
export async function tryLock(path: string): Promise<Lock | { readonly heldBy: ProcessIdentity | undefined }> {
  const self = identifyProcess(process.pid);
  if (self === undefined) throw new Error('cannot read /proc/self/stat: locks and the embedded site need Linux');
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const lock = await take(path, self);
    if (lock) return lock;
    const holder = await readHolder(path);
    if (holder && isAlive(holder)) return { heldBy: holder };
    if (!holder && !(await isAbandoned(path))) return { heldBy: undefined };
    await clearDead(path, holder);
  }
  return { heldBy: undefined };
}

/** The living process that holds the lock. */
export async function lockHolder(path: string): Promise<ProcessIdentity | undefined> {
  const holder = await readHolder(path);
  return holder && isAlive(holder) ? holder : undefined;
}

/** Waits for the lock; `onWait` hears once whom it waits for. */
export async function waitForLock(path: string, onWait: (holder: number | undefined) => void): Promise<Lock> {
  for (let told = false; ; told = true) {
    const result = await tryLock(path);
    if ('release' in result) return result;
    if (!told) onWait(result.heldBy?.pid);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const ownerFile = (path: string, owner: ProcessIdentity): string => join(path, `owner-${owner.pid}-${owner.startTime}`);

async function take(path: string, self: ProcessIdentity): Promise<Lock | undefined> {
  try {
    await mkdir(path);
    await writeFile(ownerFile(path, self), '');
  } catch (error) {
    if (hasCode(error, 'EEXIST') || (hasCode(error, 'ENOENT') && (await exists(join(path, '..'))))) return undefined;
    throw error;
  }
  return {
    async release() {
      await ignoring(unlink(ownerFile(path, self)), 'ENOENT');
      await ignoring(rmdir(path), 'ENOENT', 'ENOTEMPTY');
    },
  };
}

async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  const names = await ignoring(readdir(path), 'ENOENT');
  const match = names?.map((name) => /^owner-(\d+)-(\d+)$/.exec(name)).find((found) => found !== null);
  return match?.[1] && match[2] ? { pid: Number(match[1]), startTime: match[2] } : undefined;
}

async function isAbandoned(path: string): Promise<boolean> {
  const found = await ignoring(stat(path), 'ENOENT');
  return found === undefined || Date.now() - found.mtimeMs > NAMELESS_LOCK_SECONDS * 1000;
}

async function clearDead(path: string, holder: ProcessIdentity | undefined): Promise<void> {
  if (holder) await ignoring(unlink(ownerFile(path, holder)), 'ENOENT');
  await ignoring(rmdir(path), 'ENOENT', 'ENOTEMPTY');
}

async function exists(path: string): Promise<boolean> {
  return (await ignoring(stat(path), 'ENOENT')) !== undefined;
}

async function ignoring<T>(operation: Promise<T>, ...codes: readonly string[]): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (codes.some((code) => hasCode(error, code))) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
