/**
 * Reed-Solomon 14+4 on a slab: one buffer with a stripe's 18 cells, cell i at offset i * cellBytes. Four products per lookup: a
 * table per source cell holds, for each of 256 byte values, its product with up to four rows at once, a byte each in one
 * 32-bit word. So each data byte costs one load and one XOR for all four parities, and rebuilding is the same loop with another table.
 */
import { crc32c } from '@node-rs/crc32';
import { inverse, invertMatrix, type Matrix, multiply } from './gf256.ts';
import { DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS } from './layout.ts';

/** Systematic Cauchy matrix, 18 rows by 14 columns, as ISA-L's gf_gen_cauchy1_matrix makes it. */
export const generatorMatrix: Matrix = Array.from({ length: TOTAL_SHARDS }, (_, row) =>
  Uint8Array.from({ length: DATA_SHARDS }, (_, column) => (row < DATA_SHARDS ? Number(row === column) : inverse(row ^ column))),
);

const dataIndices = range(0, DATA_SHARDS);
const parityIndices = range(DATA_SHARDS, TOTAL_SHARDS);
const encodingTable = productTable(generatorMatrix.slice(DATA_SHARDS));

/** Fills the slab's parity cells from its data cells. @returns the CRC32C of all 18 cells */
export function encodeStripe(slab: ArrayBuffer, cellBytes: number): number[] {
  checkSlab(slab, cellBytes);
  combine(slab, cellBytes, dataIndices, parityIndices, encodingTable);
  return range(0, TOTAL_SHARDS).map((index) => crc32c(new Uint8Array(slab, index * cellBytes, cellBytes)));
}

/**
 * Fills the wanted cells (any, up to four) from exactly 14 others that are present. RangeError for any other count.
 * @returns the CRC32C of the wanted cells
 */
export function reconstructStripe(slab: ArrayBuffer, cellBytes: number, present: readonly number[], wanted: readonly number[]): number[] {
  checkSlab(slab, cellBytes);
  if (wanted.length === 0 || wanted.length > PARITY_SHARDS) throw new RangeError(`${wanted.length} cells wanted; 1 to ${PARITY_SHARDS} can be rebuilt at once`);
  combine(slab, cellBytes, present, wanted, reconstructionTable(present, wanted));
  return wanted.map((index) => crc32c(new Uint8Array(slab, index * cellBytes, cellBytes)));
}

let lastPattern = '';
let lastTable = encodingTable;

/** A lost rack gives the same pattern for every stripe, hence the memory of one. */
function reconstructionTable(present: readonly number[], wanted: readonly number[]): Int32Array {
  const pattern = `${present.join()}/${wanted.join()}`;
  if (pattern !== lastPattern) {
    lastTable = productTable(reconstructionRows(present, wanted));
    lastPattern = pattern;
  }
  return lastTable;
}

/** Rows that give the wanted cells from the present ones: the wanted rows of the generator times the inverse of the present rows. */
export function reconstructionRows(present: readonly number[], wanted: readonly number[]): Matrix {
  if (present.length !== DATA_SHARDS || new Set(present).size !== DATA_SHARDS) {
    throw new RangeError(`${DATA_SHARDS} different cells are needed, not ${present.join(', ')}`);
  }
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
  if (!row) throw new RangeError(`there is no shard ${index}`);
  return row;
}

function productTable(rows: Matrix): Int32Array {
  const table = new Int32Array(DATA_SHARDS * 256);
  for (let source = 0; source < DATA_SHARDS; source++) {
    for (let value = 0; value < 256; value++) {
      table[source * 256 + value] = rows.reduce((packed, row, output) => packed | (multiply(row[source] ?? 0, value) << (8 * output)), 0);
    }
  }
  return table;
}

/**
 * The hot loop: four byte positions a turn, read and written as words. One view and one table, for their bounds checks and base pointers
 * then stay in registers. The `?? 0` and `| 0` are for the type checker and for V8's 32-bit arithmetic; offsets are checked by the callers.
 */
function combine(slab: ArrayBuffer, cellBytes: number, sources: readonly number[], targets: readonly number[], table: Int32Array): void {
  const words = new Int32Array(slab);
  const cellWords = cellBytes >> 2;
  const starts = Int32Array.from(sources, (index) => index * cellWords);
  const outputs = Int32Array.from(targets, (index) => index * cellWords);
  for (let position = 0; position < cellWords; position++) {
    let first = 0;
    let second = 0;
    let third = 0;
    let fourth = 0;
    for (let source = 0, base = 0; source < DATA_SHARDS; source++, base += 256) {
      const word = words[(starts[source] ?? 0) + position] ?? 0;
      first ^= table[base + (word & 255)] ?? 0;
      second ^= table[base + ((word >>> 8) & 255)] ?? 0;
      third ^= table[base + ((word >>> 16) & 255)] ?? 0;
      fourth ^= table[base + (word >>> 24)] ?? 0;
    }
    for (let output = 0, shift = 0; output < outputs.length; output++, shift += 8) {
      words[(outputs[output] ?? 0) + position] =
        ((first >>> shift) & 255) | (((second >>> shift) & 255) << 8) | (((third >>> shift) & 255) << 16) | ((fourth >>> shift) << 24);
    }
  }
}

function checkSlab(slab: ArrayBuffer, cellBytes: number): void {
  if (cellBytes % 4 !== 0 || slab.byteLength !== TOTAL_SHARDS * cellBytes) {
    throw new RangeError(`a slab of ${slab.byteLength} bytes does not hold ${TOTAL_SHARDS} cells of ${cellBytes}`);
  }
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
