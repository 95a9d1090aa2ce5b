/**
 * A rack as a bucket of an object store. What is durable is the store's to say: versitygw's POSIX backend answers before anything is synced, so
 * the embedded site may lose with the power what it has acknowledged; real racks lose power one by one, and the code stands for four.
 */
import { PenstockError } from '../../model/errors.ts';
import type { ObjectStore } from '../object-store/port.ts';
import { MAX_MANIFEST_BYTES, type RackStore } from './port.ts';

export interface ObjectRackConfig {
  readonly id: string;
  readonly room: string;
  readonly bucket: string;
  readonly store: ObjectStore;
  /** S3 has no call for free space; a site that knows it another way says so here. */
  readonly freeBytes?: () => Promise<number | undefined>;
}

export function createObjectRack({ id, room, bucket, store, freeBytes }: ObjectRackConfig): RackStore {
  return {
    id,
    room,

    async freeBytes(options) {
      // A listing, for unlike HEAD it tells a missing bucket from a missing key.
      await store.list(bucket, 'ec/v1/', { ...options, limit: 1 });
      return freeBytes?.();
    },

    async writeShard(key, content, { bytes, signal }) {
      try {
        await store.writeStream(bucket, key, content, { ifNoneMatch: true, expected: { bytes }, ...(signal ? { signal } : {}) });
      } catch (error) {
        content.destroy();
        if (!isType(error, 'Conflict')) throw error;
        const existing = await store.head(bucket, key);
        if (existing?.bytes !== bytes) throw error;
      }
    },

    readShard: (key, options) => store.read(bucket, key, options),

    async shardBytes(key) {
      return (await store.head(bucket, key))?.bytes;
    },

    async writeManifest(key, body, options) {
      await store.writeBytes(bucket, key, body, { ...options, ifNoneMatch: true, contentType: 'application/jsonl' });
    },

    async readManifest(key, options) {
      try {
        return await store.readBytes(bucket, key, { ...options, limitBytes: MAX_MANIFEST_BYTES });
      } catch (error) {
        if (isType(error, 'NotFound')) return undefined;
        throw error;
      }
    },

    async list(prefix, options) {
      const page = await store.list(bucket, prefix, options);
      return { keys: page.entries.map((entry) => entry.key), next: page.next };
    },

    remove: (key) => store.remove(bucket, key),
  };
}

function isType(error: unknown, type: PenstockError['type']): boolean {
  return error instanceof PenstockError && error.type === type;
}
