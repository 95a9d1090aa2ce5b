/** Reading a regular file: opened without following links, checked to be what was listed, at its beginning and at its end. */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { addAbortSignal, Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';
import { splitParent, withDirectory } from './contained-path.ts';
import type { FileFacts, FileReadOptions } from './port.ts';
import { errnoOf, posixError, quoted } from './posix-errors.ts';

/** Large enough that a read's trip through the thread pool does not show, small enough for hundreds at once. */
const CHUNK_BYTES = 256 * 1024;

/** O_NONBLOCK: opening a FIFO someone planted must not wait for its writer. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export async function readFileAt(root: string, store: string, path: string, options: FileReadOptions): Promise<Readable> {
  const handle = await openFile(root, store, path);
  try {
    const facts = factsOf(path, await handle.stat({ bigint: true }));
    if (options.ifMatch !== undefined && options.ifMatch !== facts.etag) throw changed(store, path, options.ifMatch, facts.etag);
    const stream = new FileStream({
      handle,
      store,
      path,
      ifMatch: options.ifMatch,
      start: options.start ?? 0,
      end: Math.min(options.end ?? Number.MAX_SAFE_INTEGER, facts.bytes - 1),
    });
    return options.signal ? addAbortSignal(options.signal, stream) : stream;
  } catch (error) {
    await handle.close();
    throw posixError(error, store, path);
  }
}

export function factsOf(path: string, stats: BigIntStats): FileFacts {
  const milliseconds = stats.mtimeNs / 1_000_000n;
  return {
    path,
    bytes: Number(stats.size),
    modifiedAt: new Date(Number(milliseconds)).toISOString(),
    etag: `${stats.size}-${stats.mtimeNs}`,
  };
}

async function openFile(root: string, store: string, path: string): Promise<FileHandle> {
  const { directory, name } = splitParent(path, store);
  return withDirectory(root, store, directory, {}, async (parent) => {
    const handle = await open(parent.child(name), READ_FLAGS).catch((error: unknown) => {
      // ENXIO: a socket, or a FIFO without its other end.
      if (errnoOf(error) === 'ENXIO') throw notRegular(store, path);
      throw posixError(error, store, path);
    });
    const stats = await handle.stat();
    if (stats.isFile()) return handle;
    await handle.close();
    throw notRegular(store, path);
  });
}

const notRegular = (store: string, path: string) => new PenstockError('NotFound', `${quoted(path)} is no regular file.`, { store });

function changed(store: string, path: string, expected: string, found: string): PenstockError {
  return new PenstockError('SourceChanged', `${quoted(path)} is ${found}, no longer ${expected} (size-mtime).`, { store });
}

interface Reading {
  readonly handle: FileHandle;
  readonly store: string;
  readonly path: string;
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
  readonly ifMatch: string | undefined;
}

/** fs.ReadStream neither tells a file that changed under the reader nor one that shrank. */
class FileStream extends Readable {
  readonly #reading: Reading;
  #position: number;

  constructor(reading: Reading) {
    super({ highWaterMark: CHUNK_BYTES });
    this.#reading = reading;
    this.#position = reading.start;
  }

  override _read(): void {
    this.#next().then(
      (chunk) => this.push(chunk),
      (error: unknown) => this.destroy(posixError(error, this.#reading.store, this.#reading.path)),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reading.handle.close().then(
      () => done(error),
      (closing: Error) => done(error ?? closing),
    );
  }

  async #next(): Promise<Buffer | null> {
    const { handle, end, path, store } = this.#reading;
    const left = end - this.#position + 1;
    if (left <= 0) return this.#finish();
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES)), 0, Math.min(left, CHUNK_BYTES), this.#position);
    if (bytesRead === 0) throw new PenstockError('SourceChanged', `${quoted(path)} shrank while it was read.`, { store });
    this.#position += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  async #finish(): Promise<null> {
    const { handle, ifMatch, path, store } = this.#reading;
    if (ifMatch === undefined) return null;
    const now = factsOf(path, await handle.stat({ bigint: true }));
    if (now.etag !== ifMatch) throw changed(store, path, ifMatch, now.etag);
    return null;
  }
}
