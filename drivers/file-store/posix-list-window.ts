/** One directory's names in byte order, a window of bounded size at a time: the smallest behind the last one given. */
import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { type Directories, type HeldDirectory, isNoDirectory, splitPath, TEMPORARY_PREFIX, withChildDirectory, withDirectory } from './contained-path.ts';
import { type DirectoryFacts, SPECIAL_ETAG, type SymlinkPolicy } from './port.ts';
import { errnoOf, isMissing, posixError } from './posix-errors.ts';
import type { LinkScope } from './posix-links.ts';
import { CIRCLE, directoryFacts, follow, isAtOrAbove, NO_FILE } from './posix-stat.ts';
import { statFd, statLink } from './raw-fs.ts';

/** Names of one directory held at a time, about 10 MB; a directory of 100,000 is read twice. */
const WINDOW_NAMES = 50_000;
const MOST_DIRECTORIES = 1_000;
/** Of a directory, closed to us or damaged. */
const UNREADABLE = new Set(['EACCES', 'EPERM', 'EIO']);
/** Such a name cannot be given back to the file system: it is listed in its decoded form, and refused. */
export const NOT_UTF8 = 'its name is not valid UTF-8';

/** What a listing of one store has in common. */
export interface Listing {
  readonly root: string;
  readonly store: string;
  readonly walk: Directories;
  readonly symlinks: SymlinkPolicy;
  readonly emptyDirectories: boolean;
  readonly specials: boolean;
  /** Steps of the listed directory, which no link leads out of. */
  readonly within: readonly string[];
}

export const linkScope = ({ root, store, walk, within }: Listing): LinkScope => ({ root, store, directories: walk, within });

export interface Child {
  /** UTF-8, with a `/` behind a directory's name: what its paths sort by. */
  readonly sortKey: Buffer;
  readonly name: string;
  readonly isDirectory: boolean;
  /** Steps to what a followed link leads to, itself no link. */
  readonly leadsTo?: readonly string[];
  /** Why it is not to be moved, as a clause. */
  readonly refused?: string;
  /** In place of an etag, where it is refused unseen: the file system does not let us look at it, or it is no file. */
  readonly unseen?: string;
}
export interface Window {
  /** Ascending. */
  readonly children: readonly Child[];
  /** More names lie behind the last. */
  readonly truncated: boolean;
  /** The directory's own, where it is there and has nothing to list. */
  readonly empty?: DirectoryFacts;
}

/** The directory that is being read. */
interface Place {
  readonly listing: Listing;
  readonly steps: readonly string[];
  readonly held: HeldDirectory;
  /** Steps of this directory and those the walk came through: a link to one of them, or above, is a circle. */
  readonly above: readonly (readonly string[])[];
}

/** @param above steps of this directory and those the walk came through */
export async function readWindow(listing: Listing, steps: readonly string[], after: Buffer | undefined, above: Place['above']): Promise<Window> {
  return inDirectory(listing, steps, { children: [], truncated: false }, async (held) => {
    const place: Place = { listing, steps, held, above };
    let kept: Child[] = [];
    let truncated = false;
    for await (const found of await opendir(held.child('.'), { bufferSize: 1024 })) {
      const child = await toChild(place, found);
      if (!child || (after && compare(child.sortKey, after) <= 0)) continue;
      kept.push(child);
      if (kept.length < 2 * WINDOW_NAMES) continue;
      kept = smallest(kept, WINDOW_NAMES);
      truncated = true;
    }
    if (kept.length === 0 && after === undefined) return { children: [], truncated, empty: directoryFacts(await statFd(held.fd)) };
    if (kept.length > WINDOW_NAMES) truncated = true;
    return { children: smallest(kept, WINDOW_NAMES), truncated };
  });
}

/** A directory that vanished or turned into something else is as good as empty. */
export async function inDirectory<T>(listing: Listing, steps: readonly string[], absent: T, use: (held: HeldDirectory) => Promise<T>): Promise<T> {
  try {
    return await listing.walk(steps, {}, use);
  } catch (error) {
    if (isNoDirectory(error)) return absent;
    throw error;
  }
}

