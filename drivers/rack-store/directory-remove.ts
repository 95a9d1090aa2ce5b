/** Removes a file only while it holds what the caller believes: a file system cannot compare and remove in one step, but it can move and link in one each. */
import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TEMPORARY_PREFIX } from '../file-store/contained-path.ts';
import { errnoOf, isMissing } from '../file-store/posix-errors.ts';

/** Durable when it settles. A file of other content is not touched where that is seen at once, and put back where it came a moment ago. */
export async function removeIfUnchanged(path: string, content: Buffer): Promise<'gone' | 'changed'> {
  const found = await contentOf(path);
  if (!found) return 'gone';
  return found.equals(content) ? await takeIfUnchanged(path, content) : 'changed';
}

/**
 * As above, whatever is there by now: it is moved aside, looked at, and put back without replacing what has come by then. Where this process dies on the way, it stays under a
 * temporary name, which listings skip.
 */
export async function takeIfUnchanged(path: string, content: Buffer): Promise<'gone' | 'changed'> {
  const aside = join(dirname(path), `${TEMPORARY_PREFIX}removed-${randomUUID()}`);
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return 'gone';
    throw error;
  }
  const isSame = (await readFile(aside)).equals(content);
  if (!isSame) await linkWithoutReplacing(aside, path);
  await unlink(aside);
  await syncDirectory(dirname(path));
  return isSame ? 'gone' : 'changed';
}

async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function linkWithoutReplacing(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** Gone with its last file, it needs none. */
async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
