/** One end of a transfer. An object store's prefix and a file store's directory are the two kinds; the engine knows only this. */
import type { FileAttributes, PublishScope } from '../../drivers/file-store/port.ts';
import type { PartBody, ServedAs } from '../../drivers/object-store/port.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { Lock } from '../../model/retention.ts';
import type { ForeignChecksum } from './foreign-checksum.ts';

export interface Endpoint {
  /** For messages: "warm s3://training-data/imagenet/". */
  readonly label: string;
  /** The store's name in the site file. */
  readonly store: string;

  /** Entries in the byte order of their paths. `after` starts behind that path. */
  list(options?: { after?: string; limit?: number; signal?: AbortSignal }): Promise<EntryPage>;
  /** Paths, in order, at which a listing may be cut to be read side by side; none where that does not pay. */
  cuts(signal?: AbortSignal): Promise<readonly string[]>;

  /** The entry as it is now, with its CRC32C where it is known without reading; undefined where absent. */
  stat(path: string, signal?: AbortSignal): Promise<ManifestEntry | undefined>;

  /** Exactly the listed version, to be read at any offset. SourceChanged where the entry is another one now, NotFound where it is gone. */
  open(entry: ManifestEntry, options?: { scope?: BatchScope; signal?: AbortSignal }): Promise<EntryReader>;

  /** Begins an entry that is not under its name before it is sealed. PolicyRefused where a retention is asked of an endpoint that has none. */
  create(entry: ManifestEntry, options: CreateOptions): Promise<EntryWriter>;

  /** Holds what is published already; extends, never shortens. Absent where the endpoint has no retention. */
  retain?(path: string, retention: Retention, signal?: AbortSignal): Promise<void>;

  /** Gone afterwards. */
  remove(path: string, signal?: AbortSignal): Promise<void>;

  /** What lies at the path is durable after the scope's next flush, whoever put it there. Absent where what is published is as durable as it gets. */
  keep?(path: string, scope: BatchScope | undefined): Promise<void>;

  /** For a batch: what is sealed under a scope is published by its flush at the latest. Absent where publishing one by one costs no more. */
  createScope?(): BatchScope;

  /** Ends what attempts that will not go on began for these entries and never published, as far as it is found by its name; a sweep finds the rest. */
  collect?(attempts: readonly string[], entries: readonly ManifestEntry[], signal?: AbortSignal): Promise<void>;

  /** Ends what killed attempts began before the instant (ISO) and never published. @returns how many */
  sweep(olderThan: string): Promise<number>;
}

export interface EntryPage {
  readonly entries: readonly ManifestEntry[];
  /** Give it as `after` for the next page; undefined at the end. */
  readonly next: string | undefined;
}

export interface EntryReader {
  /** The version that is read. */
  readonly entry: ManifestEntry;
  /** What is best read at once: {@link BLOCK_BYTES}, or {@link SPAN_BYTES} where each read is a request. */
  readonly spanBytes: number;
  /**
   * Fills the buffer from the offset. SourceChanged where the entry ends before, StoreUnavailable or IoError where reading failed and may be
   * tried again. @returns the CRC32C (base64) of what was read, where reading has computed it already
   */
  read(into: Buffer, offset: number, signal?: AbortSignal): Promise<string | undefined>;
  /**
   * The same of a longer range, in one request: blocks in order, each a buffer's length but the last, free again when the next one is asked for; meanwhile another is filled.
   * Ended early, it settles when nothing is read into the buffers any more. @returns the CRC32C (base64) of the range. Absent where reading span by span costs no more.
   */
  readBlocks?(buffers: readonly Buffer[], range: { readonly offset: number; readonly bytes: number }, signal?: AbortSignal): AsyncGenerator<Buffer, string>;
  /** SourceChanged where what was read may be of another version. Ask behind each read, before it is written anywhere. */
  verify(): Promise<void>;
  /** The CRC32C (base64) of the whole that this end has on record of that very version, behind the reads; undefined where it has none. */
  recordedCrc32c(): Promise<string | undefined>;
  /**
   * What this end has on record of the whole of that very version instead of a CRC32C. Undefined where there is none, and where it is compared already, as it is by a read of the
   * whole in one request.
   */
  recordedForeign?(): Promise<ForeignChecksum | undefined>;
  /** The next range at or behind the offset that may hold something else than zeros; absent where every range does. */
  nextData?(offset: number): Promise<{ readonly start: number; readonly end: number } | undefined>;
  attributes(): Promise<EntryAttributes>;
  close(): Promise<void>;
}

