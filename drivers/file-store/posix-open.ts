/** Opening a regular file to be read at any position: no link is followed unless asked, and what is read is checked to be what was opened. */
import { type BigIntStats, constants } from 'node:fs';
import { PenstockError } from '../../model/errors.ts';
import { type Directories, isNoDirectory, splitParent, splitPath } from './contained-path.ts';
import { Descriptor } from './descriptor.ts';
import { instantOf } from './instant.ts';
import { nextDataRange } from './libc.ts';
import type { FileAttributes, FileFacts, OpenFile, SymlinkPolicy } from './port.ts';
import { attributesOf } from './posix-attributes.ts';
import { errnoOf, posixError, quoted } from './posix-errors.ts';
import { resolvePath } from './posix-links.ts';
import { dropFd, openFd, readFd, statFd } from './raw-fs.ts';

/** O_NONBLOCK: opening a FIFO someone planted must not wait for its writer. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface OpenOptions {
  readonly ifMatch?: string;
  readonly symlinks?: SymlinkPolicy;
  readonly within?: string;
}
export async function openFileAt(root: string, store: string, directories: Directories, path: string, options: OpenOptions): Promise<PosixOpenFile> {
  try {
    const { fd, stats } = await openRegular(store, directories, path, splitPath(path, store)).catch(async (error: unknown) => {
      if (options.symlinks !== 'follow' || !isNoDirectory(error)) throw error;
      const resolved = await resolvePath({ root, store, directories, within: splitPath(options.within ?? '', store) }, [], path);
      if ('refused' in resolved) throw new PenstockError('Denied', `${quoted(path)} is not followed: ${resolved.refused}.`, { store, cause: error });
      return openRegular(store, directories, path, resolved.steps);
    });
    const facts = factsOf(path, stats);
    if (options.ifMatch === undefined || options.ifMatch === facts.etag) return new PosixOpenFile(store, fd, facts, String(stats.ino));
    dropFd(fd);
    throw changed(store, path, options.ifMatch, facts.etag);
  } catch (error) {
    throw posixError(error, store, path);
  }
}

async function openRegular(
  store: string,
  directories: Directories,
  path: string,
  steps: readonly string[],
): Promise<{ readonly fd: number; readonly stats: BigIntStats }> {
  const { directory, name } = splitParent(steps.join('/'), store);
  const fd = await directories(directory, {}, (parent) => openFd(parent.child(name), READ_FLAGS)).catch((error: unknown) => {
    // ENXIO: a socket, or a FIFO without its other end.
    throw errnoOf(error) === 'ENXIO' ? notRegular(store, path) : error;
  });
  const stats = await statFd(fd).catch((error: unknown) => {
    dropFd(fd);
    throw error;
  });
  if (stats.isFile()) return { fd, stats };
  dropFd(fd);
  throw notRegular(store, path);
}

export class PosixOpenFile implements OpenFile {
  readonly facts: FileFacts;
  readonly fileId: string;
  /** For copies inside the kernel. */
  readonly descriptor: Descriptor;
  readonly #store: string;

  constructor(store: string, fd: number, facts: FileFacts, fileId: string) {
    this.#store = store;
    this.facts = facts;
    this.fileId = fileId;
    this.descriptor = new Descriptor(fd);
  }

  async read(into: Buffer, position: number): Promise<void> {
    const bytes = await this.#call((fd) => readFd(fd, into, position));
    if (bytes < into.length) throw new PenstockError('SourceChanged', `${quoted(this.facts.path)} shrank while it was read.`, { store: this.#store });
  }

  async verify(): Promise<void> {
    const now = factsOf(this.facts.path, await this.#call(statFd));
    if (now.etag !== this.facts.etag) throw changed(this.#store, this.facts.path, this.facts.etag, now.etag);
  }

  nextData(position: number): Promise<{ readonly start: number; readonly end: number } | undefined> {
    return this.#call((fd) => dataFrom(fd, position, this.facts.bytes));
  }

  attributes(): Promise<FileAttributes> {
    return this.#call((fd) => attributesOf(fd, this.#store, this.facts.path));
  }

  close(): Promise<void> {
    return this.descriptor.close();
  }

  async #call<T>(work: (fd: number) => Promise<T>): Promise<T> {
    try {
      return await this.descriptor.use(work);
    } catch (error) {
      throw posixError(error, this.#store, this.facts.path);
    }
  }
}

/** Where nothing tells holes, everything is data. */
async function dataFrom(fd: number, position: number, bytes: number): Promise<{ readonly start: number; readonly end: number } | undefined> {
  if (position >= bytes) return undefined;
  const range = await nextDataRange(fd, position).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOSYS' || errnoOf(error) === 'EINVAL') return { start: position, end: bytes };
    throw error;
  });
  return range && range.start < bytes ? { start: range.start, end: Math.min(range.end, bytes) } : undefined;
}

export function factsOf(path: string, stats: Pick<BigIntStats, 'size' | 'mtimeNs'>): FileFacts {
  return {
    path,
    bytes: Number(stats.size),
    modifiedAt: instantOf(stats.mtimeNs),
    etag: `${stats.size}-${stats.mtimeNs}`,
  };
}

const notRegular = (store: string, path: string) => new PenstockError('NotFound', `${quoted(path)} is no regular file.`, { store });

function changed(store: string, path: string, expected: string, found: string): PenstockError {
  return new PenstockError('SourceChanged', `${quoted(path)} is ${found}, no longer ${expected} (size-mtime).`, { store });
}
