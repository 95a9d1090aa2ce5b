/** What a catalog names as one end of a transfer: an entry in a pack is read by its range alone, any other as the object it is. */
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { Endpoint, EntryReader } from '../transfer/endpoint.ts';
import { createObjectEndpoint, type ObjectPlace } from '../transfer/object-endpoint.ts';
import { openObject } from '../transfer/object-reader.ts';

/** The object that holds the entry's content, below the data set's root. */
export const holderOf = ({ path, packed }: ManifestEntry): string => packed?.key ?? path;

/** Packs, catalog and record: none of them is a file of the output. */
const isRecord = (path: string): boolean => path.startsWith('.penstock/');

/**
 * An entry whose pack is there, in the version that was written, is there as the catalog has it: the store held the pack to its CRC32C. One whose pack is not there may be an
 * object, as in what was recalled. @param entries those that will be asked for
 */
export function createArchivedEndpoint(place: ObjectPlace, entries: readonly ManifestEntry[]): Endpoint {
  const objects = createObjectEndpoint(place.store, place.bucket, place.base);
  const packed = new Map(entries.flatMap((entry) => (entry.packed ? [[entry.path, entry] as const] : [])));
  /** Each is asked for once, and shared by its members. */
  const packs = new Map<string, Promise<ManifestEntry | undefined>>();
  const statPack = (key: string, signal?: AbortSignal): Promise<ManifestEntry | undefined> => {
    const asked = packs.get(key) ?? objects.stat(key, signal);
    packs.set(key, asked);
    asked.catch(() => packs.delete(key));
    return asked;
  };
  return {
    ...objects,
    async list(options) {
      const page = await objects.list(options);
      return { ...page, entries: page.entries.filter(({ path }) => !isRecord(path)) };
    },
    async stat(path, signal) {
      const entry = packed.get(path);
      const pack = entry?.packed && (await statPack(entry.packed.key, signal));
      if (!entry?.packed || !pack) return await objects.stat(path, signal);
      if (pack.etag === entry.etag && pack.bytes === entry.packed.bytes) return entry;
      const found = `${pack.bytes} bytes of version ${pack.etag} instead of ${entry.packed.bytes} of ${entry.etag}`;
      throw new PenstockError('CorruptSource', `its pack ${entry.packed.key} is another one: ${found}.`, { store: objects.store });
    },
    open: (entry, options) => (entry.packed ? openMember(place, entry, entry.packed, options?.signal) : objects.open(entry, options)),
  };
}

/** Of exactly that version of the pack. */
async function openMember(
  place: ObjectPlace,
  entry: ManifestEntry,
  { key, offset: start, bytes, mode }: NonNullable<ManifestEntry['packed']>,
  signal: AbortSignal | undefined,
): Promise<EntryReader> {
  const pack = await openObject(place, { path: key, bytes, etag: entry.etag, modifiedAt: entry.modifiedAt }, signal);
  const { readBlocks } = pack;
  return {
    entry,
    spanBytes: pack.spanBytes,
    read: (into, offset, ofRead) => pack.read(into, start + offset, ofRead),
    ...(readBlocks && {
      readBlocks: (buffers, range, ofRead) => readBlocks(buffers, { offset: start + range.offset, bytes: range.bytes }, ofRead),
    }),
    verify: () => pack.verify(),
    // Of the member: what the store has on record is the pack's.
    recordedCrc32c: () => Promise.resolve(entry.crc32c),
    attributes: () => Promise.resolve({ modifiedAt: entry.modifiedAt, ...(mode === undefined ? {} : { mode }) }),
    close: () => pack.close(),
  };
}
