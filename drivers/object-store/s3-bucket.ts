/** Buckets, and whether what is in them can be locked. */
import { BucketLocationConstraint, CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { absent, isType, PenstockError } from '../../model/errors.ts';
import { s3Error, s3ErrorCode } from './s3-errors.ts';
import { bucketHasObjectLock } from './s3-retention.ts';

export async function ensureBucket(client: S3Client, store: string, bucket: string, region: string, objectLock: boolean): Promise<void> {
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: objectLock, ...locationConstraint(region) }));
  } catch (error) {
    if (s3ErrorCode(error) !== 'BucketAlreadyOwnedByYou') throw s3Error(error, store, `bucket ${bucket}`);
  }
  if (!objectLock) return;
  const locked = await bucketHasObjectLock(client, bucket).catch((error: unknown) => {
    throw s3Error(error, store, `bucket ${bucket}`);
  });
  if (locked) return;
  throw new PenstockError('Conflict', `The bucket ${bucket} exists without Object Lock, which can only be had at creation.`, {
    store,
    nextStep: 'Name another bucket.',
  });
}

/** AWS wants its own regions named here (its first has no name); what a gateway calls its region is its own affair. */
function locationConstraint(region: string) {
  const constraint = Object.values(BucketLocationConstraint).find((known) => known === region);
  return constraint ? { CreateBucketConfiguration: { LocationConstraint: constraint } } : {};
}

/** Whether a bucket has Object Lock never changes once it has; only a "yes" is remembered for good. */
export function createLockMemory(client: S3Client, store: string): { has(bucket: string): Promise<boolean> } {
  const known = new Map<string, { locked: boolean; askedAt: number }>();
  const trustMs = 60_000;
  return {
    async has(bucket) {
      const memory = known.get(bucket);
      if (memory && (memory.locked || Date.now() - memory.askedAt < trustMs)) return memory.locked;
      const locked = await bucketHasObjectLock(client, bucket).catch((error: unknown) => {
        const mapped = s3Error(error, store, `bucket ${bucket}`);
        // Not allowed to ask: look at each object instead.
        if (isType(mapped, 'Denied')) return true;
        return absent(mapped) ?? false;
      });
      known.set(bucket, { locked, askedAt: Date.now() });
      return locked;
    },
  };
}
