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
   * Regular files below the path in pages, ordered by the bytes of their paths as S3 orders keys; temporary names are skipped, empty directories and special files
   * too unless they are asked for; symbolic links are treated as `symlinks` says. `after` starts behind that path. Empty where there is no such directory, as a prefix without objects is.
   * Memory is bounded whatever a directory holds.
   */
  list(path: string, options?: FileListOptions): Promise<FilePage>;
  /** Names of the directories directly below the path, in order, at most 1,000: where a listing may be cut. */
  listDirectories(path: string): Promise<readonly string[]>;
  /** Undefined where there is no regular file, nor, with `symlinks: 'keep'`, a link. With `follow`, a link inside the root is followed. */
  stat(path: string, options?: LinkOptions): Promise<FileFacts | undefined>;
  /**
   * ISO instant at which the file system says it was last read; undefined where there is no regular file. As exact as the mount: with relatime to a day, with noatime
   * never later than its creation.
   */
  readAt(path: string): Promise<string | undefined>;
  /** NotFound where absent; Denied through a link. Both ends of the range are inclusive. SourceChanged where `ifMatch` is not, or no longer at the end, the file's etag. */
  read(path: string, options?: FileReadOptions): Promise<Readable>;
  /**
   * For reading at any position; close it. The version is the one at the time of opening: `ifMatch` as for `read`. NotFound where absent or no regular file,
   * Denied through a link. With a scope, directories are opened once for many files.
   */
  openFile(path: string, options?: LinkOptions & { ifMatch?: string; scope?: PublishScope }): Promise<OpenFile>;
  readBytes(path: string, options?: { limitBytes?: number }): Promise<Buffer>;

  /**
   * The file exists under its name only when whole and synced, as is its directory entry. Written under a temporary name of
   * the attempt, then linked without replace. `replace: false` (default): Conflict where the name is taken. With a `scope` the
   * directory entry is durable only after the scope's flush: one sync per directory instead of one per file.
   */
  write(path: string, content: Readable | Buffer, options?: FileWriteOptions): Promise<FileFacts>;
  /**
   * Begins a file under a temporary name of the attempt, or, with `session`, goes on with one that another worker began. Nothing is under its own name
   * before it is sealed and published.
   */
  createFile(path: string, options: FileCreateOptions): Promise<UnpublishedFile>;
  /** Asked once for each file before it is begun: whether {@link writeWhole} is cheaper, as for a small one that is not among the first of its scope. */
  writesTogether(bytes: number, scope: PublishScope): boolean;
  /** Begins, writes and seals a file in one step, together with others under the scope that come at the same time. The content is read until it settles, which it does as `seal`. */
  writeWhole(path: string, content: Buffer, options: FileWholeOptions): Promise<{ readonly published: Promise<FileFacts> }>;
  /** Whether there is a directory of that name, met without following a link. */
  hasDirectory(path: string): Promise<boolean>;
  /** Undefined where there is no directory; with `follow`, a link inside the root leads to it. */
  statDirectory(path: string, options?: LinkOptions): Promise<DirectoryFacts | undefined>;
  /** Those on the way too; what is there already keeps its mode. With a `scope` they are durable only after the scope's flush. */
  ensureDirectory(path: string, options?: DirectoryCreateOptions): Promise<void>;
  /** Every regular file below the path and every directory on the way is on stable storage afterwards. */
  sync(path: string): Promise<void>;
  /** Free bytes for new files. */
  freeBytes(): Promise<number>;
  /** The file or tree is gone afterwards, or was never there. Never follows a link. */
  remove(path: string): Promise<void>;

  /** For a batch of writes. Nothing written under it may be acknowledged before `flush`. */
  createScope(): PublishScope;
  /** Removes what these attempts began directly in the directory and never published. @returns how many; 0 where there is no such directory */
  collect(directory: string, attempts: readonly string[]): Promise<number>;
  /** Removes temporary names below the path that were last written before the instant: what killed attempts left. @returns how many */
  sweep(path: string, olderThan: string): Promise<number>;
}

/** A batch: its directories are held open, its files made durable together. Flush it, then close it. */
export interface PublishScope {
  defer(directory: string): void;
  /** Everything sealed or written under the scope so far is published and durable afterwards; what could not be is told by each file's own promise. */
  flush(): Promise<void>;
  /**
   * A file that lies there already, perhaps by an attempt that was killed before it was synced, is durable after the next flush, as is its name. Where that
   * fails the flush fails, and so does every later one of this scope: begin again with another. NotFound where nothing lies there.
   */
  keep?(path: string): Promise<void>;
  /**
   * Gives back what it holds open. What was sealed and not flushed is flushed once more, for a second at most, so that an attempt called off loses little;
   * what is not published by then is abandoned, its promise rejected.
   */
  close(): Promise<void>;
}

