/** Writing one object: one PUT, or an upload in parts that several workers may share. Either way the store compares what arrived with what was read before it publishes. */
import type { CopySource, ObjectFacts, ObjectStore, StoredObject, Upload, UploadedPart, WriteOptions } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { crc32cOf } from './crc32c.ts';
import type { CreateOptions, EntryReader, EntryWriter, PartReceipt } from './endpoint.ts';
import { etagOf, factsToEntry, holdAtLeast, type ObjectPlace, WEAK_ETAG } from './object-endpoint.ts';
import { metadataOf } from './object-metadata.ts';
import { isObjectReader, openObject } from './object-reader.ts';
import { readChecksum, readCrc32c } from './read-crc32c.ts';
import { SourceFailure } from './source-failure.ts';

/** S3's own limit for copying an object in one request. */
const MAX_COPY_BYTES = 5 * 2 ** 30;
/** So much goes in one request, in blocks: a store that joins parts writes their content twice, and a failed request of this size is soon repeated. */
const ONE_REQUEST_BYTES = 64 * 2 ** 20;
/** A copied part costs a request and no memory: 5 TiB are then 5,120. */
const COPIED_PART_BYTES = 2 ** 30;

interface Target {
  readonly place: ObjectPlace;
  readonly key: string;
  readonly entry: ManifestEntry;
  readonly options: CreateOptions;
}

export async function createObject(place: ObjectPlace, entry: ManifestEntry, options: CreateOptions): Promise<EntryWriter> {
  const target: Target = { place, key: `${place.base}${entry.path}`, entry, options };
  const partBytes = place.store.partBytesFor(entry.bytes); // also refuses what is too large
  const source = options.source && copySourceFor(place, options.source);
  if (source) return entry.bytes <= MAX_COPY_BYTES ? copiedWhole(target, source) : inParts(target, COPIED_PART_BYTES, source);
  return entry.bytes <= ONE_REQUEST_BYTES ? inOneRequest(target) : inParts(target, partBytes);
}

function copiedWhole(target: Target, source: CopySource): EntryWriter {
  const { place, key, entry } = target;
  return {
    partBytes: MAX_COPY_BYTES,
    keepsHoles: false,
    session: '',
    writePart: () => Promise.reject(new TypeError('this object is copied by its store')),
    copyPart: (number, bytes) => Promise.resolve({ number, bytes, crc32c: entry.crc32c }),
    comparesCopy: true,
    async seal(_receipts, crc32c, signal) {
      const write = place.store.copyObject(source, place.bucket, key, writeOptions(target, undefined, signal));
      const wanted = async (written?: StoredObject) => crc32c ?? (isSameContent(written, source) ? undefined : await target.options.source?.recordedCrc32c());
      return { published: settled(await publish(target, write, wanted)) };
    },
    close: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}

/** An etag that is a checksum of the content: an MD5 where it came in one request and is not encrypted, a CRC32C of versitygw's with --data-integrity-etag. */
const CHECKSUM_ETAG = /^"?(?:[0-9a-f]{32}|CRC32C-[A-Za-z0-9+/]{6}==)"?$/;
/** What was written has the listed checksum: the source need not be asked for its own. */
const isSameContent = (written: StoredObject | undefined, { etag }: CopySource): boolean => CHECKSUM_ETAG.test(etag) && written?.etag === etag;

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
      sent = await publish(target, write, () => crc32c);
      return { number, bytes: content.bytes, crc32c: sent.crc32c };
    },
    async seal(_receipts, _crc32c, signal) {
      if (sent) return { published: settled(sent) };
      const { buffer, crc32c } = body ?? EMPTY;
      const write = place.store.writeBytes(place.bucket, key, buffer, { ...writeOptions(target, crc32c, signal), crc32c });
      return { published: settled(await publish(target, write, () => crc32c)) };
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
      return { published: settled(await publish(target, write, () => crc32c)) };
    },
    close: () => Promise.resolve(),
    abandon: () => store.abandonUpload(upload),
  };
}

/** A store that refuses a part at its first bytes hangs up before its reason can be read: ask whether the upload is still there. */
const orEnded =
  (store: ObjectStore, upload: Upload, signal: AbortSignal | undefined) =>
  async (error: unknown): Promise<never> => {
    if (error instanceof PenstockError && error.type === 'StoreUnavailable') await store.listParts(upload, signal ? { signal } : {});
    throw error;
  };

/**
 * The store's answer as an entry; a taken name is looked into, for it may be this very content.
 * @param crc32c of what was to be written, given what was; undefined where that needs no comparing
 */
