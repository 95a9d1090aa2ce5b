/** Begins a file under a temporary name, or goes on with one that another worker began. */

import { constants } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { type HeldDirectory, splitParent } from './contained-path.ts';
import { Descriptor } from './descriptor.ts';
import { isInMemory } from './in-memory.ts';
import { allocateBlocks } from './libc.ts';
import type { FileCreateOptions } from './port.ts';
import { errnoOf, isMissing, posixError, quoted } from './posix-errors.ts';
import { checkedSession, newSession, temporaryName } from './posix-session.ts';
import { PosixUnpublishedFile } from './posix-unpublished.ts';
import type { Writing } from './posix-writing.ts';
import { CREATE_FLAGS, closeFd, dropFd, openFd, statFd, unlinkName } from './raw-fs.ts';

export const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;
/** While it is written: whoever goes on with it opens it again. Its own mode comes with the seal. */
const OWNER_MODE = 0o600;
const RESUME_FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Smaller files are written at once, and told of a full disk as early. */
const ALLOCATED_FROM_BYTES = 2 ** 20;
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export async function createFileAt(writing: Writing, path: string, options: FileCreateOptions): Promise<PosixUnpublishedFile> {
  const { directories, store } = writing;
  const { directory, name } = splitParent(path, store);
  const session = options.session === undefined ? newSession(options.attempt) : checkedSession(options.session, store);
  const temporary = temporaryName(session);
  const isShared = options.session !== undefined;
  const changed = new Set<string>();
  const made = writing.defer ?? ((above: string) => void changed.add(above));
  const walk = { wanted: path, ...(isShared ? {} : { create: { mode: DIRECTORY_MODE, modeOf: options.modeOfNew, changed: made } }) };
  try {
    await writing.batch?.begin();
    return await directories(directory, walk, async (parent) => {
      const directoryIdentity = await parent.identity();
      const descriptor = new Descriptor(await (isShared ? resume(parent, temporary, options, { store, path }) : begin(parent, temporary, options)));
      return new PosixUnpublishedFile(writing, { descriptor, session, temporary, directory, directoryIdentity, name, isShared, changed });
    });
  } catch (error) {
    throw posixError(error, store, path);
  }
}

/** Set-id bits would hold for content of anyone's. */
export const modeOfUnfinished = (mode = FILE_MODE): number => (mode & 0o777) | OWNER_MODE;

async function begin(parent: HeldDirectory, temporary: string, { bytes = 0, mode, room }: FileCreateOptions): Promise<number> {
  const fd = await openFd(parent.child(temporary), CREATE_FLAGS, modeOfUnfinished(mode));
  try {
    // Memory would be cleared page by page and then written over.
    if (bytes >= ALLOCATED_FROM_BYTES) await (room === 'look' || (await isInMemory(fd)) ? lookForRoom(fd, bytes) : takeRoom(fd, bytes));
    return fd;
  } catch (error) {
    await closeFd(fd).catch(() => undefined);
    await unlinkName(parent.child(temporary)).catch(() => undefined);
    throw error;
  }
}

async function resume(
  parent: HeldDirectory,
  temporary: string,
  { bytes = 0, room }: FileCreateOptions,
  { store, path }: { readonly store: string; readonly path: string },
): Promise<number> {
  const fd = await openFd(parent.child(temporary), RESUME_FLAGS).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
    throw new PenstockError('NotFound', `${quoted(path)} is not being written there any more: it was published, or abandoned.`, { store, cause: error });
  });
  try {
    const stats = await statFd(fd);
    // Whoever may write this directory could have put a second name of another's file here.
    if (!stats.isFile() || stats.nlink !== 1n) throw new PenstockError('Denied', `The unfinished ${quoted(path)} was replaced by another file.`, { store });
    if (room === 'take' && bytes >= ALLOCATED_FROM_BYTES && !(await isInMemory(fd))) await takeRoom(fd, bytes);
    return fd;
  } catch (error) {
    dropFd(fd);
    throw error;
  }
}

async function lookForRoom(fd: number, bytes: number): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(`/proc/self/fd/${fd}`);
  // Without blocks it has no size to tell.
  if (blocks > 0 && bavail * bsize < bytes) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
}

/** A file system that cannot tells a full disk at the first write it has no room for. */
async function takeRoom(fd: number, bytes: number): Promise<void> {
  await allocateBlocks(fd, bytes).catch((error: unknown) => {
    if (NO_ROOM.has(errnoOf(error) ?? '')) throw error;
  });
}
