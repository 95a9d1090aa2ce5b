/** A file on its way: content under a temporary name, in any order and by several workers, until it is sealed. */
import { symlink } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { identityOf, joinPath } from './contained-path.ts';
import { copyBetween } from './copy-between.ts';
import type { Descriptor } from './descriptor.ts';
import { isInMemory } from './in-memory.ts';
import type { FileFacts, FileSealOptions, OpenFile, UnpublishedFile } from './port.ts';
import { applyAttributes } from './posix-attributes.ts';
import { isMissing, posixError, quoted } from './posix-errors.ts';
import { checkTarget } from './posix-links.ts';
import { factsOf, PosixOpenFile } from './posix-open.ts';
import { type Finished, publishIn, syncDirectory } from './posix-publish.ts';
import type { Writing } from './posix-writing.ts';
import { readFd, resizeFd, setLinkModified, setModified, statFd, statLink, syncFd, unlinkName, writeFd } from './raw-fs.ts';

/** What {@link createFileAt} made or went on with. */
export interface Begun {
  readonly descriptor: Descriptor;
  readonly session: string;
  readonly temporary: string;
  readonly directory: readonly string[];
  readonly directoryIdentity: string;
  readonly name: string;
  /** Others may have written to it. */
  readonly isShared: boolean;
  /** Directories that got a new one for this file, where no scope syncs them. */
  readonly changed: ReadonlySet<string>;
}

export class PosixUnpublishedFile implements UnpublishedFile {
  readonly #writing: Writing;
  readonly #begun: Begun;
  readonly #path: string;
  #lastWrite: Promise<void> = Promise.resolve();
  #isInMemory: boolean | undefined;
  /** Behind the last byte written here. */
  #end = 0;
  #isSealed = false;
  /** Sealed under a scope, which answers for it from then on. */
  #isHandedOver = false;
  #isAbandoned = false;

  constructor(writing: Writing, begun: Begun) {
    this.#writing = writing;
    this.#begun = begun;
    this.#path = joinPath(begun.directory.join('/'), begun.name);
  }

  get session(): string {
    return this.#begun.session;
  }

