/** One end of a transfer. An object store's prefix and a file store's directory are the two kinds; the engine knows only this. */
import type { Readable } from 'node:stream';
import type { ManifestEntry } from '../../model/manifest.ts';

export interface Endpoint {
  /** For messages: "warm s3://training-data/imagenet/". */
  readonly label: string;

  /** Entries in path order. `after` starts behind that path. */
  list(options?: { after?: string; limit?: number; signal?: AbortSignal }): Promise<{ entries: readonly ManifestEntry[]; next: string | undefined }>;

  /** The entry as it is now, with its CRC32C where it is known without reading; undefined where absent. */
  stat(path: string): Promise<ManifestEntry | undefined>;

  /** Streams exactly the listed version. SourceChanged where size or etag differ from the entry. */
  open(entry: ManifestEntry, options?: { signal?: AbortSignal }): Promise<Readable>;

  /**
   * Publishes the content under the entry's path when whole and its CRC32C (computed on the way) equals the entry's, where
   * it has one; ChecksumMismatch otherwise, and nothing is left under the name. Equal content already there is success, different content is
   * replaced only with `replace`, else Conflict. Answers the entry with its CRC32C.
   */
  publish(entry: ManifestEntry, content: Readable, options: PublishOptions): Promise<ManifestEntry>;

  /** Gone afterwards. */
  remove(path: string): Promise<void>;
}

export interface PublishOptions {
  /** Names this attempt's temporary files, so that a zombie attempt cannot touch them. */
  readonly attempt: string;
  readonly replace?: boolean;
  readonly signal?: AbortSignal;
  /** Set on the object or file from the moment it is published, where the store can lock. */
  readonly retention?: { readonly mode: 'COMPLIANCE'; readonly retainUntil: string };
}
