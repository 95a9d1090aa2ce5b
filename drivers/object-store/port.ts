/**
 * An object store: buckets, keys, whole objects. Small on purpose; a bulk transfer is the data path's business and uses
 * the same port. Every method may be repeated. Errors are PenstockErrors naming the store: StoreThrottled and StoreUnavailable may be
 * retried, NotFound, Denied and Conflict are fatal for this input, ChecksumMismatch means the bytes that came are not those stored.
 */
import type { Readable } from 'node:stream';
import type { ForeignAlgorithm, ForeignChecksum } from '../../datapath/transfer/foreign-checksum.ts';
import type { ArchiveClass } from '../../model/archive.ts';
import type { LockEvidence } from './lock-evidence.ts';

export interface ObjectStore {
  readonly name: string;
  /** Equal for two stores that are one service with the same rights: between them objects are copied without a byte passing here. */
  readonly service: string;

  /** The bucket exists afterwards. `objectLock` must be asked for at creation; Conflict where it exists without. */
  ensureBucket(bucket: string, options?: { objectLock?: boolean }): Promise<void>;

  /** One page in key order, at most 1,000 entries. `after` starts behind that key. */
  list(bucket: string, prefix: string, options?: ListOptions): Promise<ListPage>;

  /** The names directly below a prefix that have keys below them, each with its final `/`, in order; at most 1,000: where a listing may be cut. */
  listPrefixes(bucket: string, prefix: string, options?: { signal?: AbortSignal }): Promise<readonly string[]>;

  /** Undefined where there is no such object. */
  head(bucket: string, key: string, options?: { signal?: AbortSignal | undefined }): Promise<ObjectFacts | undefined>;

  /**
   * Streams an object or a byte range (both ends inclusive); end or destroy the stream, it holds a connection. NotFound where absent. `ifMatch`: SourceChanged where
   * the etag differs. The stream fails with StoreUnavailable where it is cut short, and, read whole, with ChecksumMismatch where the store's
   * own CRC32C denies its content: some stores serve rotten bytes with a 200.
   */
  read(bucket: string, key: string, options?: ReadOptions): Promise<Readable>;
  /**
   * Fills `into` from byte `start` of the object (default 0) in one request; the bulk path. Answers how many bytes the object had for it: fewer than `into`
   * holds only where the object ends there. `ifMatch`: SourceChanged where the etag differs. StoreUnavailable where the answer is cut short; where the
   * whole object was read and the store keeps a checksum of it, ChecksumMismatch where that denies it.
   */
  readInto(bucket: string, key: string, into: Buffer, options?: ReadIntoOptions): Promise<ReadAnswer>;
  /**
   * The same of a range too long for a buffer, in one request: as blocks, in order, each a buffer's length but the last. A block is free again when the next one is asked
   * for; meanwhile another is filled. Ended early, it settles when nothing is received into the buffers any more. @param buffers equal ones, from 16 KiB
   */
  readBlocks?(bucket: string, key: string, buffers: readonly Buffer[], options: ReadBlocksOptions): AsyncGenerator<Buffer, ReadAnswer>;
  /** A whole small object in memory. `limitBytes` guards against a surprise; default 16 MiB. */
  readBytes(bucket: string, key: string, options?: ReadOptions & { limitBytes?: number }): Promise<Buffer>;