  write(from: Buffer, position: number): Promise<void> {
    // The kernel lets one at a time into a file; the others would spin, or hold the threads that other files need.
    const written = this.#lastWrite.then(() =>
      this.#call(async (fd) => {
        await writeFd(fd, from, position, await this.#longestWriteBytes(fd, from.length));
        this.#wroteTo(position + from.length);
      }),
    );
    this.#lastWrite = written.catch(() => undefined);
    return written;
  }

  async copyFrom(source: OpenFile, position: number, bytes: number, signal?: AbortSignal): Promise<boolean> {
    if (!(source instanceof PosixOpenFile)) return false;
    return this.#call((fd) => copyBetween(source, fd, position, bytes, (end) => this.#wroteTo(end), signal));
  }

  read(into: Buffer, position: number): Promise<void> {
    return this.#call(async (fd) => {
      // Behind its end nothing has been written yet.
      into.fill(0, await readFd(fd, into, position));
    });
  }

  async seal(options: FileSealOptions): Promise<{ readonly published: Promise<FileFacts> }> {
    const { batch } = this.#writing;
    if (!batch) {
      const published = this.publishNow(options);
      await Promise.allSettled([published]);
      return { published };
    }
    const finished = await this.#finish(options);
    this.#isHandedOver = true;
    try {
      return await this.#mapped(batch.join(finished, this.#begun.descriptor));
    } catch (error) {
      this.#isHandedOver = false;
      throw error;
    }
  }

  /** Durable content, then the name, then, unless somebody else syncs them, the directories. Nothing of the attempt is left where it fails. */
  async publishNow(options: FileSealOptions, signal?: AbortSignal): Promise<FileFacts> {
    const { changed, descriptor, directory, directoryIdentity } = this.#begun;
    const { defer, directories, store, walk } = this.#writing;
    try {
      const finished = await this.#finish(options);
      await descriptor.use(syncFd);
      signal?.throwIfAborted();
      await directories(directory, {}, (held) => publishIn(held, store, finished));
      await descriptor.close();
      if (defer) {
        defer(directory.join('/'));
      } else {
        for (const made of changed) await syncDirectory(walk, store, stepsOf(made));
        await syncDirectory(walk, store, directory, directoryIdentity);
      }
      return finished.facts;
    } catch (error) {
      await this.abandon().catch(() => undefined);
      throw posixError(error, store, this.#path);
    }
  }

  async #finish(options: FileSealOptions): Promise<Finished> {
    if (this.#isSealed) throw new Error('The file was sealed before.');
    const { directory, directoryIdentity, name, temporary } = this.#begun;
    const [facts, identity] = await (options.attributes?.linkTarget === undefined
      ? this.#call((fd) => this.#complete(fd, options))
      : this.#becomeLink(options.attributes.linkTarget, options));
    this.#isSealed = true;
    return { directory, directoryIdentity, temporary, name, replace: options.replace ?? false, identity, facts };
  }

  async close(): Promise<void> {
    const { changed, descriptor } = this.#begun;
    if (this.#isHandedOver || this.#isAbandoned) return;
    if (!this.#isSealed) {
      // What this worker wrote or made is its own to make durable: the one that seals may sit on another node, and knows of no directory made here.
      if (this.#end > 0) await this.#call(syncFd);
      for (const made of changed) await syncDirectory(this.#writing.walk, this.#writing.store, stepsOf(made));
    }
    await this.#mapped(descriptor.close());
  }

  async abandon(): Promise<void> {
    const { descriptor, directory, directoryIdentity, temporary } = this.#begun;
    if (this.#isHandedOver) return;
    this.#isAbandoned = true;
    // A disk that failed may fail here again; the name goes nevertheless.
    await descriptor.close().catch(() => undefined);
    const unlinked = this.#writing.directories(directory, {}, async (held) => {
      if ((await held.identity()) === directoryIdentity) await unlinkName(held.child(temporary));
    });
    await unlinked.catch((error: unknown) => {
      if (!isMissing(error)) throw posixError(error, this.#writing.store, this.#path);
    });
  }

  async #complete(fd: number, { attributes, bytes, modifiedAt }: FileSealOptions): Promise<[FileFacts, string]> {
    if (this.#begun.isShared || this.#end !== bytes) {
      const { size } = await statFd(fd);
      if (size > bytes) throw this.#error('IoError', `has ${size} bytes, more than the ${bytes} it was to have`);
      await resizeFd(fd, bytes);
    }
    if (attributes) await applyAttributes(fd, this.#writing.store, this.#path, attributes);
    if (modifiedAt !== undefined) await setModified(fd, modifiedAt);
    const stats = await statFd(fd);
    if (Number(stats.size) !== bytes) throw this.#error('IoError', `has ${stats.size} bytes, not the ${bytes} it was to have`);
    return [factsOf(this.#path, stats), identityOf(stats)];
  }

  /** In the regular file's place, under the same temporary name. */
  async #becomeLink(linkTarget: string, { modifiedAt }: FileSealOptions): Promise<[FileFacts, string]> {
    const { directory, temporary } = this.#begun;
    const { directories, store } = this.#writing;
    checkTarget(store, this.#path, linkTarget);
    const stats = await this.#mapped(
      directories(directory, {}, async (held) => {
        await unlinkName(held.child(temporary));
        await symlink(linkTarget, held.child(temporary));
        if (modifiedAt !== undefined) await setLinkModified(held.child(temporary), modifiedAt);
        return statLink(held.child(temporary));
      }),
    );
    return [{ ...factsOf(this.#path, stats), bytes: 0, linkTarget }, identityOf(stats)];
  }

  async #longestWriteBytes(fd: number, bytes: number): Promise<number> {
    if (bytes <= CACHED_WRITE_BYTES) return bytes;
    this.#isInMemory ??= await isInMemory(fd);
    return this.#isInMemory ? bytes : CACHED_WRITE_BYTES;
  }

  #wroteTo(end: number): void {
    this.#end = Math.max(this.#end, end);
  }

  #call<T>(work: (fd: number) => Promise<T>): Promise<T> {
    return this.#mapped(this.#begun.descriptor.use(work));
  }

  async #mapped<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw posixError(error, this.#writing.store, this.#path);
    }
  }

  #error(type: 'IoError', clause: string): PenstockError {
    return new PenstockError(type, `${quoted(this.#path)} ${clause}.`, { store: this.#writing.store });
  }
}

const stepsOf = (directory: string): string[] => (directory === '' ? [] : directory.split('/'));

/**
 * Of a call that passes through the page cache. The kernel looks for as much memory in one piece as a call covers: 4 MiB took ten times the processor's time of 256 KiB on
 * ext4 (docs/performance.md). tmpfs takes page by page.
 */
const CACHED_WRITE_BYTES = 256 * 1024;
