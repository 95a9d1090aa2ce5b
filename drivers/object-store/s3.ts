/** Any S3: AWS, versitygw, and whatever else speaks the protocol. What a product cannot do shows as an error, never as a success. */
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { absent, PenstockError } from '../../model/errors.ts';
import { assertObjectKey } from './object-key.ts';
import type { CopySource, ObjectHold, ObjectStore, Upload } from './port.ts';
import { createLockMemory, ensureBucket } from './s3-bucket.ts';
import { createS3Client, type S3StoreOptions } from './s3-client.ts';
import { copyObject, copyPart } from './s3-copy.ts';
import { s3Error } from './s3-errors.ts';
import { headObject } from './s3-head.ts';
import { list, listPrefixes } from './s3-list.ts';
import { createLockEvidence } from './s3-lock-evidence.ts';
import { partBytesFor } from './s3-parts.ts';
import { createRawPath } from './s3-raw.ts';
import { readObject, readObjectBytes } from './s3-read.ts';
import { readBlocks } from './s3-read-blocks.ts';
import { readInto } from './s3-read-into.ts';
import { applyRetention, noObjectLock, readRetention } from './s3-retention.ts';
import { sweepUploads } from './s3-sweep.ts';
import { label, location, type S3Store, type S3Target, sendOptions } from './s3-target.ts';
import { abandonUpload, beginUpload, completeUpload, listParts, writePart } from './s3-uploads.ts';
import { writeObject, writeObjectStream } from './s3-write.ts';

export function createS3ObjectStore(options: S3StoreOptions): ObjectStore {
  const client = createS3Client(options);
  const store = options.name;
  const access: S3Store = { client, raw: createRawPath(client, options), store };
  const lockedBuckets = createLockMemory(client, store);
  const target = (bucket: string, key: string): S3Target => {
    assertObjectKey(key, store);
    return { ...access, bucket, key };
  };
  /** For a write: versitygw 1.8.0 answers one that cannot be locked with an error, but keeps the object, unlocked: ask first. */
  const writable = async (bucket: string, key: string, isLocked: boolean): Promise<S3Target> => {
    const checked = target(bucket, key);
    if (isLocked && !(await lockedBuckets.has(bucket))) throw noObjectLock(store, bucket);
    return checked;
  };
  const checkedUpload = (upload: Upload): Upload => {
    assertObjectKey(upload.key, store);
    return upload;
  };
  const checkedSource = <T extends CopySource>(source: T): T => {
    assertObjectKey(source.key, store);
    return source;
  };
  return {
    name: store,
    service: `${new URL(options.endpoint).href} as ${options.credentials.accessKeyId}`,
    ensureBucket: (bucket, wanted = {}) => ensureBucket(client, store, bucket, options.region, wanted.objectLock ?? false),
    list: (bucket, prefix, listOptions = {}) => list(access, bucket, prefix, listOptions),
    listPrefixes: (bucket, prefix, { signal } = {}) => listPrefixes(access, bucket, prefix, signal),

    async head(bucket, key, { signal } = {}) {
      const found = await headObject(target(bucket, key), signal ? { signal } : {});
      if (!found) return undefined;
      const { retainedUntil: _until, onLegalHold: _hold, ...facts } = found;
      return facts;
    },
    read: async (bucket, key, readOptions = {}) => {
      target(bucket, key);
      return readObject(client, store, bucket, key, readOptions);
    },
    readInto: async (bucket, key, into, readOptions = {}) => readInto(target(bucket, key), into, readOptions),
    readBlocks: (bucket, key, buffers, readOptions) => readBlocks(target(bucket, key), buffers, readOptions),
    readBytes: async (bucket, key, readOptions = {}) => {
      target(bucket, key);
      return readObjectBytes(client, store, bucket, key, readOptions);
    },

    writeBytes: async (bucket, key, body, write = {}) => writeObject(await writable(bucket, key, write.retention !== undefined), body, write),
    writeStream: async (bucket, key, body, write = {}) => writeObjectStream(await writable(bucket, key, write.retention !== undefined), body, write),

    partBytesFor: (bytes) => partBytesFor(bytes, store),
    beginUpload: async (bucket, key, upload = {}) => beginUpload(await writable(bucket, key, upload.retention !== undefined), upload),
    writePart: async (upload, number, body, part = {}) => writePart(access, checkedUpload(upload), number, body, part),
    copyPart: async (upload, number, source, part = {}) => copyPart(access, checkedUpload(upload), number, checkedSource(source), part),
    listParts: async (upload, parts = {}) => listParts(access, checkedUpload(upload), parts),
    completeUpload: async (upload, parts, whole) => completeUpload(access, checkedUpload(upload), parts, whole),
    abandonUpload: (upload) => abandonUpload(access, upload),
    copyObject: async (source, bucket, key, write = {}) => copyObject(await writable(bucket, key, write.retention !== undefined), checkedSource(source), write),

    async remove(bucket, key, { versionId, signal } = {}) {
      const object = target(bucket, key);
      // Without a version, a lock bucket would answer a delete marker: the object hidden, still paid for, and nobody told.
      if (!versionId && (await lockedBuckets.has(bucket))) await refuseRetained(object, signal);
      await client
        .send(new DeleteObjectCommand({ ...location(object), ...(versionId ? { VersionId: versionId } : {}) }), sendOptions(signal))
        .catch((error: unknown) => absent(s3Error(error, store, `removing ${label(object)}`)));
    },
    async removeIfMatch(bucket, key, etag, { signal } = {}) {
      const object = target(bucket, key);
      if (await lockedBuckets.has(bucket)) await refuseRetained(object, signal);
      await client
        .send(new DeleteObjectCommand({ ...location(object), IfMatch: etag }), sendOptions(signal))
        .catch((error: unknown) => absent(s3Error(error, store, `removing ${label(object)}`)));
    },
    retain: async (bucket, key, retention, versionId, signal) => applyRetention({ ...target(bucket, key), versionId, signal }, retention),
    sweep: (bucket, prefix, olderThan) => sweepUploads(client, store, { bucket, prefix, olderThan }),
    retention: async (bucket, key, versionId, signal) => readRetention({ ...target(bucket, key), versionId, signal }),
    hold: async (bucket, key, { signal } = {}) => holdOn(target(bucket, key), signal),
    evidence: createLockEvidence(access),
  };
}

async function holdOn(target: S3Target, signal: AbortSignal | undefined): Promise<ObjectHold | undefined> {
  const facts = await headObject(target, signal ? { signal } : {});
  if (!facts) return undefined;
  const { onLegalHold, retainedUntil: until } = facts;
  const isRetained = until !== undefined && Date.parse(until) > Date.now();
  return onLegalHold || isRetained ? { onLegalHold, ...(isRetained ? { until } : {}) } : undefined;
}

async function refuseRetained(target: S3Target, signal: AbortSignal | undefined): Promise<void> {
  const hold = await holdOn(target, signal);
  if (!hold) return;
  const reason = hold.onLegalHold ? 'a legal hold' : `its retention until ${hold.until}`;
  throw new PenstockError('Denied', `${label(target)} cannot be removed: ${reason} holds it.`, { store: target.store });
}
