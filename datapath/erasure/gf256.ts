/** GF(2^8) with the polynomial 0x11d, as Reed-Solomon of the erasure format uses it (docs/formats/erasure.md). Addition is XOR. */

export const FIELD_POLYNOMIAL = 0x11d;

const exponentials = new Uint8Array(510);
const logarithms = new Uint8Array(256);
for (let exponent = 0, value = 1; exponent < 255; exponent++) {
  // Written twice over, so that a sum of two logarithms needs no modulo.
  exponentials[exponent] = value;
  exponentials[exponent + 255] = value;
  logarithms[value] = exponent;
  value <<= 1;
  if (value & 0x100) value ^= FIELD_POLYNOMIAL;
}

export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return at(exponentials, at(logarithms, a) + at(logarithms, b));
}

/** RangeError for 0, which has none. */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse in GF(256)');
  return at(exponentials, 255 - at(logarithms, a));
}

/** Rows of equal length; values 0 to 255. */
export type Matrix = readonly Uint8Array[];

/** Gauss-Jordan. RangeError where the matrix is singular or not square. */
export function invertMatrix(matrix: Matrix): Matrix {
  const size = matrix.length;
  const rows = matrix.map((row, index) => {
    if (row.length !== size) throw new RangeError(`row ${index} of a ${size} by ${size} matrix has ${row.length} columns`);
    const wide = new Uint8Array(2 * size);
    wide.set(row);
    wide[size + index] = 1;
    return wide;
  });
  for (let column = 0; column < size; column++) {
    const pivotIndex = rows.findIndex((row, index) => index >= column && at(row, column) !== 0);
    const pivot = rows[pivotIndex];
    const displaced = rows[column];
    if (!pivot || !displaced) throw new RangeError(`the matrix is singular in column ${column}`);
    rows[pivotIndex] = displaced;
    rows[column] = pivot;
    const scale = inverse(at(pivot, column));
    pivot.forEach((value, index) => {
      pivot[index] = multiply(value, scale);
    });
    for (const row of rows) {
      const factor = at(row, column);
      if (row === pivot || factor === 0) continue;
      row.forEach((value, index) => {
        row[index] = value ^ multiply(factor, at(pivot, index));
      });
    }
  }
  return rows.map((row) => row.subarray(size));
}

function at(array: Uint8Array, index: number): number {
  const value = array[index];
  if (value === undefined) throw new RangeError(`index ${index} is outside 0 to ${array.length - 1}`);
  return value;
}
