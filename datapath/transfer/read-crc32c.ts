/** Reads an entry for its checksum alone: two blocks at a time, in any order. */
import { createBlockPool } from './block-pool.ts';
import { crc32cOf } from './crc32c.ts';
import { combineCrc32c, type Piece } from './crc32c-combine.ts';
import { type EntryReader, SPAN_BYTES } from './endpoint.ts';
import { inLanes } from './lanes.ts';
import type { RateLimiter } from './rate-limiter.ts';

const BLOCKS_AT_ONCE = 2;
/** One pool for all such reads of the process: they are rare and may wait for each other. */
const pool = createBlockPool(2 * SPAN_BYTES);

export interface ReadOptions {
  readonly limiter?: RateLimiter | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Closes the reader. @returns base64 */
export async function readCrc32c(reader: EntryReader, options: ReadOptions = {}): Promise<string> {
  try {
    return await readChecksum(reader, options);
  } finally {
    await reader.close();
  }
}

/** @returns base64 */
export async function readChecksum(reader: EntryReader, { limiter, signal }: ReadOptions = {}): Promise<string> {
  const { spanBytes } = reader;
  const { bytes } = reader.entry;
  const pieces: Piece[] = Array.from({ length: Math.ceil(bytes / spanBytes) });
  await inLanes(pieces.keys(), BLOCKS_AT_ONCE, async (index) => {
    signal?.throwIfAborted();
    const offset = index * spanBytes;
    const length = Math.min(spanBytes, bytes - offset);
    // Before a buffer is borrowed: whoever is held back here must not hold back the others.
    await limiter?.take(length, signal);
    const { buffer, release } = await pool.borrow(length, signal);
    try {
      const known = await reader.read(buffer, offset, signal);
      pieces[index] = { bytes: length, crc32c: known ?? crc32cOf(buffer) };
    } finally {
      release();
    }
  });
  await reader.verify();
  return combineCrc32c(pieces);
}
