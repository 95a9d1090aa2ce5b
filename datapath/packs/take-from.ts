/** A byte stream taken in exact pieces. */
import type { Readable } from 'node:stream';
import { bufferOf } from '../transfer/crc32c.ts';

export interface ByteSource {
  /** Exactly so many bytes, copied. @throws what `endedEarly` makes */
  take(bytes: number): Promise<Buffer>;
  /** The same, fewer where the stream ends before. */
  upTo(bytes: number): Promise<Buffer>;
  /** What was taken comes again. */
  giveBack(bytes: Buffer): void;
  /** The next bytes, at most so many and without a copy; undefined at the end. */
  some(atMost: number): Promise<Buffer | undefined>;
  /** Whoever reads to the end learns whether the whole was sound. @returns false where more bytes follow */
  isAtEnd(): Promise<boolean>;
}

export function takeFrom(content: Readable, endedEarly: () => Error): ByteSource {
  const chunks = content[Symbol.asyncIterator]();
  let chunk: Buffer = Buffer.alloc(0);
  const fill = async (): Promise<boolean> => {
    while (chunk.length === 0) {
      const { done, value } = await chunks.next();
      if (done) return false;
      chunk = bufferOf(value);
    }
    return true;
  };
  const some = async (atMost: number): Promise<Buffer | undefined> => {
    if (!(await fill())) return undefined;
    const taken = chunk.subarray(0, atMost);
    chunk = chunk.subarray(taken.length);
    return taken;
  };
  const upTo = async (bytes: number): Promise<Buffer> => {
    const taken = Buffer.allocUnsafe(bytes);
    let filled = 0;
    while (filled < bytes) {
      const piece = await some(bytes - filled);
      if (!piece) break;
      filled += piece.copy(taken, filled);
    }
    return taken.subarray(0, filled);
  };
  return {
    some,
    upTo,
    giveBack(bytes) {
      chunk = Buffer.concat([bytes, chunk]);
    },
    async take(bytes) {
      const taken = await upTo(bytes);
      if (taken.length < bytes) throw endedEarly();
      return taken;
    },
    isAtEnd: async () => !(await fill()),
  };
}
