/** One end of a transfer. An object store's prefix and a file store's directory are the two kinds; the engine knows only this. */
import type { Readable } from 'node:stream';
import type { PublishScope } from '../../drivers/file-store/port.ts';
import type { ManifestEntry } from '../../model/manifest.ts';

export interface Endpoint {
  /** For messages: "warm s3://training-data/imagenet/". */
  readonly label: string;
  /** The store's name in the site file. */
  readonly store: string;

  /** Entries in path order. `after` starts behind that path. */
  list(options?: { after?: string; limit?: number; signal?: AbortSignal }): Promise<EntryPage>;

  /** The entry as it is now, with its CRC32C where it is known without reading; undefined where absent. */
  stat(path: string): Promise<ManifestEntry | undefined>;

  /** Streams exactly the listed version. SourceChanged where size or etag differ from the entry. */
  open(entry: ManifestEntry, options?: { signal?: AbortSignal }): Promise<Readable>;

  /**
   * Publishes the content under the entry's path when whole and its CRC32C (computed on the way) equals the entry's, where
   * it has one; ChecksumMismatch otherwise, and nothing is left under the name. Equal content already there is success, different content is
   * replaced only with `replace`, else Conflict. PolicyRefused where a retention is asked of an endpoint that has none. Answers the entry as it now lies
   * here: this endpoint's etag, the source's time of modification, the CRC32C.
   */
  publish(entry: ManifestEntry, content: Readable, options: PublishOptions): Promise<ManifestEntry>;

  /** Holds what is published already; extends, never shortens. Absent where the endpoint has no retention. */
  retain?(path: string, retention: Retention): Promise<void>;

  /** Gone afterwards. */
  remove(path: string): Promise<void>;

  /** For a batch: what is published under a scope is durable only after its flush. Absent where a publish is as durable as it gets. */
  createScope?(): PublishScope;
}

export interface EntryPage {
  readonly entries: readonly ManifestEntry[];
  /** Give it as `after` for the next page; undefined at the end. */
  readonly next: string | undefined;
}
export interface PublishOptions {
  /** Names this attempt's temporary files, so that a zombie attempt cannot touch them. */
  readonly attempt: string;
  readonly replace?: boolean;
  readonly scope?: PublishScope;
  readonly signal?: AbortSignal;
  /** Set on the object or file from the moment it is published, where the store can lock. */
  readonly retention?: Retention;
}
export interface Retention {
  readonly mode: 'COMPLIANCE';
  /** ISO instant. */
  readonly retainUntil: string;
}