/** The smallest names of directories directly below the path; links are none. Empty where there is no such directory. */
export async function listDirectoriesAt(root: string, store: string, path: string): Promise<readonly string[]> {
  try {
    return await withDirectory(root, store, splitPath(path, store), {}, async (held) => {
      let kept: Child[] = [];
      for await (const found of await opendir(held.child('.'), { bufferSize: 1024 })) {
        if (!found.isDirectory() || isForeign(found.name)) continue;
        kept.push(childOf(found.name, true));
        if (kept.length >= 2 * MOST_DIRECTORIES) kept = smallest(kept, MOST_DIRECTORIES);
      }
      return smallest(kept, MOST_DIRECTORIES).map(({ name }) => name);
    });
  } catch (error) {
    if (isMissing(error)) return [];
    throw posixError(error, store, path);
  }
}

export const compare = (one: Buffer, other: Buffer): number => Buffer.compare(one, other);

const smallest = (children: Child[], most: number): Child[] => children.sort((one, other) => compare(one.sortKey, other.sortKey)).slice(0, most);

/** Ours and unfinished, or not to be opened by its decoded form. */
const isForeign = (name: string): boolean => name.startsWith(TEMPORARY_PREFIX) || name.includes('\uFFFD');

/** One directory that is closed to us is reported in its place, as a name: the rest of the listing is worth having. */
async function toChild(place: Place, found: Dirent): Promise<Child | undefined> {
  const { listing, held } = place;
  try {
    const child = await look(place, found);
    // Asked here, not when the walk gets there: a directory sorts with a `/` behind its name, what is reported in its place without.
    if (child?.isDirectory) await (child.leadsTo ? listing.walk(child.leadsTo, {}, isSearchable) : withChildDirectory(held, child.name, isSearchable));
    return child;
  } catch (error) {
    const errno = errnoOf(error instanceof PenstockError ? error.cause : error) ?? '';
    if (UNREADABLE.has(errno)) return { ...childOf(found.name, false), refused: `it cannot be read (${errno})`, unseen: 'unreadable' };
    // It vanished, or turned into something else: the walk finds nothing there.
    if (isNoDirectory(error)) return undefined;
    throw error;
  }
}

/** A directory may be opened by who may not search it, and then not be listed. */
const isSearchable = async (held: HeldDirectory): Promise<void> => void (await statLink(held.child('.')));

async function look({ listing, steps, held, above }: Place, found: Dirent): Promise<Child | undefined> {
  const { name } = found;
  if (name.startsWith(TEMPORARY_PREFIX)) return undefined;
  const isLink = found.isSymbolicLink() && listing.symlinks !== 'skip';
  if (!found.isDirectory() && !found.isFile() && !isLink) return listing.specials ? special(found) : undefined;
  // Listed as refused, it is reported; left out, it would be lost in silence.
  if (name.includes('\uFFFD') && !(await isThere(held, name))) return { ...childOf(name, false), refused: NOT_UTF8 };
  if (!isLink || listing.symlinks !== 'follow') return childOf(name, found.isDirectory());
  const led = await follow(linkScope(listing), steps, name);
  if (led.kind === 'special') return listing.specials ? { ...childOf(name, false), refused: NO_FILE } : undefined;
  if (led.kind === 'refused') return { ...childOf(name, false), refused: led.refused };
  if (led.kind === 'directory' && above.some((one) => isAtOrAbove(led.steps, one))) return { ...childOf(name, false), refused: CIRCLE };
  return { ...childOf(name, led.kind === 'directory'), leadsTo: led.steps };
}

/** Undefined for a link that is skipped. What is no file is not opened to look at it: of a device, that alone may have an effect. */
function special(found: Dirent): Child | undefined {
  const kind = found.isFIFO() ? 'FIFO' : found.isSocket() ? 'socket' : found.isCharacterDevice() || found.isBlockDevice() ? 'device' : undefined;
  return kind && { ...childOf(found.name, false), refused: `it is a ${kind}`, unseen: `${SPECIAL_ETAG}${kind}` };
}

const childOf = (name: string, isDirectory: boolean): Child => ({ sortKey: Buffer.from(isDirectory ? `${name}/` : name), name, isDirectory });

const isThere = (held: HeldDirectory, name: string): Promise<boolean> =>
  statLink(held.child(name)).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false;
      throw error;
    },
  );
