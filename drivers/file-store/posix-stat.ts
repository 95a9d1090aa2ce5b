/** What lies at one path. */
import type { BigIntStats } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { isType } from '../../model/errors.ts';
import { type HeldDirectory, isNoDirectory, splitParent, splitPath } from './contained-path.ts';
import { instantOf } from './instant.ts';
import type { DirectoryFacts, FileFacts, SymlinkPolicy } from './port.ts';
import { isMissing, posixError } from './posix-errors.ts';
import { type LinkScope, resolvePath } from './posix-links.ts';
import { factsOf } from './posix-open.ts';
import { statFd, statLink } from './raw-fs.ts';

const LINKS_REFUSED = 'symbolic links are refused here';
const NOWHERE = 'it leads nowhere';
export const CIRCLE = 'it leads in a circle';
export const NO_FILE = 'it leads to a FIFO, socket or device';

/** @param path what the facts call it @returns undefined for what is neither a regular file nor, unless they are skipped, a link */
export async function statIn(parent: HeldDirectory, name: string, path: string, symlinks: SymlinkPolicy, refused?: string): Promise<FileFacts | undefined> {
  const stats = await statLink(parent.child(name));
  if (stats.isFile()) return factsOf(path, stats);
  if (!stats.isSymbolicLink() || symlinks === 'skip') return undefined;
  const linkTarget = await readlink(parent.child(name));
  const reason = symlinks === 'refuse' ? LINKS_REFUSED : refused;
  return { ...factsOf(path, stats), bytes: 0, linkTarget, ...(reason === undefined ? {} : { refused: reason }) };
}

/** Where a path leads inside the root. */
export type Followed =
  | { readonly kind: 'file' | 'directory' | 'special'; readonly steps: readonly string[] }
  /** Why it is not followed, as a clause. */
  | { readonly kind: 'refused'; readonly refused: string };

/** @param base steps without links, below which the path begins */
export async function follow(scope: LinkScope, base: readonly string[], path: string): Promise<Followed> {
  try {
    const resolved = await resolvePath(scope, base, path);
    if ('refused' in resolved) return { kind: 'refused', ...resolved };
    const { steps } = resolved;
    const name = steps.at(-1);
    if (name === undefined) return { kind: 'directory', steps };
    const stats = await scope.directories(steps.slice(0, -1), {}, (parent) => statLink(parent.child(name)));
    if (stats.isFile()) return { kind: 'file', steps };
    return { kind: stats.isDirectory() ? 'directory' : 'special', steps };
  } catch (error) {
    if (isMissing(error) || isNoDirectory(error)) return { kind: 'refused', refused: NOWHERE };
    throw error;
  }
}

export async function statAt(scope: LinkScope, path: string, symlinks: SymlinkPolicy): Promise<FileFacts | undefined> {
  const { store, directories: walk } = scope;
  try {
    const found: Followed | undefined = symlinks === 'follow' ? await follow(scope, [], path) : undefined;
    const { directory, name } = splitParent(found?.kind === 'file' ? found.steps.join('/') : path, store);
    const refused = found && (await whyNotFollowed(scope, found, directory));
    return await walk(directory, {}, (parent) => statIn(parent, name, path, symlinks, refused));
  } catch (error) {
    if (isMissing(error)) return undefined;
    const mapped = posixError(error, store, path);
    // A file where a directory would have to be: nothing lies below it.
    if (isType(mapped, 'Conflict')) return undefined;
    throw mapped;
  }
}

/** When it was last read, by its file system; undefined where there is no regular file. */
export async function readTimeAt({ store, directories: walk }: LinkScope, path: string): Promise<string | undefined> {
  try {
    const { directory, name } = splitParent(path, store);
    const stats = await walk(directory, {}, (parent) => statLink(parent.child(name)));
    return stats.isFile() ? instantOf(stats.atimeNs) : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw posixError(error, store, path);
  }
}

/** Undefined where it leads to a file. */
async function whyNotFollowed(scope: LinkScope, found: Followed, from: readonly string[]): Promise<string | undefined> {
  if (found.kind === 'refused') return found.refused;
  if (found.kind === 'special') return NO_FILE;
  if (found.kind === 'file') return undefined;
  const above = await follow(scope, [], from.join('/'));
  return 'steps' in above && isAtOrAbove(found.steps, above.steps) ? CIRCLE : 'it leads to a directory';
}

export const isAtOrAbove = (one: readonly string[], other: readonly string[]): boolean => one.every((step, depth) => step === other[depth]);

export async function statDirectoryAt(scope: LinkScope, path: string, symlinks: SymlinkPolicy): Promise<DirectoryFacts | undefined> {
  const { store, directories: walk } = scope;
  try {
    const led: Followed = symlinks === 'follow' ? await follow(scope, [], path) : { kind: 'directory', steps: splitPath(path, store) };
    return led.kind === 'directory' ? await walk(led.steps, {}, async ({ fd }) => directoryFacts(await statFd(fd))) : undefined;
  } catch (error) {
    if (isNoDirectory(error)) return undefined;
    throw posixError(error, store, path);
  }
}

export const directoryFacts = ({ mode, mtimeNs }: BigIntStats): DirectoryFacts => ({ mode: Number(mode) & 0o777, modifiedAt: instantOf(mtimeNs) });
