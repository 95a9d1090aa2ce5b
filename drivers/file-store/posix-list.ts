/**
 * Lists a tree in the byte order of whole paths, the order S3 lists keys in. A directory is read in windows of bounded size: the smallest names behind the last
 * one given. Where the next page follows, the walk goes on from memory instead of reading the directories again.
 */
import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { type HeldDirectory, isNoDirectory, joinPath, splitPath, TEMPORARY_PREFIX, withDirectory } from './contained-path.ts';
import type { FileFacts, FilePage } from './port.ts';
import { isMissing, posixError } from './posix-errors.ts';
import { factsOf } from './posix-read.ts';

/** Names of one directory held at a time, about 10 MB; a directory of 100,000 is read twice. */
const WINDOW_NAMES = 50_000;
const DEFAULT_PAGE = 1_000;
/** stat calls in flight; libuv has four threads. */
const STAT_BATCH = 64;
/** Walks that may be resumed: as many listings as run at once in one process. */
const SUSPENDED_WALKS = 4;

interface Child {
  /** UTF-8, with a `/` behind a directory's name: what its paths sort by. */
  readonly sortKey: Buffer;
  readonly name: string;
  readonly isDirectory: boolean;
}
interface Level {
  readonly path: string;
  /** Ascending; the walk takes from `index` on. */
  children: readonly Child[];
  index: number;
  /** More names lie behind the window's last. */
  truncated: boolean;
}
type Walk = Level[];

export interface ListOptions {
  readonly after?: string;
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export function createLister(root: string, store: string): (path: string, options: ListOptions) => Promise<FilePage> {
  const suspended = new Map<string, Walk>();
  return async (path, options) => {
    try {
      const resumeKey = `${path}\0${options.after ?? ''}`;
      const walk = suspended.get(resumeKey) ?? (await startWalk(root, store, path, options.after));
      suspended.delete(resumeKey);
      const { entries, next } = await takePage(root, store, walk, options);
      if (next !== undefined) remember(suspended, `${path}\0${next}`, walk);
      return { entries, next };
    } catch (error) {
      throw posixError(error, store, path);
    }
  };
}

function remember(suspended: Map<string, Walk>, key: string, walk: Walk): void {
  suspended.set(key, walk);
  const oldest = suspended.keys().next();
  if (suspended.size > SUSPENDED_WALKS && !oldest.done) suspended.delete(oldest.value);
}

async function startWalk(root: string, store: string, path: string, after: string | undefined): Promise<Walk> {
  await refuseLink(root, store, path);
  const base = path === '' ? '' : `${path}/`;
  if (after === undefined || !after.startsWith(base)) {
    // A path outside the listed one is before or behind all of it.
    const behindAll = after !== undefined && base !== '' && compare(Buffer.from(after), Buffer.from(base)) > 0;
    return behindAll ? [] : [await readWindow(root, store, path, undefined)];
  }
  const walk: Walk = [];
  let directory = path;
  const steps = after.slice(base.length).split('/');
  for (const [depth, step] of steps.entries()) {
    const isLast = depth === steps.length - 1;
    walk.push(await readWindow(root, store, directory, Buffer.from(isLast ? step : `${step}/`)));
    directory = joinPath(directory, step);
  }
  return walk;
}

/** Below the path links are skipped; on the way to it one is an error, or a listing would be empty and look complete. */
async function refuseLink(root: string, store: string, path: string): Promise<void> {
  await withDirectory(root, store, splitPath(path, store), {}, () => Promise.resolve()).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

async function takePage(root: string, store: string, walk: Walk, options: ListOptions): Promise<FilePage> {
  const limit = Math.max(1, options.limit ?? DEFAULT_PAGE);
  const entries: FileFacts[] = [];
  for (let level = walk.at(-1); level; level = walk.at(-1)) {
    options.signal?.throwIfAborted();
    const child = level.children[level.index];
    if (!child) {
      await refill(root, store, walk, level);
    } else if (child.isDirectory) {
      level.index += 1;
      walk.push(await readWindow(root, store, joinPath(level.path, child.name), undefined));
    } else if (entries.length >= limit) {
      return { entries, next: entries.at(-1)?.path };
    } else {
      const files = filesFrom(level, Math.min(STAT_BATCH, limit - entries.length));
      level.index += files.length;
      entries.push(...(await statAll(root, store, level.path, files)));
    }
  }
  return { entries, next: undefined };
}

async function refill(root: string, store: string, walk: Walk, level: Level): Promise<void> {
  const last = level.children.at(-1);
  if (!level.truncated || !last) {
    walk.pop();
    return;
  }
  Object.assign(level, await readWindow(root, store, level.path, last.sortKey));
}

function filesFrom(level: Level, most: number): Child[] {
  const files: Child[] = [];
  for (let child = level.children[level.index]; child && !child.isDirectory && files.length < most; ) {
    files.push(child);
    child = level.children[level.index + files.length];
  }
  return files;
}

async function statAll(root: string, store: string, directory: string, files: readonly Child[]): Promise<FileFacts[]> {
  return inDirectory(root, store, directory, [], async (held) => {
    const found = await Promise.all(files.map(({ name }) => statOne(held, name)));
    return found.filter((facts) => facts !== undefined);
  });
}

/** What vanished since it was read, or is no regular file any more, is left out. */
async function statOne(held: HeldDirectory, name: string): Promise<FileFacts | undefined> {
  const path = joinPath(held.path, name);
  const stats = await lstat(held.child(name), { bigint: true }).catch(ignoreMissing);
  if (stats) return stats.isFile() ? factsOf(path, stats) : undefined;
  // A name that is not UTF-8 cannot be opened by its decoded form. Listed, it fails by itself and is reported; left out, it would be lost in silence.
  return name.includes('\uFFFD') ? { path, bytes: 0, modifiedAt: new Date(0).toISOString(), etag: 'name-not-utf8' } : undefined;
}

async function readWindow(root: string, store: string, directory: string, after: Buffer | undefined): Promise<Level> {
  const empty: Level = { path: directory, children: [], index: 0, truncated: false };
  return inDirectory(root, store, directory, empty, async (held) => {
    let kept: Child[] = [];
    let truncated = false;
    for await (const found of await opendir(held.child('.'), { bufferSize: 1024 })) {
      const child = toChild(found);
      if (!child || (after && compare(child.sortKey, after) <= 0)) continue;
      kept.push(child);
      if (kept.length < 2 * WINDOW_NAMES) continue;
      kept = smallest(kept);
      truncated = true;
    }
    if (kept.length > WINDOW_NAMES) truncated = true;
    return { path: directory, children: smallest(kept), index: 0, truncated };
  });
}

/** A directory that vanished or turned into something else is as good as empty. */
async function inDirectory<T>(root: string, store: string, directory: string, absent: T, use: (held: HeldDirectory) => Promise<T>): Promise<T> {
  try {
    return await withDirectory(root, store, splitPath(directory, store), {}, use);
  } catch (error) {
    if (isNoDirectory(error)) return absent;
    throw error;
  }
}

const smallest = (children: Child[]): Child[] => children.sort((one, other) => compare(one.sortKey, other.sortKey)).slice(0, WINDOW_NAMES);

function toChild(found: Dirent): Child | undefined {
  const isDirectory = found.isDirectory();
  if (!isDirectory && !found.isFile()) return undefined;
  const { name } = found;
  if (name.startsWith(TEMPORARY_PREFIX)) return undefined;
  return { sortKey: Buffer.from(isDirectory ? `${name}/` : name), name, isDirectory };
}

const compare = (one: Buffer, other: Buffer): number => Buffer.compare(one, other);

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}
