/** Before a kernel is trusted with data: one stripe against the definition, byte by byte, there and back. Takes a few milliseconds. */
import { crc32c } from '@node-rs/crc32';
import { createStripeCoder, generatorMatrix } from '../code.ts';
import { multiply } from '../gf256.ts';
import { DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS } from '../layout.ts';
import type { ErasureKernel } from './kernel.ts';

const CELL_BYTES = 192;

/** @throws where it gives other bytes or checksums than the format says */
export function checkKernel(kernel: ErasureKernel): void {
  const coder = createStripeCoder(kernel);
  const expected = expectedStripe();
  const slab = new ArrayBuffer(expected.length);
  const bytes = Buffer.from(slab);
  expected.copy(bytes, 0, 0, DATA_SHARDS * CELL_BYTES);
  const checksums = coder.encode(slab, CELL_BYTES);
  const cells = Array.from({ length: TOTAL_SHARDS }, (_, index) => index);
  const areRight = cells.every((index) => checksums[index] === crc32c(expected.subarray(index * CELL_BYTES, (index + 1) * CELL_BYTES)));
  const lost = cells.slice(0, PARITY_SHARDS);
  const isEncoded = bytes.equals(expected);
  bytes.fill(0, 0, PARITY_SHARDS * CELL_BYTES);
  coder.reconstruct(slab, CELL_BYTES, cells.slice(PARITY_SHARDS), lost);
  if (!areRight || !isEncoded || !bytes.equals(expected)) throw new Error(`${kernel.description} gives wrong results on this machine`);
}

function expectedStripe(): Buffer {
  const stripe = Buffer.alloc(TOTAL_SHARDS * CELL_BYTES);
  // Every byte value, in another order in each cell.
  for (let at = 0; at < DATA_SHARDS * CELL_BYTES; at++) stripe[at] = (at * 167 + (at >> 8)) & 255;
  for (const [index, row] of generatorMatrix.entries()) {
    for (let at = 0; at < CELL_BYTES; at++) {
      stripe[index * CELL_BYTES + at] = row.reduce((sum, coefficient, source) => sum ^ multiply(coefficient, stripe[source * CELL_BYTES + at] ?? 0), 0);
    }
  }
  return stripe;
}
