/** Any S3: AWS, versitygw, and whatever else speaks the protocol. What a product cannot do shows as an error, never as a success. */
import {
  BucketLocationConstraint,
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { PenstockError } from '../../model/errors.ts';
import { assertKeyPrefix, assertObjectKey } from './object-key.ts';
import type { ListOptions, ListPage, ObjectFacts, ObjectStore } from './port.ts';
import { createS3Client, type S3StoreOptions } from './s3-client.ts';
import { httpStatus, s3Error, s3ErrorCode } from './s3-errors.ts';
import { readObject, readObjectBytes } from './s3-read.ts';
import { applyRetention, bucketHasObjectLock, noObjectLock, readRetention } from './s3-retention.ts';
import { sweepUploads } from './s3-sweep.ts';
import { writeObject, writeObjectStream } from './s3-write.ts';

export function createS3ObjectStore(options: S3StoreOptions): ObjectStore {
  const client = createS3Client(options);
  const store = options.name;
  const lockedBuckets = createLockMemory(client, store);
  const checked = (bucket: string, key: string) => {
    assertObjectKey(key, store);
    return { client, store, bucket, key };
  };
  // versitygw 1.8.0 answers such a PUT with an error, but keeps the object, unlocked: ask first.
  const refuseUnlockable = async (bucket: string): Promise<void> => {
    if (!(await lockedBuckets.has(bucket))) throw noObjectLock(store, bucket);
  };
  return {
    name: store,
    ensureBucket: (bucket, wanted = {}) => ensureBucket(client, store, bucket, options.region, wanted.objectLock ?? false),
    list: (bucket, prefix, listOptions = {}) => list(client, store, bucket, prefix, listOptions),
    async head(bucket, key) {
      checked(bucket, key);
      const answer = await head(client, store, bucket, key);
      return answer && factsOf(key, answer);
    },
    async read(bucket, key, readOptions = {}) {
      checked(bucket, key);
      return readObject(client, store, bucket, key, readOptions);
    },
    async readBytes(bucket, key, readOptions = {}) {
      checked(bucket, key);
      return readObjectBytes(client, store, bucket, key, readOptions);
    },
    async writeBytes(bucket, key, body, writeOptions = {}) {
      const target = checked(bucket, key);
      if (writeOptions.retention) await refuseUnlockable(bucket);
      return writeObject(target, body, writeOptions);
    },
    async writeStream(bucket, key, body, writeOptions = {}) {
      const target = checked(bucket, key);
      if (writeOptions.retention) await refuseUnlockable(bucket);
      return writeObjectStream(target, body, writeOptions);
    },
    async remove(bucket, key, { versionId } = {}) {
      checked(bucket, key);
      // Without a version, a lock bucket would answer a delete marker: the object hidden, still paid for, and nobody told.
      if (!versionId && (await lockedBuckets.has(bucket))) await refuseRetained(client, store, bucket, key);
      await client
        .send(new DeleteObjectCommand({ Bucket: bucket, Key: key, ...(versionId ? { VersionId: versionId } : {}) }))
        .catch((error: unknown) => ignoreAbsent(s3Error(error, store, `removing s3://${bucket}/${key}`)));
    },
    retain: async (bucket, key, retention, versionId) => applyRetention({ ...checked(bucket, key), versionId }, retention),
    sweep: (bucket, prefix, olderThan) => sweepUploads(client, store, { bucket, prefix, olderThan }),
    retention: async (bucket, key, versionId) => readRetention({ ...checked(bucket, key), versionId }),
  };
}

async function ensureBucket(client: S3Client, store: string, bucket: string, region: string, objectLock: boolean): Promise<void> {
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

async function list(client: S3Client, store: string, bucket: string, prefix: string, options: ListOptions): Promise<ListPage> {
  assertKeyPrefix(prefix, store);
  try {
    const answer = await client.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        MaxKeys: Math.min(1000, Math.max(1, options.limit ?? 1000)),
        // A key XML cannot carry, such as one with a control character, must not make a whole listing unreadable.
        EncodingType: 'url',
        ...(options.after ? { StartAfter: options.after } : {}),
      }),
      options.signal ? { abortSignal: options.signal } : {},
    );
    const decode = answer.EncodingType === 'url' ? decodeKey : (key: string) => key;
    const entries = (answer.Contents ?? []).map((object) => ({
      key: decode(object.Key ?? ''),
      bytes: object.Size ?? 0,
      etag: object.ETag ?? '',
      modifiedAt: (object.LastModified ?? new Date(0)).toISOString(),
    }));
    return { entries, next: answer.IsTruncated ? entries.at(-1)?.key : undefined };
  } catch (error) {
    throw s3Error(error, store, `listing s3://${bucket}/${prefix}`);
  }
}

const decodeKey = (key: string): string => decodeURIComponent(key.replaceAll('+', ' '));

async function head(client: S3Client, store: string, bucket: string, key: string): Promise<HeadObjectCommandOutput | undefined> {
  try {
    return await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }));
  } catch (error) {
    if (httpStatus(error) === 404) return undefined;
    throw s3Error(error, store, `s3://${bucket}/${key}`);
  }
}

function factsOf(key: string, answer: HeadObjectCommandOutput): ObjectFacts {
  return {
    key,
    bytes: answer.ContentLength ?? 0,
    etag: answer.ETag ?? '',
    modifiedAt: (answer.LastModified ?? new Date(0)).toISOString(),
    versionId: answer.VersionId,
    // A composite checksum is one of checksums; it says nothing a reader of the bytes could compare.
    crc32c: answer.ChecksumType === 'COMPOSITE' ? undefined : answer.ChecksumCRC32C,
    metadata: answer.Metadata ?? {},
  };
}

async function refuseRetained(client: S3Client, store: string, bucket: string, key: string): Promise<void> {
  const answer = await head(client, store, bucket, key);
  const until = answer?.ObjectLockRetainUntilDate;
  const onHold = answer?.ObjectLockLegalHoldStatus === 'ON';
  if (!onHold && (!until || until.getTime() <= Date.now())) return;
  const reason = onHold ? 'a legal hold' : `its retention until ${until?.toISOString()}`;
  throw new PenstockError('Denied', `s3://${bucket}/${key} cannot be removed: ${reason} holds it.`, { store });
}

/** Whether a bucket has Object Lock never changes once it has; only a "yes" is remembered for good. */
function createLockMemory(client: S3Client, store: string): { has(bucket: string): Promise<boolean> } {
  const known = new Map<string, { locked: boolean; askedAt: number }>();
  const trustMs = 60_000;
  return {
    async has(bucket) {
      const memory = known.get(bucket);
      if (memory && (memory.locked || Date.now() - memory.askedAt < trustMs)) return memory.locked;
      const locked = await bucketHasObjectLock(client, bucket).catch((error: unknown) => {
        const mapped = s3Error(error, store, `bucket ${bucket}`);
        // Not allowed to ask: look at each object instead.
        if (mapped instanceof PenstockError && mapped.type === 'Denied') return true;
        return ignoreAbsent(mapped) ?? false;
      });
      known.set(bucket, { locked, askedAt: Date.now() });
      return locked;
    },
  };
}

function ignoreAbsent(error: Error): undefined {
  if (error instanceof PenstockError && error.type === 'NotFound') return undefined;
  throw error;
}
