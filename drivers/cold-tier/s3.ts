/** The cold tier over S3: HeadObject tells the state, RestoreObject asks. */
import { HeadObjectCommand, type HeadObjectCommandOutput, RestoreObjectCommand, type Tier } from '@aws-sdk/client-s3';
import { ArchiveClassSchema, type RestoreTier } from '../../model/archive.ts';
import { PenstockError } from '../../model/errors.ts';
import { assertObjectKey } from '../object-store/object-key.ts';
import { createS3Client, type S3StoreOptions } from '../object-store/s3-client.ts';
import { httpStatus, s3Error, s3ErrorCode } from '../object-store/s3-errors.ts';
import { label, location, sendOptions } from '../object-store/s3-target.ts';
import type { ArchiveState, ColdTier, RestoreAnswer } from './port.ts';

const TIERS: Readonly<Record<RestoreTier, Tier>> = { expedited: 'Expedited', standard: 'Standard', bulk: 'Bulk' };

export function createS3ColdTier(options: S3StoreOptions): ColdTier {
  const client = createS3Client(options);
  const store = options.name;
  return {
    name: store,
    async state(bucket, key, { signal } = {}) {
      assertObjectKey(key, store);
      const object = { bucket, key };
      try {
        return stateIn(await client.send(new HeadObjectCommand(location(object)), sendOptions(signal)), store, label(object));
      } catch (error) {
        if (httpStatus(error) === 404) return undefined;
        throw s3Error(error, store, label(object));
      }
    },
    async restore(bucket, key, { tier, days, signal }) {
      assertObjectKey(key, store);
      const object = { bucket, key };
      const RestoreRequest = { Days: days, GlacierJobParameters: { Tier: TIERS[tier] } };
      try {
        const { $metadata } = await client.send(new RestoreObjectCommand({ ...location(object), RestoreRequest }), sendOptions(signal));
        return $metadata.httpStatusCode === 200 ? 'extended' : 'asked';
      } catch (error) {
        return answerIn(error) ?? raise(s3Error(error, store, `restoring ${label(object)} by ${tier}`));
      }
    },
  };
}

/** The refusals that say that nothing is to be done. */
function answerIn(error: unknown): RestoreAnswer | undefined {
  switch (s3ErrorCode(error)) {
    case 'RestoreAlreadyInProgress':
      return 'under-way';
    // RestoreObject says so of an object that is in no archive class; ObjectAlreadyInActiveTierError is its name in the model.
    case 'InvalidObjectState':
    case 'ObjectAlreadyInActiveTierError':
      return 'readable';
    default:
      return undefined;
  }
}

function raise(error: Error): never {
  throw error;
}

function stateIn({ StorageClass, Restore }: HeadObjectCommandOutput, store: string, subject: string): ArchiveState {
  const { data: storageClass } = ArchiveClassSchema.safeParse(StorageClass);
  if (!storageClass) return { kind: 'readable' };
  if (Restore === undefined) return { kind: 'archived', storageClass };
  if (/ongoing-request="true"/.test(Restore)) return { kind: 'restoring', storageClass };
  const until = Date.parse(/expiry-date="([^"]+)"/.exec(Restore)?.[1] ?? '');
  if (!Number.isNaN(until)) return { kind: 'restored', storageClass, until: new Date(until).toISOString() };
  throw new PenstockError(
    'StoreUnavailable',
    `${subject}: x-amz-restore says ${JSON.stringify(Restore.slice(0, 120))}; known are ongoing-request and expiry-date.`,
    {
      store,
    },
  );
}
