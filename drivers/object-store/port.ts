/**
 * An object store: buckets, keys, whole objects. Small on purpose; a bulk transfer is the data path's business and uses
 * the same port. Every method may be repeated. Errors are PenstockErrors naming the store: StoreThrottled and StoreUnavailable may be
 * retried, NotFound, Denied and Conflict are fatal for this input, ChecksumMismatch means the bytes that came are not those stored.
 */
import type { Readable } from 'node:stream';

export interface ObjectStore {
  readonly name: string;

  /** The bucket exists afterwards. `objectLock` must be asked for at creation; Conflict where it exists without. */
  ensureBucket(bucket: string, options?: { objectLock?: boolean }): Promise<void>;

  /** One page in key order, at most 1,000 entries. `after` starts behind that key. */
  list(bucket: string, prefix: string, options?: ListOptions): Promise<ListPage>;

  /** Undefined where there is no such object. */
  head(bucket: string, key: string): Promise<ObjectFacts | undefined>;

  /**
   * Streams an object or a byte range (both ends inclusive); end or destroy the stream, it holds a connection. NotFound where absent. `ifMatch`: SourceChanged where
   * the etag differs. The stream fails with StoreUnavailable where it is cut short, and, read whole, with ChecksumMismatch where the store's
   * own CRC32C denies its content: some stores serve rotten bytes with a 200.
   */
  read(bucket: string, key: string, options?: ReadOptions): Promise<Readable>;
  /** A whole small object in memory. `limitBytes` guards against a surprise; default 16 MiB. */
  readBytes(bucket: string, key: string, options?: ReadOptions & { limitBytes?: number }): Promise<Buffer>;

  /**
   * Under its name only when whole. The store verifies the CRC32C sent along. `ifNoneMatch`: Conflict where the key exists, which may be this
   * caller's own write whose answer was lost: compare before believing in a rival.
   */
  writeBytes(bucket: string, key: string, body: Buffer, options?: WriteOptions): Promise<WrittenObject>;
  /** Any size up to 1 TB, in bounded memory (multipart where large). Nothing is left under the name where the content is not the expected one. */
  writeStream(bucket: string, key: string, body: Readable, options?: WriteOptions): Promise<WrittenObject>;

  /**
   * Gone afterwards, or was never there. Denied where a retention holds it, even where the store would merely hide it behind a delete
   * marker. Names a version only where one is given.
   */
  remove(bucket: string, key: string, options?: { versionId?: string }): Promise<void>;

  /** Sets or extends retention. Denied where that would shorten it. */
  retain(bucket: string, key: string, retention: ObjectRetention, versionId?: string): Promise<void>;
  /** Undefined where the object has none. */
  retention(bucket: string, key: string, versionId?: string): Promise<ObjectRetention | undefined>;

  /**
   * Ends uploads in parts that were begun before the instant and never finished: what killed attempts left, paid for and unseen. Absent where a
   * store keeps none. @returns how many
   */
  sweep?(bucket: string, prefix: string, olderThan: string): Promise<number>;
}

export interface ListOptions {
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
  readonly metadata: Readonly<Record<string, string>>;
}
export interface ReadOptions {
  readonly range?: { readonly start: number; readonly end: number };
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}
export interface WriteOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly ifNoneMatch?: boolean;
  /** Set from the moment the object exists and read back; PolicyRefused where the store took the object but not the retention. */
  readonly retention?: ObjectRetention;
  /** What a stream must turn out to be: StoreUnavailable where shorter, SourceChanged where longer, ChecksumMismatch where other. */
  readonly expected?: { readonly bytes?: number | undefined; readonly crc32c?: string | undefined };
  readonly signal?: AbortSignal;
}
export interface WrittenObject {
  readonly bytes: number;
  /** Base64 CRC32C of the whole, as computed here and verified by the store. */
  readonly crc32c: string;
  readonly etag: string;
  readonly versionId: string | undefined;
}
export interface ObjectRetention {
  readonly mode: 'COMPLIANCE' | 'GOVERNANCE';
  /** ISO instant. */
  readonly retainUntil: string;
}
