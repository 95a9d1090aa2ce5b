/** Reading a file as a stream, from its opening to its end: what was listed is what is read, or an error says so. */
import { addAbortSignal, Readable } from 'node:stream';
import type { Directories } from './contained-path.ts';
import type { FileReadOptions, OpenFile } from './port.ts';
import { openFileAt } from './posix-open.ts';

/** Large enough that a read's trip through the thread pool does not show, small enough for hundreds at once. */
const CHUNK_BYTES = 256 * 1024;

export async function readFileAt(root: string, store: string, directories: Directories, path: string, options: FileReadOptions): Promise<Readable> {
  const { ifMatch, start = 0, end = Number.MAX_SAFE_INTEGER, signal } = options;
  const file = await openFileAt(root, store, directories, path, ifMatch === undefined ? {} : { ifMatch });
  const stream = new FileStream(file, start, Math.min(end + 1, file.facts.bytes), ifMatch !== undefined);
  return signal ? addAbortSignal(signal, stream) : stream;
}

/** fs.ReadStream neither tells a file that changed under the reader nor one that shrank. */
class FileStream extends Readable {
  readonly #file: OpenFile;
  readonly #end: number;
  readonly #isVerified: boolean;
  #position: number;

  /** @param end exclusive */
  constructor(file: OpenFile, start: number, end: number, isVerified: boolean) {
    super({ highWaterMark: CHUNK_BYTES });
    this.#file = file;
    this.#position = start;
    this.#end = end;
    this.#isVerified = isVerified;
  }

  override _read(): void {
    this.#next().then(
      (chunk) => this.push(chunk),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#file.close().then(
      () => done(error),
      (closing: Error) => done(error ?? closing),
    );
  }

  async #next(): Promise<Buffer | null> {
    const bytes = Math.min(this.#end - this.#position, CHUNK_BYTES);
    if (bytes <= 0) {
      if (this.#isVerified) await this.#file.verify();
      return null;
    }
    const chunk = Buffer.allocUnsafe(bytes);
    await this.#file.read(chunk, this.#position);
    this.#position += bytes;
    return chunk;
  }
}