/** A file's, and what only an object has; each end keeps what it can. */
export interface EntryAttributes extends FileAttributes {
  readonly servedAs?: ServedAs;
  /** An object's user metadata that are not ours, names in lower case. */
  readonly userMetadata?: Readonly<Record<string, string>>;
}

export interface EntryWriter {
  /** Every part but the last has this size, a whole number of the source's spans. */
  readonly partBytes: number;
  /** Ranges that are not written read as zeros: a reader's holes need not be moved. */
  readonly keepsHoles: boolean;
  /** Names the unpublished content for other workers. */
  readonly session: string;
  /**
   * Part `number`, counted from 0, in any order and side by side. A part larger than a block comes as blocks, in order; where it is the only one, it may be published by
   * this already; where it comes as a buffer, that is read until the entry is sealed. The same part may be written again. `crc32c` is of the content, computed by the caller;
   * refused by it, nothing is published.
   */
  writePart(number: number, content: PartContent, signal?: AbortSignal): Promise<PartReceipt>;
  /** The same from the source given to `create`, without a byte passing here. Absent, or answers undefined, where these two ends cannot. */
  copyPart?(number: number, bytes: number, signal?: AbortSignal): Promise<PartReceipt | undefined>;
  /** `seal` compares what was copied whole with the source's record by itself, where it has to. */
  readonly comparesCopy?: true;
  /**
   * Whole: publishes under the entry's name. ChecksumMismatch where `crc32c` is not what arrived. Equal content already there is success, different content is replaced only
   * with `replace`, else Conflict. Settles when another entry may be begun; `published` settles, perhaps with the scope's flush, with the entry as it
   * now lies here: this endpoint's etag, the source's time of modification, the CRC32C.
   */
  seal(receipts: readonly PartReceipt[], crc32c: string | undefined, signal?: AbortSignal): Promise<{ readonly published: Promise<ManifestEntry> }>;
  /** This worker has written its parts; others go on with the session. */
  close(): Promise<void>;
  /** Gone, best effort; a sweep collects what stays. */
  abandon(): Promise<void>;
}

/** What a reader fills and a writer takes at once: the unit of memory. Large enough that a request does not show, small enough that what was read is still cached when it is written. */
export const BLOCK_BYTES = 4 * 2 ** 20;

/** What is asked of an object store at once: a smaller range costs the store nearly as much. */
export const SPAN_BYTES = 8 * 2 ** 20;

/**
 * So much is read or written of an object in one request, in blocks. Whole objects come dearer in ranges, for a gateway gives only whole files to the kernel to send, and in parts, for it joins
 * them by copying; and a failed request of this size is soon repeated.
 */
export const ONE_REQUEST_BYTES = 64 * 2 ** 20;

/** What a file takes of a larger object in one request: by spans it would cost the store a fifth more. */
export const STREAMED_PART_BYTES = 2 * SPAN_BYTES;

export type PartContent = { readonly buffer: Buffer; readonly crc32c: string } | PartBody;

export interface PartReceipt {
  /** Counted from 0. */
  readonly number: number;
  readonly bytes: number;
  /** Base64; undefined where it was copied by a service that tells none. */
  readonly crc32c: string | undefined;
  readonly etag?: string;
  /** The kind of checksum that the source has on record instead of a CRC32C, of this part. */
  readonly foreign?: ForeignChecksum;
}

export interface CreateOptions {
  /** Names this attempt's temporary files, so that a zombie attempt cannot touch them. */
  readonly attempt: string;
  /** Goes on with what another worker began. */
  readonly session?: string;
  /** Of a store that sets room aside: `look` only asks for it, for others may begin the same entry; `take` also does it for a session's. Default: who begins takes it. */
  readonly room?: 'look' | 'take';
  /** Where the content comes from: an end of the same service may copy from it by itself. */
  readonly source?: EntryReader;
  readonly replace?: boolean;
  readonly scope?: BatchScope;
  readonly signal?: AbortSignal;
  /** Set on the object from the moment it is published, where the store can lock. */
  readonly retention?: Retention;
  /** Kept where the endpoint can: by a file system as such, by an object store as user metadata. */
  readonly attributes?: EntryAttributes;
}
export type BatchScope = PublishScope;

export type Retention = Lock;
