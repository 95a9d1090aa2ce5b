/** Reading one version of an object: every request carries its etag, so that no two reads can be of different versions. */
import type { ReadAnswer, ReadIntoOptions } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { type EntryAttributes, type EntryReader, SPAN_BYTES } from './endpoint.ts';
import type { ForeignChecksum } from './foreign-checksum.ts';
import { etagOf, type ObjectPlace, WEAK_ETAG } from './object-endpoint.ts';
import { CRC32C_METADATA, objectAttributesOf } from './object-metadata.ts';

export interface ObjectReader extends EntryReader {
  readonly place: ObjectPlace;
  readonly key: string;
}

/** For a target of the same service, which then copies without a byte passing here. */
export const isObjectReader = (reader: EntryReader): reader is ObjectReader => 'place' in reader && 'key' in reader;

/** @param signal ends every question about the object, and reads that are given none of their own */
export async function openObject(place: ObjectPlace, entry: ManifestEntry, signal?: AbortSignal): Promise<ObjectReader> {
  const { store, bucket, base } = place;
  const key = `${base}${entry.path}`;
  // Without an etag of the store's there is nothing a request could carry: compared before and behind the reads instead.
  const isWeak = WEAK_ETAG.test(entry.etag);
  if (isWeak) await assertUnchanged(place, key, entry, signal);
  const known: { crc32c?: string | undefined; foreign?: ForeignChecksum | undefined; attributes?: EntryAttributes; isComplete?: boolean } = {};

  const remember = ({ bytes, totalBytes, crc32c, metadata }: ReadAnswer): void => {
    known.crc32c ??= crc32c ?? metadata[CRC32C_METADATA];
    known.isComplete ||= bytes === totalBytes;
  };
  const ask = async (): Promise<EntryAttributes> => {
    const facts = await store.head(bucket, key, { signal });
    if (!facts || etagOf(facts) !== entry.etag) throw changed(place, key, entry);
    known.crc32c = facts.crc32c ?? facts.metadata[CRC32C_METADATA];
    known.foreign = facts.foreign;
    known.attributes = objectAttributesOf(facts);
    return known.attributes;
  };
  let asked: Promise<EntryAttributes> | undefined;
  const askOnce = (): Promise<EntryAttributes> => {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };

  const optionsAt = (start: number, ofRead: AbortSignal | undefined): ReadIntoOptions => ({
    start,
    totalBytes: entry.bytes,
    ...(isWeak ? {} : { ifMatch: entry.etag }),
    ...(ofRead ? { signal: ofRead } : {}),
  });
  const accepted = (answer: ReadAnswer, wanted: number): string => {
    if (answer.totalBytes !== entry.bytes || answer.bytes !== wanted) throw changed(place, key, entry);
    remember(answer);
    return answer.readCrc32c;
  };
  async function* readBlocks(
    read: NonNullable<typeof store.readBlocks>,
    buffers: readonly Buffer[],
    { offset, bytes }: { readonly offset: number; readonly bytes: number },
    ofRead = signal,
  ): AsyncGenerator<Buffer, string> {
    return accepted(yield* read(bucket, key, buffers, { ...optionsAt(offset, ofRead), bytes }), bytes);
  }
  const { readBlocks: ofStore } = store;

  return {
    entry,
    spanBytes: SPAN_BYTES,
    place,
    key,
    async read(into, offset, ofRead = signal) {
      return accepted(await store.readInto(bucket, key, into, optionsAt(offset, ofRead)), into.length);
    },
    // Without an etag each block would have to be verified before it is written.
    ...(ofStore && !isWeak && { readBlocks: (buffers, range, ofRead) => readBlocks(ofStore, buffers, range, ofRead) }),
    verify: () => (isWeak ? assertUnchanged(place, key, entry, signal) : Promise.resolve()),
    async recordedCrc32c() {
      // The answer to a range need not tell the checksum of the whole.
      if (known.crc32c === undefined && !known.isComplete) await askOnce();
      return known.crc32c;
    },
    async recordedForeign() {
      if (known.isComplete || known.crc32c !== undefined || entry.crc32c !== undefined) return undefined;
      await askOnce();
      return known.crc32c === undefined ? known.foreign : undefined;
    },
    attributes: askOnce,
    close: () => Promise.resolve(),
  };
}

async function assertUnchanged({ store, bucket }: ObjectPlace, key: string, entry: ManifestEntry, signal: AbortSignal | undefined): Promise<void> {
  const facts = await store.head(bucket, key, { signal });
  if (!facts) throw new PenstockError('NotFound', `s3://${bucket}/${key} is gone.`, { store: store.name });
  if (etagOf(facts) !== entry.etag || facts.bytes !== entry.bytes) throw changed({ store, bucket, base: '' }, key, entry);
}

const changed = ({ store, bucket }: ObjectPlace, key: string, entry: ManifestEntry): PenstockError =>
  new PenstockError('SourceChanged', `s3://${bucket}/${key} is no longer the version ${entry.etag} of ${entry.bytes} bytes.`, { store: store.name });
