/** Removing: trees from their leaves up, and what killed attempts left behind. Links are removed, never followed. */
import { lstat, opendir, rmdir, unlink } from 'node:fs/promises';
import { type HeldDirectory, isNoDirectory, openChildDirectory, splitParent, splitPath, TEMPORARY_PREFIX, withDirectory } from './contained-path.ts';
import type { PublishScope } from './port.ts';
import { errnoOf, isMissing, posixError } from './posix-errors.ts';
import { temporaryNamesOf } from './posix-session.ts';

export async function removeAt(root: string, store: string, scope: PublishScope, path: string): Promise<void> {
  const { directory, name } = splitParent(path, store);
  try {
    await withDirectory(root, store, directory, {}, async (parent) => {
      await removeChild(parent, name);
      scope.defer(parent.path);
    });
  } catch (error) {
    if (!isMissing(error)) throw posixError(error, store, path);
  }
}

/** @returns how many temporary names were removed */
export async function sweepBelow(root: string, store: string, path: string, olderThan: string): Promise<number> {
  const before = Date.parse(olderThan);
  try {
    const tally: Tally = { swept: 0 };
    await withDirectory(root, store, splitPath(path, store), {}, (held) => sweepDirectory(held, before, tally));
    return tally.swept;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw posixError(error, store, path);
  }
}

/** @returns how many unfinished files of these attempts were removed */
export async function collectIn(root: string, store: string, directory: string, attempts: readonly string[]): Promise<number> {
  const begun = attempts.map(temporaryNamesOf);
  let collected = 0;
  try {
    await withDirectory(root, store, splitPath(directory, store), {}, async (held) => {
      for await (const { name } of await opendir(held.child('.'))) {
        if (!begun.some((prefix) => name.startsWith(prefix))) continue;
        await unlink(held.child(name)).catch(ignoreMissing);
        collected += 1;
      }
    });
    return collected;
  } catch (error) {
    // Nothing was begun below what is no directory.
    if (isNoDirectory(error)) return 0;
    throw posixError(error, store, directory);
  }
}

async function removeChild(parent: HeldDirectory, name: string): Promise<void> {
  const facts = await lstat(parent.child(name));
  if (!facts.isDirectory()) return unlink(parent.child(name));
  const held = await openChildDirectory(parent, name);
  try {
    // By a directory's end, what was removed while it was read may have hidden an entry; rmdir tells, and the next round finds it.
    for await (const entry of await opendir(held.child('.'))) await removeChild(held, entry.name).catch(ignoreMissing);
  } finally {
    held.close();
  }
  await rmdir(parent.child(name));
}

interface Tally {
  swept: number;
}

async function sweepDirectory(held: HeldDirectory, before: number, tally: Tally): Promise<void> {
  for await (const entry of await opendir(held.child('.'))) {
    if (entry.isDirectory()) await sweepChild(held, entry.name, before, tally);
    else if ((entry.isFile() || entry.isSymbolicLink()) && entry.name.startsWith(TEMPORARY_PREFIX)) tally.swept += await sweepFile(held, entry.name, before);
  }
}

/** One that vanishes, or that the file system will not let us read, does not keep the others from being swept. */
async function sweepChild(parent: HeldDirectory, name: string, before: number, tally: Tally): Promise<void> {
  try {
    const held = await openChildDirectory(parent, name);
    try {
      await sweepDirectory(held, before, tally);
    } finally {
      held.close();
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

async function sweepFile(held: HeldDirectory, name: string, before: number): Promise<number> {
  const facts = await lstat(held.child(name)).catch(ignoreMissing);
  // By its change time: an attempt sets the time of modification to its source's.
  if (!facts || facts.ctimeMs >= before) return 0;
  await unlink(held.child(name)).catch(ignoreMissing);
  return 1;
}

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}
