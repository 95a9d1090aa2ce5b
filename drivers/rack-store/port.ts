/**
 * One rack of the erasure set: a failure domain that keeps shards and manifest copies under flat keys. Every method may be
 * repeated. Errors are PenstockErrors naming the rack or its store: StoreThrottled, StoreUnavailable and IoError may be retried, OutOfSpace waits,
 * NotFound and Conflict are fatal for this key. Keys are made by datapath/erasure/layout.ts: `/`-separated, no `.` or `..` steps.
 */
import type { Readable } from 'node:stream';

export interface RackStore {
  readonly id: string;
  readonly room: string;

  /** Free bytes, undefined where the rack cannot tell. It really asks the rack: rejects where the rack does not answer or is not there. */
  freeBytes(options?: RackOptions): Promise<number | undefined>;

  /**
   * Under its name only when whole (exactly `bytes` long) and as durable as the rack can make it. Never replaces: Conflict where the name is
   * taken by something of another length; the same length is the effect of a lost reply, and success. The content is consumed at
   * the rack's own pace, and destroyed on failure.
   */
  writeShard(key: string, content: Readable, options: RackOptions & { readonly bytes: number }): Promise<void>;
  /** A byte range, both ends inclusive; shorter where the shard ends before. NotFound where absent. */
  readShard(key: string, options?: RackOptions & { readonly range?: ByteRange }): Promise<Readable>;
  /** Length; undefined where absent. */
  shardBytes(key: string, options?: RackOptions): Promise<number | undefined>;

  /** The commit point: Conflict where the key is taken, whatever it holds. */
  writeManifest(key: string, body: Buffer, options?: RackOptions): Promise<void>;
  /** Undefined where absent; at most 1 MiB is read. */
  readManifest(key: string, options?: RackOptions): Promise<Buffer | undefined>;

  /** Keys with the prefix, in UTF-8 byte order; `next` is undefined at the end, else the `after` of the next page. */
  list(prefix: string, options?: RackOptions & { readonly after?: string; readonly limit?: number }): Promise<RackPage>;
  /** Gone afterwards, or was never there. */
  remove(key: string, options?: RackOptions): Promise<void>;
}

export interface RackOptions {
  readonly signal?: AbortSignal;
}
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}
export interface RackPage {
  readonly keys: readonly string[];
  readonly next: string | undefined;
}

export const MAX_MANIFEST_BYTES = 1_048_576;
