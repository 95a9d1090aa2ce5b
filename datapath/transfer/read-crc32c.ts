/** Reads an entry for its checksum alone: two blocks at a time, in any order. */
import { createBlockPool } from './block-pool.ts';
import { crc32cOf } from './crc32c.ts';
import { combineCrc32c, type Piece } from './crc32c-combine.ts';
import { BLOCK_BYTES, type EntryReader } from './endpoint.ts';
import { inLanes } from './lanes.ts';
import type { RateLimiter } from './rate-limiter.ts';

const BLOCKS_AT_ONCE = 2;
/** One pool for all such reads of the process: they are rare and may wait for each other. */
const pool = createBlockPool(4 * BLOCK_BYTES);

export interface ReadOptions {
  readonly limiter?: RateLimiter | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Closes the reader. @returns base64 */
export async function readCrc32c(reader: EntryReader, { limiter, signal }: ReadOptions = {}): Promise<string> {
  const { bytes } = reader.entry;
  const pieces: Piece[] = Array.from({ length: Math.ceil(bytes / BLOCK_BYTES) });
  try {
    await inLanes(pieces.keys(), BLOCKS_AT_ONCE, async (index) => {
      signal?.throwIfAborted();
      const offset = index * BLOCK_BYTES;
      const { buffer, release } = await pool.borrow(Math.min(BLOCK_BYTES, bytes - offset), signal);
      try {
        await limiter?.take(buffer.length, signal);
        const known = await reader.read(buffer, offset, signal);
        pieces[index] = { bytes: buffer.length, crc32c: known ?? crc32cOf(buffer) };
      } finally {
        release();
      }
    });
    await reader.verify();
    return combineCrc32c(pieces);
  } finally {
    await reader.close();
  }
}
