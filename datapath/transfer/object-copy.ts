/** An object that its own service copies whole: not a byte passes here, so what the store says it wrote is held to what it had on record. */
import type { CopySource, StoredObject } from '../../drivers/object-store/port.ts';
import type { EntryWriter } from './endpoint.ts';
import { ofSource } from './move-parts.ts';
import { publish, removeCopy, type Target, type Witness, writeOptions } from './object-publish.ts';
import { readChecksum } from './read-crc32c.ts';

/** S3's own limit for copying an object in one request. */
export const MAX_COPY_BYTES = 5 * 2 ** 30;

export function copiedWhole(target: Target, source: CopySource): EntryWriter {
  const { place, key, entry } = target;
  return {
    partBytes: MAX_COPY_BYTES,
    keepsHoles: false,
    session: '',
    writePart: () => Promise.reject(new TypeError('this object is copied by its store')),
    copyPart: (number, bytes) => Promise.resolve({ number, bytes, crc32c: entry.crc32c }),
    comparesCopy: true,
    async seal(_receipts, crc32c, signal) {
      const asked = await askedBefore(target, source, crc32c, signal);
      const write = place.store.copyObject(source, place.bucket, key, {
        ...writeOptions(target, undefined, signal),
        ...(asked.foreign ? { algorithm: asked.foreign.algorithm } : {}),
      });
      const witness = async (written?: StoredObject): Promise<Witness> => {
        if (asked.crc32c !== undefined || isSameContent(written, source)) return asked;
        try {
          const known = asked.foreign ? asked : await onRecord(target, signal);
          const isTold = !written || !known.foreign || written.foreign?.algorithm === known.foreign.algorithm;
          return isTold ? known : await proven(target, signal);
        } catch (error) {
          if (written) await removeCopy(target, written);
          throw error;
        }
      };
      return { published: Promise.resolve(await publish(target, write, witness)) };
    },
    close: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}

/** An etag that is a checksum of the content: an MD5 where it came in one request and is not encrypted, a CRC32C of versitygw's with --data-integrity-etag. */
const CHECKSUM_ETAG = /^"?(?:[0-9a-f]{32}|CRC32C-[A-Za-z0-9+/]{6}==)"?$/;
/** What was written has the listed checksum: the source need not be asked for its own. */
const isSameContent = (written: StoredObject | undefined, { etag }: CopySource): boolean => CHECKSUM_ETAG.test(etag) && written?.etag === etag;

/** What the etag cannot tell: by it is chosen which checksum the store is asked for. Where a rotten copy could not be taken back, the source is proven before. */
async function askedBefore(target: Target, source: CopySource, crc32c: string | undefined, signal: AbortSignal | undefined): Promise<Witness> {
  if (crc32c !== undefined) return { crc32c };
  if (CHECKSUM_ETAG.test(source.etag)) return {};
  const known = await onRecord(target, signal);
  return known.foreign && (await isForGood(target, signal)) ? await proven(target, signal) : known;
}

/** Under a lock it could not be removed, and what it replaced would be lost. */
async function isForGood({ place, key, options }: Target, signal: AbortSignal | undefined): Promise<boolean> {
  return options.retention !== undefined || (options.replace === true && (await place.store.head(place.bucket, key, { signal })) !== undefined);
}

async function onRecord({ options: { source } }: Target, signal: AbortSignal | undefined): Promise<Witness> {
  if (!source) return {};
  return await ofSource(signal, async () => {
    const crc32c = await source.recordedCrc32c();
    return crc32c === undefined ? { foreign: await source.recordedForeign?.() } : { crc32c };
  });
}

/** All of the source is read and held to its record. */
async function proven({ options: { source } }: Target, signal: AbortSignal | undefined): Promise<Witness> {
  return source ? { crc32c: await ofSource(signal, () => readChecksum(source, { signal })) } : {};
}
