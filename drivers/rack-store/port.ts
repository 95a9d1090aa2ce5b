/**
 * One rack of the erasure set: a failure domain that keeps shards and manifest copies under flat keys. Every method may be
 * repeated. Errors are PenstockErrors naming the rack or its store: StoreThrottled, StoreUnavailable and IoError may be retried, OutOfSpace waits,
 * NotFound and Conflict are fatal for this key. A rack that is not there, such as a bucket or directory that is missing, is StoreUnavailable and never an
 * absent key: what five racks say is absent counts as gone for good. Keys are made by datapath/erasure/layout.ts: `/`-separated, no `.` or `..` steps.
 */
import type { RackClosure } from '../../model/placement.ts';
import type { PartBody } from '../object-store/port.ts';

export interface RackStore {
  readonly id: string;
  readonly room: string;
  /** Why no new shard is put here; undefined where one may be. What it holds is read, scrubbed and removed as elsewhere. */
  readonly closed?: RackClosure | undefined;

  /** Free bytes, undefined where the rack cannot tell. It really asks the rack: rejects where the rack does not answer or is not there. */
  freeBytes(options?: RackOptions): Promise<number | undefined>;

  /**
   * Under its name only when whole (exactly `bytes` long) and as durable as the rack can make it. Never replaces: Conflict where the name is
   * taken by something of another length; the same length is the effect of a lost reply, and success. Blocks are drawn at the rack's own pace; no
   * block is touched any more when this settles, which a call off brings about soon.
   */
  writeShard(key: string, body: ShardBody, options?: RackOptions): Promise<void>;
  /**
   * Fills `into` from byte `start` (default 0), with less where the shard ends before. The buffer is the rack's until this settles, which a call off brings
   * about soon. NotFound where absent.
   */
  readInto(key: string, into: Buffer, options?: RackOptions & { readonly start?: number }): Promise<RackReading>;
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
  /**
   * For what is small enough to be a manifest; the rack compares, so that a caller who fell asleep since it read cannot take what came meanwhile. gone: as above, and what was there, if
   * anything, was exactly `content`. changed: something else was there, and stays. Absent where the rack cannot compare: then a caller reads again just before it removes.
   *
   * In a bucket: DELETE with If-Match, where the store offers it. versitygw 1.8 answers 412 to another etag (it compares and removes in two steps of its own, close together), and so does AWS by
   * its documentation; a service that says it cannot, or passes over the header, was read just before, and what comes between those two requests is lost. In a directory: the name is moved aside,
   * looked at, and where it is another one put back without replacing; for that moment it is not there. A process that dies in between leaves the name empty, and one that finds it taken by
   * then leaves it as it is: as if this rack had lost the copy that was moved.
   */
  readonly removeIf?: ((key: string, content: Buffer, options?: RackOptions) => Promise<'gone' | 'changed'>) | undefined;
}

export interface RackOptions {
  readonly signal?: AbortSignal;
}
/** A shard on its way: a block handed out is free again when the next one is asked for. */
export type ShardBody = PartBody;
export interface RackReading {
  /** Bytes now in the buffer. */
  readonly bytes: number;
  /** Of the whole shard. */
  readonly totalBytes: number;
  /** Of what is in the buffer now, where it was computed while it arrived. */
  readonly crc32c?: number;
}
export interface RackPage {
  readonly keys: readonly string[];
  readonly next: string | undefined;
}

export const MAX_MANIFEST_BYTES = 1_048_576;

/** A shard that is in memory as a whole. */
export function shardBodyOf(...blocks: readonly Buffer[]): ShardBody {
  async function* drawn(): AsyncGenerator<Buffer> {
    yield* blocks;
  }
  return { bytes: blocks.reduce((sum, { length }) => sum + length, 0), blocks: drawn() };
}
