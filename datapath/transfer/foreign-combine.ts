/** CRC32 and CRC64NVME of a whole from those of its pieces, as crc32c-combine.ts does it for the CRC32C, in numbers wide enough for both. */
import type { CombinedAlgorithm } from './foreign-checksum.ts';

export interface ForeignPiece {
  readonly bytes: number;
  /** Base64. */
  readonly value: string;
}

/** Bit-reversed polynomials. */
const KINDS: Readonly<Record<CombinedAlgorithm, { readonly bits: number; readonly polynomial: bigint }>> = {
  CRC32: { bits: 32, polynomial: 0xedb8_8320n },
  CRC64NVME: { bits: 64, polynomial: 0x9a6c_9329_ac4b_c9b5n },
};
/** Pieces have few sizes: the last one's and all others'. */
const KNOWN_SIZES = 64;

/** Element i is the image of bit i. */
type Matrix = readonly bigint[];

/** @param pieces in the order of their bytes */
export function combineForeign(algorithm: CombinedAlgorithm, pieces: Iterable<ForeignPiece>): string {
  let whole = 0n;
  for (const { bytes, value } of pieces) whole = times(zeroBytes(algorithm, bytes), whole) ^ BigInt(`0x${Buffer.from(value, 'base64').toString('hex')}`);
  return Buffer.from(whole.toString(16).padStart(KINDS[algorithm].bits / 4, '0'), 'hex').toString('base64');
}

const known = new Map<string, Matrix>();

/** The map that appends so many zero bytes. */
function zeroBytes(algorithm: CombinedAlgorithm, bytes: number): Matrix {
  const name = `${algorithm} ${bytes}`;
  const found = known.get(name);
  if (found) return found;
  const { bits, polynomial } = KINDS[algorithm];
  let made: Matrix = Array.from({ length: bits }, (_, bit) => 1n << BigInt(bit));
  // One zero bit, squared to a byte's eight; then squared again for each bit of the count.
  const bit: Matrix = Array.from({ length: bits }, (_, column) => (column === 0 ? polynomial : 1n << BigInt(column - 1)));
  let power = square(square(square(bit)));
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) made = made.map((column) => times(power, column));
    power = square(power);
  }
  if (known.size >= KNOWN_SIZES) known.clear();
  known.set(name, made);
  return made;
}

const square = (matrix: Matrix): Matrix => matrix.map((column) => times(matrix, column));

function times(matrix: Matrix, vector: bigint): bigint {
  let sum = 0n;
  for (let left = vector, column = 0; left !== 0n; left >>= 1n, column += 1) {
    if (left & 1n) sum ^= matrix[column] ?? 0n;
  }
  return sum;
}
