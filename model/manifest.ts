/** A manifest names every entry of a data set. Its pages lie in object storage; a workflow's history holds only the reference. */
import * as z from 'zod';

export interface ManifestEntry {
  /** Path below the data set's root, `/`-separated, no leading slash. */
  readonly path: string;
  readonly bytes: number;
  /** ISO instant. */
  readonly modifiedAt: string;
  /** The source's etag, or `size-mtime` for files; tells a changed source. */
  readonly etag: string;
  /** Base64 CRC32C of the whole content, once it has been moved or where the source knows it. */
  readonly crc32c?: string;
  /** What its store keeps of the whole content where nobody knows a CRC32C. */
  readonly foreign?: { readonly algorithm: 'CRC32' | 'SHA256' | 'SHA1' | 'CRC64NVME'; readonly value: string };
  /** This is a symbolic link to that target; it has no content of its own. */
  readonly linkTarget?: string;
  /** Where its content lies in an archive pack, whose etag is then the entry's; absent where it is an object or a file of its own. */
  readonly packed?: PackedAt;
}
export interface PackedAt {
  /** The pack, below the data set's root. */
  readonly key: string;
  /** Of the content's first byte in the pack. */
  readonly offset: number;
  /** Of the whole pack. */
  readonly bytes: number;
  /** Permission bits, where they were asked for. */
  readonly mode?: number;
}

/** Where a manifest lies: `{prefix}index.json` names its pages, zstd-compressed JSON lines of {@link ManifestEntry} (datapath/transfer/manifest-format.ts). */
export const ManifestRefSchema = z
  .strictObject({
    /** The store's name in the site file. */
    store: z.string(),
    bucket: z.string(),
    prefix: z.string(),
    pages: z.int(),
    files: z.int(),
    bytes: z.int(),
    /** Hex SHA-256 over the pages' SHA-256s in order: equal lists have equal digests. */
    digest: z.string(),
    /** Into how many units of work its move is cut (model/transfer-plan.ts); absent in references written before 0.2. */
    units: z.int().exactOptional(),
  })
  .readonly();
export type ManifestRef = z.output<typeof ManifestRefSchema>;

/** Progress of a transfer, as shown by queries, heartbeats and current details. */
export interface Progress {
  readonly files: number;
  readonly bytes: number;
  readonly doneFiles: number;
  readonly doneBytes: number;
  /** Recent rate; 0 where nothing moves. */
  readonly bytesPerSecond: number;
}

/** An entry that could not be moved; listed once, with its reason. */
export interface FailedEntry {
  readonly path: string;
  readonly type: string;
  readonly message: string;
}
