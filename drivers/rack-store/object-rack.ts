/**
 * A rack as a bucket of an object store. What is durable is the store's to say: versitygw's POSIX backend answers before anything is synced
 * (docs/formats/erasure.md does not rely on it: 18 racks do not lose power at once, but in the embedded site they may).
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
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

/** Sent in one request with its checksum; 18 of them side by side hold 72 MiB at most. */
const SINGLE_REQUEST_BYTES = 4 * 1_048_576;

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
      const options = { ifNoneMatch: true, ...(signal ? { signal } : {}) };
      try {
        const exact = Readable.from(exactly(content, bytes, id), { objectMode: false });
        if (bytes <= SINGLE_REQUEST_BYTES) await store.writeBytes(bucket, key, await buffer(exact), options);
        else await store.writeStream(bucket, key, exact, options);
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

/** Fails at the end where the length differs, so that the store publishes nothing. */
async function* exactly(content: Readable, bytes: number, rack: string): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    seen += chunk.length;
    yield chunk;
  }
  if (seen !== bytes) throw new PenstockError('IoError', `${seen} of ${bytes} bytes came.`, { store: rack });
}

function isType(error: unknown, type: PenstockError['type']): boolean {
  return error instanceof PenstockError && error.type === type;
}
