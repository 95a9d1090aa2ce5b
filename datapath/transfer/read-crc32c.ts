/** Reads an entry for its checksum alone: two blocks at a time, in any order. Whatever checksum is on record of it is held to what was read. */
import { PenstockError } from '../../model/errors.ts';
import { createBlockPool } from './block-pool.ts';
import { crc32cOf } from './crc32c.ts';
import { combineCrc32c, type Piece } from './crc32c-combine.ts';
import { type EntryReader, SPAN_BYTES } from './endpoint.ts';
import { createForeignMeter, foreignOf, isCombined } from './foreign-checksum.ts';
import { combineForeign, type ForeignPiece } from './foreign-combine.ts';
import { inLanes } from './lanes.ts';
import type { Patience } from './patience.ts';
import type { RateLimiter } from './rate-limiter.ts';

const BLOCKS_AT_ONCE = 2;
/** One pool for all such reads of the process: they are rare and may wait for each other. */
const pool = createBlockPool(2 * SPAN_BYTES);

export interface ReadOptions {
  readonly limiter?: RateLimiter | undefined;
  /** Repeats a read by itself, where nobody repeats the whole. */
  readonly patience?: Patience | undefined;
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

/** @returns base64 @throws ChecksumMismatch where what is on record of the entry denies its content */
export async function readChecksum(reader: EntryReader, { limiter, patience, signal }: ReadOptions = {}): Promise<string> {
  const { spanBytes } = reader;
  const { bytes } = reader.entry;
  const pieces: Piece[] = Array.from({ length: Math.ceil(bytes / spanBytes) });
  const record = bytes > spanBytes ? await foreignRecord(reader) : undefined;
  await inLanes(pieces.keys(), record?.isInOrder ? 1 : BLOCKS_AT_ONCE, async (index) => {
    signal?.throwIfAborted();
    const offset = index * spanBytes;
    const length = Math.min(spanBytes, bytes - offset);
    // Before a buffer is borrowed: whoever is held back here must not hold back the others.
    await limiter?.take(length, signal);
    const { buffer, release } = await pool.borrow(length, signal);
    try {
      const read = () => reader.read(buffer, offset, signal);
      const known = await (patience ? patience.run(read, signal) : read());
      pieces[index] = { bytes: length, crc32c: known ?? crc32cOf(buffer) };
      await record?.add(index, buffer);
    } finally {
      release();
    }
  });
  await reader.verify();
  const crc32c = combineCrc32c(pieces);
  // A read of the whole in one request has compared it.
  const recorded = bytes > spanBytes ? await reader.recordedCrc32c() : undefined;
  if (recorded !== undefined && recorded !== crc32c) throw denied(reader, 'CRC32C', crc32c, recorded);
  await record?.compare();
  return crc32c;
}

interface ForeignRecord {
  /** Made of the pieces in their order alone, not of theirs. */
  readonly isInOrder: boolean;
  add(index: number, piece: Buffer): Promise<void>;
  compare(): Promise<void>;
}

async function foreignRecord(reader: EntryReader): Promise<ForeignRecord | undefined> {
  const recorded = await reader.recordedForeign?.();
  if (!recorded) return undefined;
  const { algorithm, value: expected } = recorded;
  const compare = (found: string): void => {
    if (found !== expected) throw denied(reader, algorithm, found, expected);
  };
  if (!isCombined(algorithm)) {
    const meter = createForeignMeter(algorithm);
    return { isInOrder: true, add: async (_index, piece) => meter.add(piece), compare: async () => compare(await meter.value()) };
  }
  const pieces: ForeignPiece[] = [];
  return {
    isInOrder: false,
    async add(index, piece) {
      pieces[index] = { bytes: piece.length, value: await foreignOf(algorithm, piece) };
    },
    compare: async () => compare(combineForeign(algorithm, pieces)),
  };
}

const denied = ({ entry }: EntryReader, algorithm: string, found: string, expected: string): PenstockError =>
  new PenstockError('ChecksumMismatch', `${JSON.stringify(entry.path)} was read with ${algorithm} ${found} where ${expected} is on record.`);