async function publish(
  target: Target,
  write: Promise<StoredObject>,
  crc32c: (written?: StoredObject) => string | undefined | Promise<string | undefined>,
): Promise<ManifestEntry> {
  const { place, key, entry, options } = target;
  try {
    const written = await write;
    const [known, wanted] = [written.crc32c, await crc32c(written)];
    if (known !== undefined && wanted !== undefined && known !== wanted) {
      // Only a copy by the store is compared behind its publication: it must not stay under the name.
      await place.store.remove(place.bucket, key, written.versionId ? { versionId: written.versionId } : {}).catch(() => undefined);
      throw new SourceFailure(
        new PenstockError('ChecksumMismatch', `${JSON.stringify(entry.path)} was copied with CRC32C ${known} where ${wanted} is on record.`, {
          store: place.store.name,
        }),
      );
    }
    const link = options.attributes?.linkTarget;
    return {
      path: entry.path,
      bytes: written.bytes,
      modifiedAt: entry.modifiedAt,
      etag: written.etag,
      ...(known === undefined ? {} : { crc32c: known }),
      ...(link === undefined ? {} : { linkTarget: link }),
    };
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    const conflict = mayBeOurs(error) ? error : await refusedUnheard(target, error);
    // A request refused at its first bytes may be the repeat of one that succeeded: what it was to carry is read for its checksum then.
    const wanted = (await crc32c()) ?? entry.crc32c ?? (options.source && (await readChecksum(options.source, { signal: options.signal })));
    const existing = await sameOrThrow(place, key, { bytes: entry.bytes, crc32c: wanted }, conflict, options.signal);
    if (options.retention) await holdAtLeast(place.store, place.bucket, key, options.retention, options.signal);
    return { ...factsToEntry(place.base, existing), modifiedAt: entry.modifiedAt, ...(wanted === undefined ? {} : { crc32c: wanted }) };
  }
}

/**
 * A store that refuses at the first bytes hangs up while the rest is sent, and its reason is lost: where the name was to be free and is taken, that was it.
 * @throws the error, where it is not
 */
async function refusedUnheard({ place, key, options }: Target, error: PenstockError): Promise<PenstockError> {
  if (error.type !== 'StoreUnavailable' || options.replace) throw error;
  const held = await place.store.head(place.bucket, key, { signal: options.signal });
  if (!held) throw error;
  return new PenstockError('Conflict', `s3://${place.bucket}/${key} exists with other content.`, { store: place.store.name, cause: error });
}

/** The name is taken, or the upload has ended: by this very request, where its answer was lost on the way. */
const mayBeOurs = (error: PenstockError): boolean => error.type === 'Conflict' || error.type === 'SessionLost';

/** The key is taken: by an earlier attempt's equal content, which is success, or by something else. */
async function sameOrThrow(
  place: ObjectPlace,
  key: string,
  wanted: { readonly bytes: number; readonly crc32c: string | undefined },
  conflict: PenstockError,
  signal: AbortSignal | undefined,
): Promise<ObjectFacts> {
  const facts = await place.store.head(place.bucket, key, { signal });
  if (!facts || facts.bytes !== wanted.bytes || wanted.crc32c === undefined) throw conflict;
  const crc32c = facts.crc32c ?? (await crc32cOfObject(place.store, place.bucket, facts, signal));
  if (crc32c !== wanted.crc32c) throw conflict;
  return facts;
}

async function crc32cOfObject(store: ObjectStore, bucket: string, facts: ObjectFacts, signal: AbortSignal | undefined): Promise<string> {
  const { key: path, bytes, modifiedAt } = facts;
  return readCrc32c(await openObject({ store, bucket, base: '' }, { path, bytes, modifiedAt, etag: etagOf(facts) }, signal), { signal });
}

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

const writeOptions = ({ entry, options }: Target, crc32c: string | undefined, signal: AbortSignal | undefined): WriteOptions => ({
  ifNoneMatch: !options.replace,
  ...options.attributes?.servedAs,
  metadata: metadataOf(entry, crc32c ?? entry.crc32c, options.attributes),
  ...(options.retention ? { retention: options.retention } : {}),
  ...(signal ? { signal } : {}),
});

const toReceipt = (part: UploadedPart): PartReceipt => ({ number: part.number - 1, bytes: part.bytes, crc32c: part.crc32c, etag: part.etag });
const toPart = (receipt: PartReceipt): UploadedPart => ({
  number: receipt.number + 1,
  bytes: receipt.bytes,
  etag: receipt.etag ?? '',
  crc32c: receipt.crc32c,
});

const settled = <T>(value: T): Promise<T> => Promise.resolve(value);
