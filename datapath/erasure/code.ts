/** Reed-Solomon 14+4 on a slab: one buffer with a stripe's 18 cells, cell i at offset i * cellBytes. What to combine is decided here, how is the kernel's. */
import { inverse, invertMatrix, type Matrix, multiply } from './gf256.ts';
import type { Combine, ErasureKernel } from './kernel/kernel.ts';
import { DATA_SHARDS, MIN_CELL_BYTES, PARITY_SHARDS, TOTAL_SHARDS } from './layout.ts';

/** Systematic Cauchy matrix, 18 rows by 14 columns, as ISA-L's gf_gen_cauchy1_matrix makes it. */
export const generatorMatrix: Matrix = Array.from({ length: TOTAL_SHARDS }, (_, row) =>
  Uint8Array.from({ length: DATA_SHARDS }, (_, column) => (row < DATA_SHARDS ? Number(row === column) : inverse(row ^ column))),
);

export interface StripeCoder {
  /** Fills the slab's parity cells from its data cells. @returns the CRC32C of all 18 cells */
  encode(slab: ArrayBuffer, cellBytes: number): number[];
  /**
   * Fills the wanted cells (1 to 4, any) from exactly 14 others that are present; cells beside them keep what they hold. RangeError for any other count.
   * @returns the CRC32C of the wanted cells, in their order
   */
  reconstruct(slab: ArrayBuffer, cellBytes: number, present: readonly number[], wanted: readonly number[]): number[];
}

const dataIndices = range(0, DATA_SHARDS);
const parityIndices = range(DATA_SHARDS, TOTAL_SHARDS);
/** A lost rack gives the same pattern for every stripe of an object; 4 KB each at most, and there are millions of patterns with their orders. */
const PATTERNS_KEPT = 256;

/** For one thread. */
export function createStripeCoder(kernel: ErasureKernel): StripeCoder {
  const encode = kernel.prepare({
    rows: generatorMatrix.slice(DATA_SHARDS),
    sources: dataIndices,
    targets: parityIndices,
    checksummed: range(0, TOTAL_SHARDS),
  });
  /** Least recently used first. */
  const patterns = new Map<string, Combine>();

  return {
    encode(slab, cellBytes) {
      checkSlab(slab, cellBytes);
      return encode(slab, cellBytes);
    },
    reconstruct(slab, cellBytes, present, wanted) {
      checkSlab(slab, cellBytes);
      return reconstruction(present, wanted)(slab, cellBytes);
    },
  };

  function reconstruction(present: readonly number[], wanted: readonly number[]): Combine {
    const pattern = `${present.join()}/${wanted.join()}`;
    const known = patterns.get(pattern);
    const combine =
      known ?? kernel.prepare({ rows: reconstructionRows(present, wanted), sources: [...present], targets: [...wanted], checksummed: [...wanted] });
    patterns.delete(pattern);
    patterns.set(pattern, combine);
    const [oldest] = patterns.keys();
    if (patterns.size > PATTERNS_KEPT && oldest !== undefined) patterns.delete(oldest);
    return combine;
  }
}

/** Rows that give the wanted cells from the present ones: the wanted rows of the generator times the inverse of the present rows. */
export function reconstructionRows(present: readonly number[], wanted: readonly number[]): Matrix {
  if (present.length !== DATA_SHARDS || new Set(present).size !== DATA_SHARDS) {
    throw new RangeError(`${DATA_SHARDS} different cells must be present, not ${present.length}: ${present.join(', ')}`);
  }
  if (wanted.length === 0 || wanted.length > PARITY_SHARDS || new Set(wanted).size !== wanted.length) {
    throw new RangeError(`1 to ${PARITY_SHARDS} different cells can be rebuilt at once, not ${wanted.length}: ${wanted.join(', ')}`);
  }
  const both = wanted.filter((index) => present.includes(index));
  if (both.length > 0) throw new RangeError(`cell ${both.join(', ')} is both present and wanted; a cell that is present need not be rebuilt`);
  const inverted = invertMatrix(present.map(generatorRow));
  return wanted.map((index) => {
    const row = generatorRow(index);
    return Uint8Array.from({ length: DATA_SHARDS }, (_, column) =>
      inverted.reduce((sum, source, position) => sum ^ multiply(row[position] ?? 0, source[column] ?? 0), 0),
    );
  });
}

function generatorRow(index: number): Uint8Array {
  const row = generatorMatrix[index];
  if (!row) throw new RangeError(`there is no cell ${index}; a stripe has the cells 0 to ${TOTAL_SHARDS - 1}`);
  return row;
}

function checkSlab(slab: ArrayBuffer, cellBytes: number): void {
  if (!Number.isInteger(cellBytes) || cellBytes < MIN_CELL_BYTES || cellBytes % MIN_CELL_BYTES !== 0) {
    throw new RangeError(`a cell has a multiple of ${MIN_CELL_BYTES} bytes, at least ${MIN_CELL_BYTES}, not ${cellBytes}`);
  }
  if (slab.byteLength !== TOTAL_SHARDS * cellBytes) {
    throw new RangeError(`a slab of ${slab.byteLength} bytes does not hold ${TOTAL_SHARDS} cells of ${cellBytes}; it must have ${TOTAL_SHARDS * cellBytes}`);
  }
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
