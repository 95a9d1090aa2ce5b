/** An object store in memory for logs: keeps user metadata, writes down what is read, and dies when it is told to. */
import { buffer } from 'node:stream/consumers';
import type { CloseLogMetadataOptions } from '../../datapath/logs/close-log-metadata.ts';
import type { LogPlace } from '../../datapath/logs/log-place.ts';
import type { WriteOptions } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { memoryObjects } from './audit-log.ts';

export class Killed extends Error {}

export interface MemoryLogs {
  readonly place: LogPlace & Pick<CloseLogMetadataOptions, 'store'>;
  /** By key. */
  readonly objects: Map<string, Buffer>;
  /** Names of the objects whose content was read, relative to the place. */
  readonly read: string[];
  /** The next write fails with {@link Killed}, before or after it took effect. */
  killNext(when: 'before' | 'after' | 'never'): void;
}

const BUCKET = 'acme';
const PREFIX = 'vision/a1/logs/';

export function memoryLogs(): MemoryLogs {
  const { objects, store } = memoryObjects('warm');
  const metadata = new Map<string, Readonly<Record<string, string>>>();
  const read: string[] = [];
  let kill: 'before' | 'after' | 'never' = 'never';
  /** Of each object the number of its last write. */
  const versions = new Map<string, number>();
  const put = async (bucket: string, key: string, body: Buffer, options: WriteOptions = {}) => {
    const version = versions.get(key);
    if (options.ifMatch !== undefined && options.ifMatch !== `v${version}`) throw new PenstockError('Conflict', `${key} is another version.`);
    const written = await store.writeBytes(bucket, key, body, options);
    versions.set(key, (version ?? 0) + 1);
    metadata.set(key, options.metadata ?? {});
    return written;
  };
  return {
    objects,
    read,
    killNext: (when) => {
      kill = when;
    },
    place: {
      bucket: BUCKET,
      prefix: PREFIX,
      store: {
        ...store,
        head: async (bucket, key) => {
          const facts = await store.head(bucket, key);
          return facts && { ...facts, etag: `v${versions.get(key)}`, metadata: metadata.get(key) ?? {} };
        },
        readBytes: (bucket, key, options) => {
          read.push(key.slice(PREFIX.length));
          return store.readBytes(bucket, key, options);
        },
        writeBytes: async (bucket, key, body, options) => {
          const when = kill;
          kill = 'never';
          if (when === 'before') throw new Killed();
          if (!Buffer.isBuffer(body)) throw new TypeError('only buffers');
          const written = await put(bucket, key, body, options);
          if (when === 'after') throw new Killed();
          return written;
        },
        writeStream: async (bucket, key, body, options) => put(bucket, key, await buffer(body), options),
        listPrefixes: async (_bucket, prefix) => {
          const below = [...objects.keys()].map((path) => path.slice(BUCKET.length + 1)).filter((key) => key.startsWith(prefix));
          return [...new Set(below.map((key) => key.slice(0, key.indexOf('/', prefix.length) + 1)))].sort();
        },
      },
    },
  };
}
