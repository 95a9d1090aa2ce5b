/** What a catalog names as one end of a transfer: an entry in a pack is read by its range alone, any other as the object it is. */
import type { ManifestEntry } from '../../model/manifest.ts';
import type { Endpoint, EntryReader } from '../transfer/endpoint.ts';
import { createObjectEndpoint, type ObjectPlace } from '../transfer/object-endpoint.ts';
import { openObject } from '../transfer/object-reader.ts';

/** The object that holds the entry's content, below the data set's root. */
export const holderOf = ({ path, packed }: ManifestEntry): string => packed?.key ?? path;

/** @param entries those that will be asked for */
export function createArchivedEndpoint(place: ObjectPlace, entries: readonly ManifestEntry[]): Endpoint {
  const objects = createObjectEndpoint(place.store, place.bucket, place.base);
  const packed = new Map(entries.flatMap((entry) => (entry.packed ? [[entry.path, entry] as const] : [])));
  return {
    ...objects,
    stat: async (path, signal) => packed.get(path) ?? (await objects.stat(path, signal)),
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