export interface OpenFile {
  readonly facts: FileFacts;
  /** The same whatever the file is called, another for each file there is at a time: a renamed file is known by it. Absent where a store has none. */
  readonly fileId?: string;
  /** Fills the buffer. SourceChanged where the file ends before, IoError where the device fails. */
  read(into: Buffer, position: number): Promise<void>;
  /** SourceChanged where the file is no longer the one that was opened: ask behind the last read, before believing what was read. */
  verify(): Promise<void>;
  /** The next range at or behind the position that may hold something else than zeros; undefined where none follows. */
  nextData(position: number): Promise<{ readonly start: number; readonly end: number } | undefined>;
  attributes(): Promise<FileAttributes>;
  close(): Promise<void>;
}
export interface UnpublishedFile {
  /** What other workers go on with. */
  readonly session: string;
  /** Any order, side by side. Ranges never written read as zeros and take no space. */
  write(from: Buffer, position: number): Promise<void>;
  /**
   * The same from another file without a byte passing here: reflink where the file system can, copy_file_range else. @returns whether it was done; false
   * where these two cannot
   */
  copyFrom(source: OpenFile, position: number, bytes: number, signal?: AbortSignal): Promise<boolean>;
  /** For checking what was written. */
  read(into: Buffer, position: number): Promise<void>;
  /**
   * No more writes. Settles as soon as another file may be begun; `published` settles when this one is durable under its own name: at once without a scope,
   * else with the scope's next flush. Conflict where the name is taken.
   */
  seal(options: FileSealOptions): Promise<{ readonly published: Promise<FileFacts> }>;
  /** This worker is done with it; others go on. */
  close(): Promise<void>;
  /** Gone. */
  abandon(): Promise<void>;
}
export interface FileCreateOptions {
  /** Distinguishes zombie attempts' temporary names. */
  readonly attempt: string;
  /** Made known to the file system beforehand, so that a full one says so early and large files lie together. */
  readonly bytes?: number;
  readonly session?: string;
  /** `look` only asks whether there is room for so many bytes, for others may begin the same file; `take` also does it for the file of a session. Default: who begins a file takes it. */
  readonly room?: 'look' | 'take';
  /** Permission bits while it is written, default 0o644 less the umask, so that unfinished content is not wider open than the finished. */
  readonly mode?: number;
  readonly modeOfNew?: ModeOfNew;
  readonly scope?: PublishScope;
}
export interface DirectoryCreateOptions {
  /** Default 0o755, less the umask. */
  readonly mode?: number;
  readonly modeOfNew?: ModeOfNew;
  readonly scope?: PublishScope;
}
/**
 * Asked before a missing directory is made on the way: the permission bits it is to have, whatever the umask; undefined for the default. It never has more than these, not
 * for a moment, but for its owner, who may always read, write and search it.
 */
export type ModeOfNew = (directory: string) => Promise<number | undefined>;
export interface FileSealOptions {
  readonly bytes: number;
  readonly modifiedAt?: string;
  readonly replace?: boolean;
  readonly attributes?: FileAttributes;
}
export type FileWholeOptions = Omit<FileCreateOptions, 'bytes' | 'room' | 'session'> & Omit<FileSealOptions, 'bytes'>;
/** What a file system keeps beside the content. */
export interface FileAttributes {
  /** ISO instant: when the content was modified, where the store has it apart from its own time. */
  readonly modifiedAt?: string;
  /** Permission bits, such as 0o644; set-id bits are never carried. */
  readonly mode?: number;
  /** The `user.` namespace, without that prefix: name to base64 value. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** This is a symbolic link, with no content of its own. */
  readonly linkTarget?: string;
}

/**
 * `skip` (default) leaves links out. `keep` lists them with their target. `follow` treats a link as what it leads to inside, a
 * directory too, each only once on a path; one that leads outside, nowhere or in a circle is listed as `keep` would, with `refused` saying why. `refuse` lists
 * every link as refused.
 */
export type SymlinkPolicy = 'skip' | 'keep' | 'follow' | 'refuse';
export interface LinkOptions {
  readonly symlinks?: SymlinkPolicy;
  /** A directory that no followed link may lead out of; default the root. A listing keeps to the directory it lists. */
  readonly within?: string;
}
export interface FileListOptions {
  readonly after?: string;
  readonly limit?: number;
  readonly symlinks?: SymlinkPolicy;
  /** A directory without anything to list has an entry of its own, `name/`, with the etag {@link DIRECTORY_ETAG}. */
  readonly emptyDirectories?: boolean;
  /** FIFOs, sockets and devices are listed as refused. */
  readonly specials?: boolean;
  readonly signal?: AbortSignal;
}
/** Of directories only their being there is compared. */
export const DIRECTORY_ETAG = 'directory';
/** Begins the etag of what is neither file, link nor directory; its kind follows. */
export const SPECIAL_ETAG = 'special-';
/** Of what has a name that is not UTF-8. */
export const NOT_UTF8_ETAG = 'name-not-utf8';
export interface DirectoryFacts {
  /** Permission bits. */
  readonly mode: number;
  readonly modifiedAt: string;
}
export interface FileFacts {
  readonly path: string;
  readonly bytes: number;
  /** ISO instant, to the nanosecond where it has them. */
  readonly modifiedAt: string;
  /** `size-mtime` in nanoseconds; tells a changed file. */
  readonly etag: string;
  /** Of a symbolic link, as it is written; its `bytes` are 0. */
  readonly linkTarget?: string;
  /** Why this is not to be moved, as a clause: a link, a name that is not UTF-8, a special file, or a directory that cannot be read, listed in place of what is in it. */
  readonly refused?: string;
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
