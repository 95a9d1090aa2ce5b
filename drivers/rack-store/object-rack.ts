/**
 * A rack as a bucket of an object store. What is durable is the store's to say: versitygw's POSIX backend answers before anything is synced, so
 * the embedded site may lose with the power what it has acknowledged; real racks lose power one by one, and the code stands for four.
 */
import { decodeCrc32c } from '../../datapath/transfer/crc32c.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import type { RackClosure } from '../../model/placement.ts';
import type { ObjectStore } from '../object-store/port.ts';
import { s3ErrorCode } from '../object-store/s3-errors.ts';
import { MOST_IN_ONE_REQUEST_BYTES, writeInParts } from './object-rack-parts.ts';
import { MAX_MANIFEST_BYTES, type RackOptions, type RackStore } from './port.ts';

/** What a store may be able to do beside its port. */
export interface ConditionalRemoval {
  /** As `remove`, but Conflict where the object is of another etag by then; PolicyRefused where the service cannot compare. */
  removeIfMatch(bucket: string, key: string, etag: string, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

export interface ObjectRackConfig {
  readonly id: string;
  readonly room: string;
  readonly closed?: RackClosure | undefined;
  readonly bucket: string;
  readonly store: ObjectStore & Partial<ConditionalRemoval>;
  /** S3 has no call for free space; a site that knows it another way says so here. */
  readonly freeBytes?: () => Promise<number | undefined>;
}

export function createObjectRack({ id, room, closed, bucket, store, freeBytes }: ObjectRackConfig): RackStore {
  return {
    id,
    room,
    closed,

    freeBytes: (options) =>
      inBucket(async () => {
        await demandBucket(options);
        return freeBytes?.();
      }),

    writeShard: (key, body, options = {}) =>
      inBucket(async () => {
        try {
          if (body.bytes > MOST_IN_ONE_REQUEST_BYTES) await writeInParts(store, bucket, key, body, options.signal);
          else await store.writeBytes(bucket, key, body, { ...options, ifNoneMatch: true });
        } catch (error) {
          if (!isType(error, 'Conflict')) throw error;
          const existing = await store.head(bucket, key, options);
          if (existing?.bytes !== body.bytes) throw error;
        }
      }),

    readInto: (key, into, options = {}) =>
      inBucket(async () => {
        const { bytes, totalBytes, readCrc32c } = await store.readInto(bucket, key, into, options);
        return { bytes, totalBytes, crc32c: decodeCrc32c(readCrc32c) };
      }),

    shardBytes: (key, options) =>
      inBucket(async () => {
        const facts = await store.head(bucket, key, options);
        if (!facts) await demandBucket(options);
        return facts?.bytes;
      }),

    writeManifest: (key, body, options) =>
      inBucket(async () => {
        await store.writeBytes(bucket, key, body, { ...options, ifNoneMatch: true, contentType: 'application/jsonl' });
      }),

    readManifest: (key, options) => whereThere(() => store.readBytes(bucket, key, { ...options, limitBytes: MAX_MANIFEST_BYTES })),

    list: (prefix, options) =>
      inBucket(async () => {
        const page = await store.list(bucket, prefix, options);
        return { keys: page.entries.map((entry) => entry.key), next: page.next };
      }),

    remove: (key, options) => store.remove(bucket, key, options),
    removeIf: conditionalRemoval(),
  };

  /** Undefined where the store cannot compare. */
  function conditionalRemoval(): RackStore['removeIf'] {
    const removeIfMatch = store.removeIfMatch?.bind(store);
    if (!removeIfMatch) return undefined;
    return async (key, content, options = {}) => {
      // One byte more tells a longer one.
      const into = Buffer.alloc(content.length + 1);
      const found = await whereThere(() => store.readInto(bucket, key, into, options));
      if (!found) return 'gone';
      if (found.totalBytes !== content.length || !into.subarray(0, found.bytes).equals(content)) return 'changed';
      try {
        await removeIfMatch(bucket, key, found.etag, options);
      } catch (error) {
        if (isType(error, 'Conflict')) return 'changed';
        if (!isType(error, 'PolicyRefused')) throw error;
        await store.remove(bucket, key, options);
      }
      return 'gone';
    };
  }

  /** Undefined where there is no such key. */
  async function whereThere<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await inBucket(work);
    } catch (error) {
      if (!isType(error, 'NotFound')) throw error;
      return undefined;
    }
  }

  /** A bucket that is gone is a rack that is gone, and says nothing about the key: StoreUnavailable. */
  async function inBucket<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isType(error, 'NotFound') || !(error instanceof Error) || s3ErrorCode(error.cause) !== 'NoSuchBucket') throw error;
      throw new PenstockError('StoreUnavailable', `the bucket ${bucket} is not there.`, { store: id, cause: error });
    }
  }

  /** A listing, for unlike HEAD it tells a missing bucket from a missing key. */
  async function demandBucket(options: RackOptions | undefined): Promise<void> {
    await store.list(bucket, 'ec/v1/', { ...options, limit: 1 });
  }
}