  /**
   * Under its name only when whole. The store verifies the CRC32C sent along. `ifNoneMatch`: Conflict where the key exists, which may be this
   * caller's own write whose answer was lost: compare before believing in a rival.
   */
  writeBytes(bucket: string, key: string, body: Buffer | PartBody, options?: WriteOptions): Promise<WrittenObject>;
  /** Of every part but the last, for an object of that size: 8 MiB or a multiple, so that 10,000 parts suffice. InvalidInput above 5 TiB. */
  partBytesFor(bytes: number): number;
  /**
   * An upload in parts, for many workers at once: its id is all they share. Nothing is under the name before `completeUpload`, whose `ifNoneMatch` decides between
   * rivals. A part sent twice counts once, the last one. SessionLost where somebody ended the upload.
   */
  beginUpload(bucket: string, key: string, options?: UploadOptions): Promise<Upload>;
  /** Part 1 to 10,000, each of 5 MiB or more but the last. The store verifies the CRC32C: sent before a buffer, behind a stream of blocks. */
  writePart(upload: Upload, number: number, body: Buffer | PartBody, options?: { crc32c?: string; signal?: AbortSignal }): Promise<UploadedPart>;
  /**
   * The same from an object of the same service, without a byte passing here; for an upload begun with `isCopied`. SourceChanged where it is not of that etag.
   * PolicyRefused where the store would keep a wrong CRC32C of it.
   */
  copyPart(upload: Upload, number: number, source: CopySource & { start: number; bytes: number }, options?: { signal?: AbortSignal }): Promise<UploadedPart>;
  /** What has arrived so far, by part number. */
  listParts(upload: Upload, options?: { signal?: AbortSignal }): Promise<UploadedPart[]>;
  /** All parts in order. The store compares the whole with `crc32c` where it is given and every part has its own. */
  completeUpload(upload: Upload, parts: readonly UploadedPart[], whole: CompleteOptions): Promise<StoredObject>;
  /** Ended, its parts freed. Best effort: the sweep collects what stays. */
  abandonUpload(upload: Upload): Promise<void>;
  /**
   * Up to 5 GiB from an object of the same service, metadata replaced by the options'. SourceChanged where it is not of that etag. Answers the checksum that the store keeps of the
   * copy where it tells one of the whole: of `algorithm`, by default its CRC32C.
   */
  copyObject(source: CopySource, bucket: string, key: string, options?: CopyOptions): Promise<StoredObject>;

  /** Up to 1 TB where `expected.bytes` tells the length, else 78 GiB; in bounded memory (multipart where large). Nothing is left under the name where the content is not the expected one. */
  writeStream(bucket: string, key: string, body: Readable, options?: WriteOptions): Promise<WrittenObject>;

  /**
   * Gone afterwards, or was never there. Denied where a retention holds it, even where the store would merely hide it behind a delete
   * marker. Names a version only where one is given.
   */
  remove(bucket: string, key: string, options?: { versionId?: string; signal?: AbortSignal | undefined }): Promise<void>;

  /** As `remove` without a version, but Conflict where the object is of another etag by then; PolicyRefused where the service cannot compare. Absent where a store has no such request. */
  removeIfMatch?(bucket: string, key: string, etag: string, options?: { signal?: AbortSignal }): Promise<void>;

  /** Sets or extends retention. Denied where that would shorten it. */
  retain(bucket: string, key: string, retention: ObjectRetention, versionId?: string, signal?: AbortSignal): Promise<void>;
  /** Undefined where the object has none. */
  retention(bucket: string, key: string, versionId?: string, signal?: AbortSignal): Promise<ObjectRetention | undefined>;
  /** Why `remove` would be denied now; undefined where it would not, also where there is no such object. */
  hold(bucket: string, key: string, options?: { signal?: AbortSignal | undefined }): Promise<ObjectHold | undefined>;

  /** What only a store with versions and Object Lock can be asked. */
  readonly evidence?: LockEvidence;

  /**
   * Ends uploads in parts that were begun before the instant and never finished: what killed attempts left, paid for and unseen. Absent where a
   * store keeps none. @returns how many
   */
  sweep?(bucket: string, prefix: string, olderThan: string): Promise<number>;
}

