/**
 * A POSIX directory tree as a store. Containment is by construction: paths are resolved below the root step by step without
 * ever following a symbolic link, so neither `..` nor a link planted by a tenant leads outside, not even in a race.
 * Errors are PenstockErrors naming the store: OutOfSpace waits, IoError may be retried, NotFound, Denied and Conflict are fatal.
 * Paths are relative to the root, `/`-separated; empty is the root itself.
 */
import type { Readable } from 'node:stream';

export interface FileStore {
  readonly name: string;
  readonly root: string;

  /**
   * Regular files below the path in pages, ordered by the bytes of their paths as S3 orders keys; symbolic links, special files and temporary
   * names are skipped. `after` starts behind that path. Empty where there is no such directory, as a prefix without objects is.
   * Memory is bounded whatever a directory holds.
   */
  list(path: string, options?: { after?: string; limit?: number; signal?: AbortSignal }): Promise<FilePage>;
  /** Undefined where there is no regular file. */
  stat(path: string): Promise<FileFacts | undefined>;
  /** NotFound where absent; Denied through a link. Both ends of the range are inclusive. SourceChanged where `ifMatch` is not, or no longer at the end, the file's etag. */
  read(path: string, options?: FileReadOptions): Promise<Readable>;
  readBytes(path: string, options?: { limitBytes?: number }): Promise<Buffer>;

  /**
   * The file exists under its name only when whole and synced, as is its directory entry. Written under a temporary name of
   * the attempt, then linked without replace. `replace: false` (default): Conflict where the name is taken. With a `scope` the
   * directory entry is durable only after the scope's flush: one sync per directory instead of one per file.
   */
  write(path: string, content: Readable | Buffer, options?: FileWriteOptions): Promise<FileFacts>;
  ensureDirectory(path: string, options?: { mode?: number }): Promise<void>;
  /** Every regular file below the path and every directory on the way is on stable storage afterwards. */
  sync(path: string): Promise<void>;
  /** Free bytes for new files. */
  freeBytes(): Promise<number>;
  /** The file or tree is gone afterwards, or was never there. Never follows a link. */
  remove(path: string): Promise<void>;

  /** For a batch of writes. Nothing written under it may be acknowledged before `flush`. */
  createScope(): PublishScope;
  /** Removes temporary names below the path that were last written before the instant: what killed attempts left. @returns how many */
  sweep(path: string, olderThan: string): Promise<number>;
}

/** Directories whose entries are not yet durable. */
export interface PublishScope {
  defer(directory: string): void;
  /** Everything written under the scope so far is durable afterwards. */
  flush(): Promise<void>;
}

export interface FileFacts {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedAt: string;
  /** `size-mtime` in nanoseconds; tells a changed file. */
  readonly etag: string;
}
export interface FilePage {
  readonly entries: readonly FileFacts[];
  readonly next: string | undefined;
}
export interface FileReadOptions {
  readonly start?: number;
  readonly end?: number;
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}
export interface FileWriteOptions {
  /** Distinguishes zombie attempts' temporary names. */
  readonly attempt?: string;
  readonly replace?: boolean;
  readonly modifiedAt?: string;
  readonly scope?: PublishScope;
  readonly signal?: AbortSignal;
}
