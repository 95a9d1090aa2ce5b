/** Maps errno to the closed set of {@link PenstockError}s. */
import { type ErrorType, isType, PenstockError } from '../../model/errors.ts';

const typesByErrno: Readonly<Record<string, ErrorType>> = {
  ENOSPC: 'OutOfSpace',
  EDQUOT: 'OutOfSpace',
  EFBIG: 'InvalidInput',
  ENAMETOOLONG: 'InvalidInput',
  EINVAL: 'InvalidInput',
  EILSEQ: 'InvalidInput',
  ENOENT: 'NotFound',
  EACCES: 'Denied',
  EPERM: 'Denied',
  EROFS: 'Denied',
  ELOOP: 'Denied',
  EEXIST: 'Conflict',
  EISDIR: 'Conflict',
  ENOTDIR: 'Conflict',
  ENOTEMPTY: 'Conflict',
  EMFILE: 'StoreThrottled',
  ENFILE: 'StoreThrottled',
  EAGAIN: 'StoreThrottled',
  ESTALE: 'StoreUnavailable',
  ETIMEDOUT: 'StoreUnavailable',
  ENOTCONN: 'StoreUnavailable',
  ESHUTDOWN: 'StoreUnavailable',
};

const nextSteps: Partial<Record<ErrorType, string>> = {
  OutOfSpace: 'It goes on by itself once there is room.',
  InvalidInput: 'Rename the file at the source.',
};

const nextStepsByErrno: Readonly<Record<string, string>> = {
  EACCES: 'Give the user that the mover runs as the permission, to the directories on the way too.',
  EPERM:
    'The file system forbids it whatever the mode: look for an immutable or append-only flag (lsattr), or for a file that the user of the mover does not own.',
  EROFS: 'Mount it for writing, or name another store.',
};

/** @returns a PenstockError; an abort and an error already mapped are handed back as they are */
export function posixError(error: unknown, store: string, path: string): Error {
  if (error instanceof PenstockError) return error;
  if (error instanceof Error && error.name === 'AbortError') return error;
  const errno = errnoOf(error);
  // An error without errno is not the file system's; a stream that fails hands its own error on.
  if (errno === undefined) return error instanceof Error ? error : new Error(String(error));
  const type = typesByErrno[errno] ?? 'IoError';
  const nextStep = nextStepsByErrno[errno] ?? nextSteps[type];
  return new PenstockError(type, `${quoted(path)}: ${explain(errno)}${notUtf8(errno, path)}.`, { store, cause: error, ...(nextStep ? { nextStep } : {}) });
}

export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

/** Nothing is there, be it said by the file system or by us. */
export function isMissing(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT' || isType(error, 'NotFound');
}

/** A path may hold anything but NUL; quoted, it cannot forge a second line of a log. */
export const quoted = (path: string): string => JSON.stringify(path === '' ? '.' : path);

const notUtf8 = (errno: string, path: string): string => (errno === 'ENOENT' && path.includes('\uFFFD') ? ', or its name is not valid UTF-8' : '');

function explain(errno: string): string {
  switch (errno) {
    case 'ENOENT':
      return 'there is no such file (ENOENT)';
    case 'ENOSPC':
      return 'no space is left (ENOSPC)';
    case 'EDQUOT':
      return 'the quota is used up (EDQUOT)';
    case 'ELOOP':
      return 'a symbolic link is not followed (ELOOP)';
    case 'EEXIST':
      return 'the name is taken (EEXIST)';
    case 'ENAMETOOLONG':
      return 'the name is too long for this file system (ENAMETOOLONG)';
    default:
      return `the file system answered ${errno}`;
  }
}
