/**
 * Space on the tier: what is used (re-read from the tree), what is promised, and how room is made. Only a file that a
 * byte-for-byte equal copy at the origin stands behind is ever evicted, least recently used first; never one below the
 * path of a live export, reservation or running prefetch. That a reservation was released proves no second copy, so it
 * makes nothing evictable.
 */
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises';
import { promisedBytes, type SpacePromise } from './admission.ts';
import { ApiError, errnoOf } from './api-error.ts';
import type { EmulatorConfig } from './config.ts';
import { ancestorsAndSelf, isBelow, steps } from './paths.ts';
import { live, type State } from './state.ts';
import { at, locateFile, walk } from './tree.ts';

const COMPARE_BYTES = 1024 * 1024;
/** A file on its way out is set aside under this prefix; a crash in between is mended at the next start. */
export const EVICTED_PREFIX = '.penstock-evicted-';
const MAX_EVICTABLE_NAME_BYTES = 255 - EVICTED_PREFIX.length;

export function promisesOf(state: State, now: number): SpacePromise[] {
  const holders = [...live(state.reservations, now), ...state.jobs.filter((job) => job.state === 'running')];
  return holders.map(({ path, promisedBytes: bytes }) => ({ path, bytes }));
}

/** One walk of the whole tree: bytes in it, and below each of the paths asked for. */
export async function measureUse(root: string, paths: readonly string[]): Promise<{ usedBytes: number; usedBelow: (path: string) => number }> {
  const below = new Map(paths.map((path) => [path, 0]));
  let usedBytes = 0;
  for await (const { path, here } of walk({ here: root }, '/')) {
    const bytes = Number(here?.size ?? 0n);
    usedBytes += bytes;
    if (below.size === 0) continue;
    for (const ancestor of ancestorsAndSelf(path)) {
      const known = below.get(ancestor);
      if (known !== undefined) below.set(ancestor, known + bytes);
    }
  }
  return { usedBytes, usedBelow: (path) => below.get(path) ?? 0 };
}

/**
 * Afterwards `moreBytes` fit below the path, beside what is used and promised to others; else 507 with the numbers. Called
 * inside a transaction, so that two callers cannot both be promised the last byte.
 * @returns what the path is promised to hold in total, and which files were evicted
 */
export async function makeRoom(
  config: EmulatorConfig,
  state: State,
  wanted: { readonly path: string; readonly moreBytes: number },
  now: number,
): Promise<{ promisedBytes: number; evicted: string[] }> {
  const held = promisesOf(state, now);
  const { usedBytes, usedBelow } = await measureUse(config.root, [wanted.path, ...held.map(({ path }) => path)]);
  const total = usedBelow(wanted.path) + wanted.moreBytes;
  const promises = [...held, { path: wanted.path, bytes: total }];
  const reservedBytes = promisedBytes(promises, usedBelow);
  let missing = usedBytes + reservedBytes - config.capacityBytes;
  if (missing <= 0) return { promisedBytes: total, evicted: [] };
  const pins = [...promises.map(({ path }) => path), ...live(state.exports, now).map(({ path }) => path)];
  const candidates = await evictionCandidates(config, pins);
  const evictable = candidates.reduce((total, each) => total + each.bytes, 0);
  const evicted: string[] = [];
  for (const { path, bytes } of evictable >= missing ? candidates : []) {
    if (!(await evict(config, path))) continue;
    evicted.push(path);
    missing -= bytes;
    if (missing <= 0) return { promisedBytes: total, evicted };
  }
  throw new ApiError(
    'insufficient_capacity',
    `${wanted.moreBytes} bytes more for ${wanted.path} are ${missing} too many: ` +
      `capacity ${config.capacityBytes}, used ${usedBytes}, promised with this ${reservedBytes}, at most ${evictable} evictable; release reservations or remove data`,
  );
}

/** Least recently used first: read or written, whichever came last (as exact as the file system's access times are). */
async function evictionCandidates(config: EmulatorConfig, pins: readonly string[]): Promise<{ path: string; bytes: number }[]> {
  const candidates: { path: string; bytes: number; usedAt: bigint }[] = [];
  for await (const { path, here, there } of walk({ here: config.root, there: config.originRoot }, '/')) {
    // A second name for the same content keeps its blocks, so removing one would free nothing.
    if (!here || here.size !== there?.size || here.nlink !== 1n || pins.some((pin) => isBelow(path, pin))) continue;
    if (Buffer.byteLength(steps(path).at(-1) ?? '') > MAX_EVICTABLE_NAME_BYTES) continue;
    candidates.push({ path, bytes: Number(here.size), usedAt: later(here.atimeNs, here.mtimeNs) });
  }
  return candidates.sort((left, right) => (left.usedAt < right.usedAt ? -1 : Number(left.usedAt > right.usedAt)));
}

/** @returns whether the file is gone; it stays unless the origin's copy is equal byte for byte and nobody wrote meanwhile */
async function evict(config: EmulatorConfig, path: string): Promise<boolean> {
  const here = await locateFile(config.root, path);
  if (!here) return false;
  try {
    const there = await locateFile(config.originRoot, path);
    if (!there) return false;
    const equal = await sameContent(at(here.parent, here.name), at(there.parent, there.name)).finally(() => there.parent.close());
    if (!equal) return false;
    // Out of the way first: whoever wrote between the comparison and now wrote to this very file, and it goes back.
    const aside = at(here.parent, `${EVICTED_PREFIX}${here.name}`);
    await rename(at(here.parent, here.name), aside);
    const moved = await lstat(aside, { bigint: true });
    const untouched = moved.ino === here.stats.ino && moved.size === here.stats.size && moved.mtimeNs === here.stats.mtimeNs;
    if (!untouched) await putBack(aside, at(here.parent, here.name));
    else await unlink(aside);
    await here.parent.sync();
    return untouched;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  } finally {
    await here.parent.close();
  }
}

/** Under its own name, unless somebody has created that anew; then the newer file is the one that counts. */
async function putBack(aside: string, path: string): Promise<void> {
  await link(aside, path).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
  await unlink(aside);
}

async function sameContent(left: string, right: string): Promise<boolean> {
  const handles: FileHandle[] = [];
  try {
    for (const path of [left, right]) handles.push(await open(path, constants.O_RDONLY | constants.O_NOFOLLOW));
    const buffers = handles.map(() => Buffer.allocUnsafe(COMPARE_BYTES));
    for (let position = 0; ; ) {
      const parts = await Promise.all(handles.map((handle, index) => readFully(handle, buffers[index] ?? Buffer.alloc(0), position)));
      const [mine, other] = parts;
      if (!mine || !other || !mine.equals(other)) return false;
      if (mine.length === 0) return true;
      position += mine.length;
    }
  } finally {
    for (const handle of handles) await handle.close();
  }
}

async function readFully(handle: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** Nanoseconds are bigints, which Math.max does not take. */
const later = (one: bigint, other: bigint): bigint => (one > other ? one : other);
