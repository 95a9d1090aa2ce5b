/** An endpoint in memory, for the engine's decisions: tests replace what is to fail as told. */
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { Endpoint, EntryReader, EntryWriter } from '../../datapath/transfer/endpoint.ts';
import { BLOCK_BYTES } from '../../datapath/transfer/endpoint.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';

export interface MemoryEndpoint extends Endpoint {
  readonly held: Map<string, Buffer>;
}

export function memoryEndpoint(contents: Readonly<Record<string, string | Buffer>> = {}): MemoryEndpoint {
  const held = new Map(Object.entries(contents).map(([path, content]) => [path, Buffer.from(content)]));
  const entryOf = (path: string): ManifestEntry | undefined => {
    const content = held.get(path);
    return content && { path, bytes: content.length, modifiedAt: '2026-01-01T00:00:00.000Z', etag: crc32cOf(content) };
  };
  const current = (entry: ManifestEntry): Buffer => {
    const now = entryOf(entry.path);
    if (!now) throw new PenstockError('NotFound', `${entry.path} is gone`);
    if (now.etag !== entry.etag) throw new PenstockError('SourceChanged', `${entry.path} changed`);
    return held.get(entry.path) ?? Buffer.alloc(0);
  };
  return {
    held,
    label: 'memory',
    store: 'memory',
    list: ({ after = '' } = {}) =>
      Promise.resolve({ entries: [...held.keys()].sort().flatMap((path) => (path > after ? (entryOf(path) ?? []) : [])), next: undefined }),
    cuts: () => Promise.resolve([]),
    stat: (path) => Promise.resolve(entryOf(path)),
    async open(entry): Promise<EntryReader> {
      current(entry);
      return {
        entry,
        spanBytes: BLOCK_BYTES,
        async read(into, offset) {
          current(entry).copy(into, 0, offset);
          return undefined;
        },
        verify: async () => void current(entry),
        recordedCrc32c: () => Promise.resolve(undefined),
        attributes: () => Promise.resolve({}),
        close: () => Promise.resolve(),
      };
    },
    create(entry): Promise<EntryWriter> {
      const content = Buffer.alloc(entry.bytes);
      return Promise.resolve({
        partBytes: BLOCK_BYTES,
        keepsHoles: false,
        session: entry.path,
        writePart(number, part) {
          if (!('buffer' in part)) throw new TypeError('parts of a block only');
          part.buffer.copy(content, number * BLOCK_BYTES);
          return Promise.resolve({ number, bytes: part.buffer.length, crc32c: part.crc32c });
        },
        seal(_receipts, crc32c) {
          held.set(entry.path, content);
          return Promise.resolve({ published: Promise.resolve({ ...entry, ...(crc32c === undefined ? {} : { crc32c }) }) });
        },
        close: () => Promise.resolve(),
        abandon: () => Promise.resolve(),
      });
    },
    remove: (path) => Promise.resolve(void held.delete(path)),
    sweep: () => Promise.resolve(0),
  };
}

/** The same endpoint, but sealing goes through `around`. */
export function aroundSeal(
  endpoint: Endpoint,
  around: (entry: ManifestEntry, seal: () => ReturnType<EntryWriter['seal']>) => ReturnType<EntryWriter['seal']>,
): Endpoint {
  return {
    ...endpoint,
    async create(entry, options) {
      const writer = await endpoint.create(entry, options);
      return { ...writer, seal: (receipts, crc32c, signal) => around(entry, () => writer.seal(receipts, crc32c, signal)) };
    },
  };
}

/** The same endpoint, but reading goes through `around`. */
export function aroundRead(
  endpoint: Endpoint,
  around: (entry: ManifestEntry, read: () => Promise<string | undefined>) => Promise<string | undefined>,
): Endpoint {
  return {
    ...endpoint,
    async open(entry, options) {
      const reader = await endpoint.open(entry, options);
      return { ...reader, read: (into, offset, signal) => around(entry, () => reader.read(into, offset, signal)) };
    },
  };
}
