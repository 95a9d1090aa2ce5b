/** Cuts a log into chunks at line ends. Where it cuts depends on the bytes alone, so every attempt makes the same chunks. */
import type { Readable } from 'node:stream';
import { bufferOf } from '../transfer/crc32c.ts';

export interface RawChunk {
  readonly bytes: Buffer;
  readonly offset: number;
  /** The line before it was cut, for it is longer than a chunk. */
  readonly continuesLine: boolean;
}

const NEWLINE = 0x0a;

/** Each chunk ends behind the last line end within `chunkBytes`, or, where there is none, after exactly so many bytes. Bytes, not text: any encoding passes. */
export async function* splitLog(log: Readable, chunkBytes: number): AsyncGenerator<RawChunk, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let offset = 0;
  let continuesLine = false;
  const take = (bytes: Buffer): RawChunk => {
    const chunk = { bytes, offset, continuesLine };
    offset += bytes.length;
    continuesLine = bytes.at(-1) !== NEWLINE;
    return chunk;
  };
  for await (const piece of log) {
    const buffer = bufferOf(piece);
    pending.push(buffer);
    pendingBytes += buffer.length;
    if (pendingBytes < chunkBytes) continue;
    let rest = Buffer.concat(pending, pendingBytes);
    while (rest.length >= chunkBytes) {
      const cut = rest.lastIndexOf(NEWLINE, chunkBytes - 1) + 1 || chunkBytes;
      yield take(rest.subarray(0, cut));
      rest = rest.subarray(cut);
    }
    pending = [rest];
    pendingBytes = rest.length;
  }
  if (pendingBytes > 0) yield take(Buffer.concat(pending, pendingBytes));
}
