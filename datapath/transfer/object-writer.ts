/** Writing one object: one PUT, or an upload in parts that several workers may share. Either way the store compares what arrived with what was read before it publishes. */
import type { CopySource, ObjectStore, Upload, UploadedPart } from '../../drivers/object-store/port.ts';
import { isType } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { crc32cOf } from './crc32c.ts';
import { type CreateOptions, type EntryReader, type EntryWriter, ONE_REQUEST_BYTES, type PartReceipt } from './endpoint.ts';
import { copiedWhole, MAX_COPY_BYTES } from './object-copy.ts';
import { type ObjectPlace, WEAK_ETAG } from './object-endpoint.ts';
import { metadataOf } from './object-metadata.ts';
import { publish, type Target, writeOptions } from './object-publish.ts';
import { isObjectReader } from './object-reader.ts';

/** A copied part costs a request and no memory: 5 TiB are then 5,120. */
const COPIED_PART_BYTES = 2 ** 30;

export async function createObject(place: ObjectPlace, entry: ManifestEntry, options: CreateOptions): Promise<EntryWriter> {
  const target: Target = { place, key: `${place.base}${entry.path}`, entry, options };
  const partBytes = place.store.partBytesFor(entry.bytes); // also refuses what is too large
  const source = options.source && copySourceFor(place, options.source);
  if (source) return entry.bytes <= MAX_COPY_BYTES ? copiedWhole(target, source) : inParts(target, COPIED_PART_BYTES, source);
  return entry.bytes <= ONE_REQUEST_BYTES ? inOneRequest(target) : inParts(target, partBytes);
}

function inOneRequest(target: Target): EntryWriter {
  const { place, key } = target;
  let body: { readonly buffer: Buffer; readonly crc32c: string } | undefined;
  let sent: ManifestEntry | undefined;
  return {
    partBytes: ONE_REQUEST_BYTES,
    keepsHoles: false,
    session: '',
    async writePart(number, content, signal) {
      if ('buffer' in content) {
        body = content;
        return { number, bytes: content.buffer.length, crc32c: content.crc32c };
      }
      let crc32c: string | undefined;
      const known = async (): Promise<string> => {
        crc32c = await content.crc32c?.();
        return crc32c ?? '';
      };
      const write = place.store.writeBytes(place.bucket, key, { ...content, crc32c: known }, writeOptions(target, undefined, signal));
      sent = await publish(target, write, () => ({ crc32c }));
      return { number, bytes: content.bytes, crc32c: sent.crc32c };
    },
    async seal(_receipts, _crc32c, signal) {
      if (sent) return { published: Promise.resolve(sent) };
      const { buffer, crc32c } = body ?? EMPTY;
      const write = place.store.writeBytes(place.bucket, key, buffer, { ...writeOptions(target, crc32c, signal), crc32c });
      return { published: Promise.resolve(await publish(target, write, () => ({ crc32c }))) };
    },
    close: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}

const EMPTY = { buffer: Buffer.alloc(0), crc32c: crc32cOf(Buffer.alloc(0)) };

async function inParts(target: Target, partBytes: number, source?: CopySource): Promise<EntryWriter> {
  const { place, key, entry, options } = target;
  const { store, bucket } = place;
  const upload: Upload = options.session
    ? { bucket, key, uploadId: options.session }
    : await store.beginUpload(bucket, key, { ...uploadOptions(target), ...(source ? { isCopied: true } : {}) });
  return {
    partBytes,
    keepsHoles: false,
    session: upload.uploadId,
    async writePart(number, content, signal) {
      const isBuffer = 'buffer' in content;
      const sent = store.writePart(upload, number + 1, isBuffer ? content.buffer : content, {
        ...(isBuffer ? { crc32c: content.crc32c } : {}),
        ...(signal ? { signal } : {}),
      });
      return toReceipt(await sent.catch(orEnded(store, upload, signal)));
    },
    ...(source && {
      copyPart: async (number: number, bytes: number, signal?: AbortSignal) =>
        toReceipt(await store.copyPart(upload, number + 1, { ...source, start: number * partBytes, bytes }, signal ? { signal } : {})),
    }),
    async seal(receipts, crc32c, signal) {
      const write = store.completeUpload(upload, receipts.map(toPart), {
        bytes: entry.bytes,
        ifNoneMatch: !options.replace,
        ...(crc32c === undefined ? {} : { crc32c }),
        ...(options.retention ? { retention: options.retention } : {}),
        ...(signal ? { signal } : {}),
      });
      return { published: Promise.resolve(await publish(target, write, () => ({ crc32c }))) };
    },
    close: () => Promise.resolve(),
    abandon: () => store.abandonUpload(upload),
  };
}

/** A store that refuses a part at its first bytes hangs up before its reason can be read: ask whether the upload is still there. */
const orEnded =
  (store: ObjectStore, upload: Upload, signal: AbortSignal | undefined) =>
  async (error: unknown): Promise<never> => {
    if (isType(error, 'StoreUnavailable')) await store.listParts(upload, signal ? { signal } : {});
    throw error;
  };

function copySourceFor({ store }: ObjectPlace, source: EntryReader): CopySource | undefined {
  if (!isObjectReader(source) || source.place.store.service !== store.service) return undefined;
  // A copy by the store is held to a version by its etag alone.
  if (WEAK_ETAG.test(source.entry.etag)) return undefined;
  return { bucket: source.place.bucket, key: source.key, etag: source.entry.etag, totalBytes: source.entry.bytes };
}

const uploadOptions = ({ entry, options }: Target) => ({
  ...options.attributes?.servedAs,
  metadata: metadataOf(entry, entry.crc32c, options.attributes),
  ...(options.retention ? { retention: options.retention } : {}),
  ...(options.signal ? { signal: options.signal } : {}),
});

const toReceipt = (part: UploadedPart): PartReceipt => ({ number: part.number - 1, bytes: part.bytes, crc32c: part.crc32c, etag: part.etag });
const toPart = (receipt: PartReceipt): UploadedPart => ({
  number: receipt.number + 1,
  bytes: receipt.bytes,
  etag: receipt.etag ?? '',
  crc32c: receipt.crc32c,
});