export interface ListOptions {
  /** Starts behind this key. */
  readonly after?: string;
  readonly limit?: number;
  readonly signal?: AbortSignal;
}
export interface ListPage {
  readonly entries: readonly ListedObject[];
  /** Give it as `after` for the next page; undefined at the end. */
  readonly next: string | undefined;
}
export interface ListedObject {
  readonly key: string;
  readonly bytes: number;
  readonly etag: string;
  readonly modifiedAt: string;
}
export interface ObjectFacts extends ListedObject {
  readonly versionId: string | undefined;
  /** Base64 CRC32C of the whole object where the store keeps one. */
  readonly crc32c: string | undefined;
  /** What it keeps of the whole object instead. */
  readonly foreign?: ForeignChecksum;
  readonly metadata: Readonly<Record<string, string>>;
  readonly servedAs: ServedAs;
}
/** What a reader is told of an object's content, kept beside it; what is not named is the store's default. */
export interface ServedAs {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
}
export interface ReadOptions {
  readonly range?: { readonly start: number; readonly end: number };
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}
export interface WriteOptions extends ServedAs {
  readonly metadata?: Readonly<Record<string, string>>;
  /** The store's default where absent. An object of an archive class is read only after a restore (drivers/cold-tier/port.ts). */
  readonly storageClass?: ArchiveClass;
  readonly ifNoneMatch?: boolean;
  /** Replaces that version and no other: Conflict where the key has another etag by now, Conflict or NotFound where it has none. */
  readonly ifMatch?: string;
  /** Base64 CRC32C of the body where the caller computed it over this very buffer; the store verifies it, so it is not computed again. */
  readonly crc32c?: string;
  /** Set from the moment the object exists and read back; PolicyRefused where the store took the object but not the retention. */
  readonly retention?: ObjectRetention;
  /** What a stream must turn out to be: StoreUnavailable where shorter, SourceChanged where longer, ChecksumMismatch where other. */
  readonly expected?: { readonly bytes?: number | undefined; readonly crc32c?: string | undefined };
  readonly signal?: AbortSignal;
}
export type CopyOptions = Omit<WriteOptions, 'ifMatch'> & {
  /** Asked of the store instead of CRC32C: what the source has on record, to compare the two. */
  readonly algorithm?: ForeignAlgorithm;
};
export type UploadOptions = Omit<WriteOptions, 'expected' | 'ifNoneMatch' | 'ifMatch' | 'crc32c'> & {
  /**
   * Its parts will come by `copyPart`. Then the store is asked for no CRC32C, for versitygw 1.8.0 keeps the whole source's as that of each
   * part, and refuses the whole, or believes a wrong one.
   */
  readonly isCopied?: boolean;
};
export interface ReadIntoOptions {
  readonly start?: number;
  /**
   * What the object is believed to have: SourceChanged where it has another size. Where `into` holds it all, the whole is asked for instead of a range,
   * and only then do all stores tell the CRC32C.
   */
  readonly totalBytes?: number;
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}
export type ReadBlocksOptions = ReadIntoOptions & { readonly bytes: number };
export interface ReadAnswer {
  /** Bytes now in the buffer. */
  readonly bytes: number;
  /** Of the whole object. */
  readonly totalBytes: number;
  readonly etag: string;
  /** Base64 CRC32C of the whole object where the store keeps one and told it with this answer. */
  readonly crc32c: string | undefined;
  /** Base64 CRC32C of what is in the buffer now, computed while it arrived. */
  readonly readCrc32c: string;
  readonly metadata: Readonly<Record<string, string>>;
}
export interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}
/** A part larger than one buffer; blocks are drawn as the store takes them. A buffer handed out is free again when the next one is asked for. */
export interface PartBody {
  readonly bytes: number;
  readonly blocks: AsyncIterable<Buffer>;
  /** Base64, where the giver computes it anyway; asked for once, behind the last block. What it throws refuses the whole: nothing is stored. */
  readonly crc32c?: () => Promise<string>;
}
export interface UploadedPart {
  readonly number: number;
  readonly bytes: number;
  readonly etag: string;
  /** Base64 CRC32C; undefined where the store does not tell it of a copied part. */
  readonly crc32c: string | undefined;
}
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
  /** Of the whole object. */
  readonly totalBytes: number;
}
export interface CompleteOptions {
  readonly bytes: number;
  readonly crc32c?: string;
  readonly ifNoneMatch?: boolean;
  readonly ifMatch?: string;
  readonly retention?: ObjectRetention;
  readonly signal?: AbortSignal;
}
export interface WrittenObject {
  readonly bytes: number;
  /** Base64 CRC32C of the whole, as computed here and verified by the store. */
  readonly crc32c: string;
  readonly etag: string;
  readonly versionId: string | undefined;
}
/** What the store itself put together; it may tell no CRC32C of it. */
export type StoredObject = Omit<WrittenObject, 'crc32c'> & { readonly crc32c: string | undefined; readonly foreign?: ForeignChecksum };
export interface ObjectHold {
  readonly onLegalHold: boolean;
  /** The retention's end, an ISO instant in the future; absent where only a legal hold keeps it. */
  readonly until?: string;
}
export interface ObjectRetention {
  readonly mode: 'COMPLIANCE' | 'GOVERNANCE';
  /** ISO instant. */
  readonly retainUntil: string;
}
