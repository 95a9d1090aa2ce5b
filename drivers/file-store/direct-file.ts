/**
 * Files written past the page cache, each write durable when it is answered: O_DIRECT and O_DSYNC. Where the file system refuses O_DIRECT, O_DSYNC alone, which
 * is as durable and costs a copy.
 */
import { constants } from 'node:fs';
import { isInMemory } from './in-memory.ts';
import { errnoOf } from './posix-errors.ts';
import { openFd } from './raw-fs.ts';

export interface DirectFd {
  readonly fd: number;
  readonly isDirect: boolean;
}

/** @param mayBeDirect false where memory cannot be aligned */
export async function openDirect(path: string, flags: number, mayBeDirect: boolean, mode?: number): Promise<DirectFd> {
  const durable = flags | constants.O_DSYNC;
  if (!mayBeDirect) return { fd: await openFd(path, durable, mode), isDirect: false };
  try {
    return { fd: await openFd(path, durable | constants.O_DIRECT, mode), isDirect: true };
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error;
    // Linux refuses O_DIRECT only after it has made the file: it is ours already.
    return { fd: await openFd(path, durable & ~constants.O_EXCL, mode), isDirect: false };
  }
}

/** What an answered write of it means, for people. */
export async function durabilityOf({ fd, isDirect }: DirectFd): Promise<string> {
  if (await isInMemory(fd)) return 'in memory: survives the process, not the machine (tmpfs)';
  return isDirect ? 'on stable media, by O_DIRECT and O_DSYNC' : 'on stable media, by O_DSYNC through the page cache';
}
