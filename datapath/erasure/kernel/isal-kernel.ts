/** The fastest kernel: Intel's ISA-L, called with plain addresses. A call costs 0.1 us; objects and Buffers as arguments would cost twenty times that. */

import type { IsalLibrary } from '../../native/isal-library.ts';
import { TOTAL_SHARDS } from '../layout.ts';
import type { Combination, Combine, ErasureKernel } from './kernel.ts';

/** Big cells are coded in pieces of this length, so that a piece whose CRC32C was taken is still in the cache when it is coded. */
const PIECE_BYTES = 65_536;
/** Vectors that lie across two cache lines cost a fifth of the speed, and V8's memory begins 16 bytes behind one. */
const LINE_BYTES = 64;
/** ISA-L's own, for each coefficient. */
const TABLE_BYTES = 32;
const POINTER_BYTES = 8n;
const TWO_TO_32 = 0x1_0000_0000;
const ALL_ONES = 0xffff_ffff;

export function createIsalKernel(library: IsalLibrary): ErasureKernel {
  // Sources first, then targets. Kept for good, as everything whose address is: the library knows nothing of garbage collection.
  // As halves, low one first: arithmetic on bigints would cost as much as a small call.
  const pointers = new Uint32Array(new ArrayBuffer(8 * TOTAL_SHARDS));
  const sourcePointers = library.addressOf(pointers);
  return { name: 'isal', description: `ISA-L, ${library.path}`, prepare };

  function prepare({ rows, sources, targets, checksummed }: Combination): Combine {
    const coefficients = Buffer.concat(rows);
    const tables = Buffer.allocUnsafeSlow(coefficients.length * TABLE_BYTES);
    library.initTables(sources.length, targets.length, coefficients, tables);
    const targetPointers = sourcePointers + POINTER_BYTES * BigInt(sources.length);
    const cells = [...sources, ...targets];
    const places = [...checksummed.keys()];
    const before = places.filter((place) => sources.includes(checksummed[place] ?? -1));
    const after = places.filter((place) => !before.includes(place));
    const pieceBytes = places.length > 0 ? PIECE_BYTES : Number.POSITIVE_INFINITY;

    return (slab, cellBytes) => {
      // Asked anew each time, and not only for the address: what this function does not mention, garbage collection takes.
      const tablesAddress = library.addressOf(tables);
      const slabStart = Number(library.addressOf(new Uint8Array(slab)));
      const checksums = checksummed.map(() => ALL_ONES);
      const lineStart = (LINE_BYTES - (slabStart % LINE_BYTES)) % LINE_BYTES;
      for (let start = 0; start < cellBytes; ) {
        const end = Math.min(start === 0 ? lineStart + pieceBytes : start + pieceBytes, cellBytes);
        const from = Math.max(start, lineStart);
        addTo(before, start, end);
        // The ends of the cells by themselves; what is made twice, is made alike.
        if (start === 0 && lineStart > 0) multiply(0, LINE_BYTES);
        if (end - from >= LINE_BYTES) multiply(from, end - from - ((end - from) % LINE_BYTES));
        if (end === cellBytes && lineStart > 0) multiply(cellBytes - LINE_BYTES, LINE_BYTES);
        addTo(after, start, end);
        start = end;
      }
      return checksums.map((checksum) => (checksum ^ ALL_ONES) >>> 0);

      function multiply(start: number, bytes: number): void {
        for (let place = 0; place < cells.length; place++) {
          const address = slabStart + (cells[place] ?? 0) * cellBytes + start;
          pointers[2 * place] = address;
          pointers[2 * place + 1] = address / TWO_TO_32;
        }
        library.encodeData(bytes, sources.length, targets.length, tablesAddress, sourcePointers, targetPointers);
      }

      function addTo(which: readonly number[], start: number, end: number): void {
        for (const place of which) {
          checksums[place] = library.crc32c(slabStart + (checksummed[place] ?? 0) * cellBytes + start, end - start, checksums[place] ?? 0);
        }
      }
    };
  }
}
