/** What a file system keeps beside the content: permission bits and the extended attributes of the `user.` namespace. */
import { statfs } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { getXattr, listXattrs, setXattr } from './libc.ts';
import type { FileAttributes } from './port.ts';
import { errnoOf, posixError, quoted } from './posix-errors.ts';
import { chmodFd, statFd } from './raw-fs.ts';

const NAMESPACE = 'user.';
/** Set-id and sticky bits are left out. */
export const PERMISSION_BITS = 0o777;
/** The file system keeps none, or cannot be asked. */
const KEEPS_NONE = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);
/** Too many, too large, or a name too long for this file system, however much room it has. */
const KEEPS_NOT_THESE = new Set([...KEEPS_NONE, 'E2BIG', 'ERANGE', 'ENOSPC']);

export async function attributesOf(fd: number, store: string, path: string): Promise<FileAttributes> {
  const mode = Number((await statFd(fd)).mode) & PERMISSION_BITS;
  const xattrs = await xattrsOf(fd, store, path);
  return xattrs ? { mode, xattrs } : { mode };
}

/** @returns undefined where there are none, or the file system keeps none */
async function xattrsOf(fd: number, store: string, path: string): Promise<Record<string, string> | undefined> {
  const xattrs: Record<string, string> = {};
  const names = await listXattrs(fd).catch((error: unknown) => {
    if (KEEPS_NONE.has(errnoOf(error) ?? '')) return [];
    throw error;
  });
  for (const bytes of names) {
    const name = bytes.toString();
    if (!name.startsWith(NAMESPACE)) continue;
    if (!Buffer.from(name).equals(bytes)) throw cannotKeep(store, path, `the name of its extended attribute ${quoted(name)} is not valid UTF-8`);
    const value = await getXattr(fd, name).catch((error: unknown) => {
      // Removed since it was listed.
      if (errnoOf(error) === 'ENODATA') return undefined;
      throw error;
    });
    if (value) xattrs[name.slice(NAMESPACE.length)] = value.toString('base64');
  }
  return Object.keys(xattrs).length > 0 ? xattrs : undefined;
}

/** @throws PolicyRefused where the file system cannot keep them; set-id and sticky bits are left out */
export async function applyAttributes(fd: number, store: string, path: string, { mode, xattrs = {} }: FileAttributes): Promise<void> {
  for (const [name, value] of Object.entries(xattrs)) {
    await setXattr(fd, `${NAMESPACE}${name}`, Buffer.from(value, 'base64')).catch(async (error: unknown) => {
      const errno = errnoOf(error) ?? '';
      if (!KEEPS_NOT_THESE.has(errno) || (errno === 'ENOSPC' && (await isFull(fd)))) throw posixError(error, store, path);
      throw cannotKeep(store, path, `the file system answered ${errno} to its extended attribute ${quoted(name)}`, error);
    });
  }
  // Last: a mode without write permission must not stand in the way of the rest.
  if (mode !== undefined) await chmodFd(fd, mode & PERMISSION_BITS);
}

/** ext4 says ENOSPC too where only the file's own room for attributes is used up. */
const isFull = async (fd: number): Promise<boolean> => (await statfs(`/proc/self/fd/${fd}`)).bavail === 0;

function cannotKeep(store: string, path: string, reason: string, cause?: unknown): PenstockError {
  return new PenstockError('PolicyRefused', `${quoted(path)} cannot be kept with its attributes: ${reason}.`, {
    store,
    cause,
    nextStep: 'Transfer it without attributes.',
  });
}
