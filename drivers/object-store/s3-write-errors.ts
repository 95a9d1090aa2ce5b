/** What a refused write means, in words a person can act on. */
import { PenstockError } from '../../model/errors.ts';
import { s3Error, s3ErrorCode } from './s3-errors.ts';
import { noObjectLock } from './s3-retention.ts';
import { label, type S3Target } from './s3-target.ts';

type Target = Pick<S3Target, 'store' | 'bucket' | 'key'>;

/** A store on a file system cannot hold `a` and `a/b` at once; the error names both. */
export function explained(error: unknown, target: Target): Error {
  const code = s3ErrorCode(error);
  if (code === 'ObjectParentIsFile') {
    return collision(target, `"${target.key}" needs "${parentOf(target.key)}" to be a directory, but an object of that name or above it exists.`, error);
  }
  if (code === 'ExistingObjectIsDirectory') {
    return collision(target, `"${target.key}" is a directory there, for objects "${target.key}/..." exist.`, error);
  }
  if (code === 'InvalidRequest' && /object ?lock/i.test(error instanceof Error ? error.message : '')) {
    return noObjectLock(target.store, target.bucket, error);
  }
  return s3Error(error, target.store, label(target));
}

function collision(target: Target, message: string, cause: unknown): PenstockError {
  return new PenstockError('Conflict', `${label(target)}: ${message}`, { store: target.store, cause, nextStep: 'Rename one of them.' });
}

const parentOf = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf('/')));
