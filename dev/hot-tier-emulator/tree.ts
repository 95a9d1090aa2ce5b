/**
 * The tree on disk, walked without ever following a symbolic link. Each directory is opened below its parent's descriptor
 * (/proc/self/fd, hence Linux), so swapping a step for a link while we walk leads nowhere: opening it fails.
 */
import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir } from 'node:fs/promises';
import { ApiError, errnoOf } from './api-error.ts';
import { join, steps } from './paths.ts';

const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Stats in flight per directory: enough to hide latency, few enough to leave libuv's threads to others. */
const STAT_BATCH = 32;

/** Names that are nobody's data: the S3 gateway's staging directory, and files that movers have not published yet. */
export function isInternalName(name: string): boolean {
  return name === '.sgwtmp' || name.startsWith('.penstock-');
}

/** A name below an open directory, as a path. */
export function at(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/** Undefined where absent. Refuses (403) a link as the last or any other step. */
export async function openDirectory(root: string, path: string, options: { create?: boolean } = {}): Promise<FileHandle | undefined> {
  let directory = await open(root, DIRECTORY_FLAGS);
  let walked = '/';
  for (const step of steps(path)) {
    walked = join(walked, step);
    const parent = directory;
    try {
      const child = await openChild(parent, step, walked, options.create ?? false);
      if (!child) return undefined;
      directory = child;
    } finally {
      await parent.close();
    }
  }
  return directory;
}

/** The file of that path: its parent's descriptor (to be closed by the caller), name and stats. Undefined where there is no regular file. */
export async function locateFile(root: string, path: string): Promise<{ parent: FileHandle; name: string; stats: BigIntStats } | undefined> {
  const name = steps(path).at(-1);
  if (name === undefined) return undefined;
  const parent = await openDirectory(root, parentOf(path));
  if (!parent) return undefined;
  const stats = await statOf(parent, name).catch(async (error: unknown) => {
    await parent.close();
    throw error;
  });
  if (stats?.isSymbolicLink() || !stats?.isFile()) await parent.close();
  if (stats?.isSymbolicLink()) throw linkRefused(path);
  return stats?.isFile() ? { parent, name, stats } : undefined;
}

export interface WalkedFile {
  readonly path: string;
  /** Stats of the regular file in the first tree and in the second, where there is one. */
  readonly here: BigIntStats | undefined;
  readonly there: BigIntStats | undefined;
  /** Something that is no regular file has the name in the first tree. */
  readonly blocked: boolean;
}

/**
 * Every regular file below a path in one tree or in either of two, in name order per directory. Links and special files are
 * passed over; memory is one directory's listing per level. `directories` are told before their content.
 */
export async function* walk(
  trees: { readonly here: string; readonly there?: string },
  path: string,
  onDirectory: (path: string) => Promise<void> = async () => {},
): AsyncGenerator<WalkedFile> {
  const opened: FileHandle[] = [];
  try {
    const here = await openDirectory(trees.here, path);
    if (here) opened.push(here);
    const there = trees.there === undefined ? undefined : await openDirectory(trees.there, path);
    if (there) opened.push(there);
    yield* await oneFile(trees, path, here === undefined);
    if (here || there) yield* walkDirectories(here, there, path, onDirectory);
  } finally {
    for (const handle of opened) await handle.close();
  }
}

/** Where the path is a file in either tree. */
async function oneFile(trees: { readonly here: string; readonly there?: string }, path: string, hereFree: boolean): Promise<WalkedFile[]> {
  const here = hereFree ? await locateFile(trees.here, path) : undefined;
  await here?.parent.close();
  const there = trees.there === undefined ? undefined : await locateFile(trees.there, path);
  await there?.parent.close();
  return here || there ? [{ path, here: here?.stats, there: there?.stats, blocked: !hereFree }] : [];
}

async function* walkDirectories(
  here: FileHandle | undefined,
  there: FileHandle | undefined,
  path: string,
  onDirectory: (path: string) => Promise<void>,
): AsyncGenerator<WalkedFile> {
  await onDirectory(path);
  const names = [...new Set([...(await namesOf(here)), ...(await namesOf(there))])].sort();
  for (let start = 0; start < names.length; start += STAT_BATCH) {
    const batch = names.slice(start, start + STAT_BATCH);
    const found = await Promise.all(batch.map(async (name) => ({ name, here: await statOf(here, name), there: await statOf(there, name) })));
    for (const entry of found) {
      const file = (stats: BigIntStats | undefined) => (stats?.isFile() ? stats : undefined);
      const child = join(path, entry.name);
      if (file(entry.here) || file(entry.there)) {
        yield { path: child, here: file(entry.here), there: file(entry.there), blocked: entry.here !== undefined && !entry.here.isFile() };
      }
      if (entry.here?.isDirectory() || entry.there?.isDirectory()) yield* walkChild(here, there, entry, child, onDirectory);
    }
  }
}

async function* walkChild(
  here: FileHandle | undefined,
  there: FileHandle | undefined,
  entry: { name: string; here: BigIntStats | undefined; there: BigIntStats | undefined },
  path: string,
  onDirectory: (path: string) => Promise<void>,
): AsyncGenerator<WalkedFile> {
  const opened: FileHandle[] = [];
  const descend = async (parent: FileHandle | undefined, stats: BigIntStats | undefined) => {
    if (!parent || !stats?.isDirectory()) return undefined;
    const handle = await open(at(parent, entry.name), DIRECTORY_FLAGS).catch(() => undefined);
    if (handle) opened.push(handle);
    return handle;
  };
  try {
    const left = await descend(here, entry.here);
    const right = await descend(there, entry.there);
    if (left || right) yield* walkDirectories(left, right, path, onDirectory);
  } finally {
    for (const handle of opened) await handle.close();
  }
}

async function openChild(parent: FileHandle, name: string, path: string, create: boolean): Promise<FileHandle | undefined> {
  const child = at(parent, name);
  if (create) {
    await mkdir(child).then(() => parent.sync(), ignore('EEXIST'));
  }
  try {
    return await open(child, DIRECTORY_FLAGS);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if ((await statOf(parent, name))?.isSymbolicLink()) throw linkRefused(path);
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function namesOf(directory: FileHandle | undefined): Promise<string[]> {
  if (!directory) return [];
  return (await readdir(at(directory, '.'))).filter((name) => !isInternalName(name));
}

async function statOf(directory: FileHandle | undefined, name: string): Promise<BigIntStats | undefined> {
  if (!directory) return undefined;
  // A file may vanish between listing and looking; that is the same as not having been there.
  return lstat(at(directory, name), { bigint: true }).catch(ignore('ENOENT'));
}

function parentOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end <= 0 ? '/' : path.slice(0, end);
}

function linkRefused(path: string): ApiError {
  return new ApiError('path_refused', `${path} is a symbolic link, and links are not followed`);
}

/** For `catch`: undefined where the error has that code, thrown on otherwise. */
export function ignore(code: string): (error: unknown) => undefined {
  return (error) => {
    if (errnoOf(error) !== code) throw error;
    return undefined;
  };
}
