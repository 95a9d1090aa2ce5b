/** Recalls one file: origin -> tree, at a limited rate, under a temporary name until it is whole and synced, never over what is there. */
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from './api-error.ts';
import { at, ignore, locateFile, openDirectory } from './tree.ts';

export const INCOMING_PREFIX = '.penstock-prefetch-';
const CHUNK_BYTES = 1024 * 1024;
/** A file system's timer is no finer; what was missed by oversleeping may be caught up within this. */
const CATCH_UP_MILLISECONDS = 50;

/** Waits until the bytes just moved are within the rate. */
export type Pacer = (bytes: number) => Promise<void>;

export function createPacer(bytesPerSecond: number, signal: AbortSignal): Pacer {
  let dueAt = performance.now();
  return async (bytes) => {
    const now = performance.now();
    dueAt = Math.max(dueAt, now - CATCH_UP_MILLISECONDS) + (bytes / bytesPerSecond) * 1000;
    if (dueAt > now) await delay(dueAt - now, undefined, { signal });
    else signal.throwIfAborted();
  };
}

/** `differs`: the tree has something else under that name, which is left alone. `gone`: the origin has lost or changed it meanwhile. */
export type Recalled = 'recalled' | 'already hot' | 'differs' | 'gone';

export async function recallFile(
  trees: { readonly root: string; readonly originRoot: string },
  path: string,
  options: { temporaryName: string; bytesPerSecond: number; pace: Pacer },
): Promise<Recalled> {
  const located = await locateFile(trees.originRoot, path);
  if (!located) return 'gone';
  const opened = open(at(located.parent, located.name), constants.O_RDONLY | constants.O_NOFOLLOW);
  const origin = await opened.catch(ignore('ENOENT')).finally(() => located.parent.close());
  if (!origin) return 'gone';
  try {
    const directory = await openDirectory(trees.root, path.slice(0, path.lastIndexOf('/')) || '/', { create: true });
    if (!directory) return 'differs';
    return await copyInto(directory, origin, located.name, options).finally(() => directory.close());
  } finally {
    await origin.close();
  }
}

async function copyInto(
  directory: FileHandle,
  origin: FileHandle,
  name: string,
  { temporaryName, bytesPerSecond, pace }: { temporaryName: string; bytesPerSecond: number; pace: Pacer },
): Promise<Recalled> {
  const temporary = at(directory, temporaryName);
  const before = await origin.stat({ bigint: true });
  const target = await open(temporary, 'w', Number(before.mode & 0o777n));
  try {
    const copied = await copyPaced(origin, target, bytesPerSecond, pace);
    const after = await origin.stat({ bigint: true });
    if (after.mtimeNs !== before.mtimeNs || after.size !== before.size || BigInt(copied) !== before.size) return 'gone';
    await target.utimes(Number(before.atimeNs) / 1e9, Number(before.mtimeNs) / 1e9);
    await target.sync();
    return await publish(directory, temporary, name, before);
  } finally {
    await target.close();
    await unlink(temporary).catch(ignore('ENOENT'));
  }
}

/** A link is made only where the name is free, so a file that a job wrote in the meantime is never replaced. */
async function publish(directory: FileHandle, temporary: string, name: string, expected: BigIntStats): Promise<Recalled> {
  try {
    await link(temporary, at(directory, name));
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    const present = await open(at(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined);
    const stats = await present?.stat({ bigint: true }).finally(() => present.close());
    return stats?.isFile() && stats.size === expected.size ? 'already hot' : 'differs';
  }
  await directory.sync();
  return 'recalled';
}

async function copyPaced(origin: FileHandle, target: FileHandle, bytesPerSecond: number, pace: Pacer): Promise<number> {
  // A slow rate moves in small steps, so that progress shows and a stop is not kept waiting.
  const buffer = Buffer.allocUnsafe(Math.max(4096, Math.min(CHUNK_BYTES, Math.floor(bytesPerSecond / 8))));
  for (let position = 0; ; ) {
    const { bytesRead } = await origin.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    for (let written = 0; written < bytesRead; ) {
      written += (await target.write(buffer, written, bytesRead - written, position + written)).bytesWritten;
    }
    position += bytesRead;
    await pace(bytesRead);
  }
}
