/** What lies at one path. */
import { readlink } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { type Directories, type HeldDirectory, isNoDirectory, splitParent, splitPath } from './contained-path.ts';
import type { FileFacts, SymlinkPolicy } from './port.ts';
import { isMissing, posixError } from './posix-errors.ts';
import { type LinkScope, resolvePath } from './posix-links.ts';
import { factsOf } from './posix-open.ts';
import { statLink } from './raw-fs.ts';

const LINKS_REFUSED = 'symbolic links are refused here';
const NOWHERE = 'it leads nowhere';

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
    const refused = found?.kind === 'refused' ? found.refused : found?.kind === 'directory' ? 'it leads to a directory' : undefined;
    return await walk(directory, {}, (parent) => statIn(parent, name, path, symlinks, refused));
  } catch (error) {
    if (isMissing(error)) return undefined;
    const mapped = posixError(error, store, path);
    // A file where a directory would have to be: nothing lies below it.
    if (mapped instanceof PenstockError && mapped.type === 'Conflict') return undefined;
    throw mapped;
  }
}

export async function hasDirectoryAt(store: string, walk: Directories, path: string): Promise<boolean> {
  try {
    await walk(splitPath(path, store), {}, () => Promise.resolve());
    return true;
  } catch (error) {
    if (isNoDirectory(error)) return false;
    throw posixError(error, store, path);
  }
}
