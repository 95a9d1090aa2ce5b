/**
 * The CRC32C of a whole from those of its pieces, so that pieces may be moved side by side and in any order. Appending n zero bytes to a message is a linear map of
 * its CRC over GF(2); the map for a power of two is the square of the one before (M. Adler's crc32_combine in zlib shows the way).
 */
import { decodeCrc32c, encodeCrc32c } from './crc32c.ts';

/** Castagnoli, bit-reversed. */
const POLYNOMIAL = 0x82f63b78;
/** 2^53 bytes is more than any object has. */
const POWERS = 53;

/** Column i is the image of bit i. */
type Matrix = Uint32Array;

export interface Piece {
  readonly bytes: number;
  /** Base64, as in {@link crc32cOf}. */
  readonly crc32c: string;
}

/** @param pieces in the order of their bytes */
export function combineCrc32c(pieces: Iterable<Piece>): string {
  let whole = 0;
  for (const { bytes, crc32c } of pieces) whole = appendZeros(whole, bytes) ^ decodeCrc32c(crc32c);
  return encodeCrc32c(whole);
}

function appendZeros(crc: number, bytes: number): number {
  let value = crc;
  // Bit by bit through division: a shift would cut at 32 bits.
  for (let left = bytes, power = 0; left > 0; left = Math.floor(left / 2), power += 1) {
    if (left % 2 === 1) value = times(zeroBytes(power), value);
  }
  return value;
}

const known: Matrix[] = [];

/** The map that appends 2^power zero bytes. */
function zeroBytes(power: number): Matrix {
  if (power >= POWERS) throw new RangeError(`no content has 2^${power} bytes`);
  const found = known[power];
  if (found) return found;
  const made = power === 0 ? oneByte() : square(zeroBytes(power - 1));
  known[power] = made;
  return made;
}

function oneByte(): Matrix {
  const bit = new Uint32Array(32);
  bit[0] = POLYNOMIAL;
  for (let column = 1; column < 32; column += 1) bit[column] = 2 ** (column - 1);
  return square(square(square(bit)));
}

const square = (matrix: Matrix): Matrix => matrix.map((column) => times(matrix, column));

function times(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let left = vector >>> 0, column = 0; left !== 0; left >>>= 1, column += 1) {
    if (left & 1) sum ^= matrix[column] ?? 0;
  }
  return sum >>> 0;
}
