/** The warm store's records in memory: what activities put on record is read and listed again. */
import assert from 'node:assert/strict';
import type { Stores } from '../../../drivers/open-site.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { PenstockError } from '../../../model/errors.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';

export interface RecordsInMemory {
  /** By key. */
  readonly objects: Map<string, Buffer>;
  readonly stores: Stores;
  /** Without the prefix, in order. */
  names(prefix: string): string[];
}

export async function recordsInMemory(): Promise<RecordsInMemory> {
  const objects = new Map<string, Buffer>();
  const keysUnder = (prefix: string) => [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  const { stores: silent } = recordingStores(await loadSiteFile(siteFile));
  const warm: Stores['warm'] = {
    ...silent.warm,
    readBytes: async (_bucket, key) => objects.get(key) ?? Promise.reject(new PenstockError('NotFound', key)),
    writeBytes: async (bucket, key, body, options) => {
      assert.ok(Buffer.isBuffer(body));
      if (options?.ifNoneMatch && objects.has(key)) throw new PenstockError('Conflict', `${key} exists.`);
      objects.set(key, body);
      return await silent.warm.writeBytes(bucket, key, body, options);
    },
    remove: async (_bucket, key) => void objects.delete(key),
    list: async (_bucket, prefix) => ({ next: undefined, entries: keysUnder(prefix).map((key) => ({ key, bytes: 0, etag: '', modifiedAt: '' })) }),
  };
  return { objects, stores: { ...silent, warm }, names: (prefix) => keysUnder(prefix).map((key) => key.slice(prefix.length)) };
}
