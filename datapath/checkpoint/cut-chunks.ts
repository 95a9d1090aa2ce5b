/** A file's bytes, cut into chunks of 4 MiB in aligned memory. */
import { crc32c } from '../native/crc32c.ts';
import type { ChunkBlocks } from './chunk-blocks.ts';
import { BLOCK_BYTES, CHUNK_BYTES, padded } from './ring-format.ts';
import type { CheckpointChunk } from './sink.ts';

export type CutChunk = Pick<CheckpointChunk, 'offset' | 'bytes' | 'crc32c' | 'fileBytes' | 'block'>;

/** An empty file is one chunk of no bytes. Each block taken belongs to whoever gets the chunk. */
export async function* cutChunks(content: AsyncIterable<Uint8Array>, blocks: Pick<ChunkBlocks, 'take'>): AsyncGenerator<CutChunk, void> {
  let [block, filled, offset] = [await blocks.take(), 0, 0];
  for await (const piece of content) {
    for (let at = 0; at < piece.length; ) {
      // A full block waits for the next byte: only the last one tells the file's length.
      if (filled === CHUNK_BYTES) {
        yield chunkOf(block, offset, filled, undefined);
        offset += filled;
        [block, filled] = [await blocks.take(), 0];
      }
      const taken = piece.subarray(at, at + CHUNK_BYTES - filled);
      block.set(taken, BLOCK_BYTES + filled);
      filled += taken.length;
      at += taken.length;
    }
  }
  yield chunkOf(block, offset, filled, offset + filled);
}

function chunkOf(block: Buffer, offset: number, bytes: number, fileBytes: number | undefined): CutChunk {
  const end = BLOCK_BYTES + bytes;
  block.fill(0, end, BLOCK_BYTES + padded(bytes));
  return { offset, bytes, crc32c: crc32c(block.subarray(BLOCK_BYTES, end)), fileBytes, block };
}
