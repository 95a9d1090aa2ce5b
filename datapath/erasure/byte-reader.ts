/** Takes exact numbers of bytes off a stream. */
import type { Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';

export interface ByteReader {
  /** IoError where the stream ends before. */
  take(bytes: number): Promise<Buffer>;
  close(): void;
}

export function readBytes(stream: Readable): ByteReader {
  // An error is seen by the next take; without one it must not end the process.
  stream.on('error', () => undefined);
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return {
    async take(bytes) {
      const target = Buffer.allocUnsafeSlow(bytes);
      for (let filled = 0; filled < bytes; ) {
        if (rest.length === 0) {
          const next: IteratorResult<unknown> = await chunks.next();
          if (next.done) throw new PenstockError('IoError', `the stream ended ${bytes - filled} bytes early.`);
          if (!Buffer.isBuffer(next.value)) throw new PenstockError('IoError', 'the stream is not one of bytes.');
          rest = next.value;
        }
        const copied = rest.copy(target, filled);
        filled += copied;
        rest = rest.subarray(copied);
      }
      return target;
    },
    close: () => void stream.destroy(),
  };
}
