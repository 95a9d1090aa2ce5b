import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStripeCoder, generatorMatrix, reconstructionRows } from '../../../../datapath/erasure/code.ts';
import { inverse, invertMatrix, multiply } from '../../../../datapath/erasure/gf256.ts';
import type { Combination } from '../../../../datapath/erasure/kernel/kernel.ts';
import { slowInverse, slowMultiply } from '../../../support/erasure-definition.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('GF(2^8) with 0x11d', () => {
  it('multiplies as the definition says, for all 65,536 pairs', () => {
    for (let a = 0; a < 256; a++) for (let b = 0; b < 256; b++) assert.equal(multiply(a, b), slowMultiply(a, b));
  });
  it('inverts as the definition says, and refuses 0', () => {
    for (let a = 1; a < 256; a++) assert.equal(inverse(a), slowInverse(a));
    assert.throws(() => inverse(0), RangeError);
  });
  it('refuses to invert a singular or crooked matrix', () => {
    assert.throws(() => invertMatrix([Uint8Array.of(1, 2), Uint8Array.of(1, 2)]), /singular/);
    assert.throws(() => invertMatrix([Uint8Array.of(1, 2)]), /columns/);
  });
});

describe('the code 14+4', () => {
  it('has the matrix of gf_gen_cauchy1_matrix', () => {
    assert.equal(generatorMatrix.length, 18);
    for (const [i, row] of generatorMatrix.entries())
      assert.deepEqual(
        [...row],
        Array.from(row, (_, j) => (i < 14 ? Number(i === j) : slowInverse(i ^ j))),
      );
  });

  it('has an inverse for every one of the 3,060 choices of fourteen', () => {
    for (const present of combinations(18, 14)) {
      const wanted = range(0, 18).filter((index) => !present.includes(index));
      assert.equal(reconstructionRows(present, wanted).length, 4);
    }
  });
});

describe('the stripe coder', () => {
  const prepared: Combination[] = [];
  const coder = createStripeCoder({
    name: 'isal',
    description: 'counts',
    prepare(combination) {
      prepared.push(combination);
      return () => [];
    },
  });
  const slab = new ArrayBuffer(18 * 64);

  it('refuses what cannot be rebuilt, and says what is accepted', () => {
    const refused: readonly (readonly [present: number[], wanted: number[], message: RegExp])[] = [
      [range(0, 13), [17], /14 different cells must be present, not 13: 0, 1/],
      [range(0, 15), [17], /14 different cells must be present, not 15/],
      [[...range(0, 13), 12], [17], /14 different cells must be present/],
      [range(0, 14), [], /1 to 4 different cells can be rebuilt at once, not 0/],
      [range(0, 14), [14, 15, 16, 17, 18], /1 to 4 different cells can be rebuilt at once, not 5/],
      [range(0, 14), [15, 15], /1 to 4 different cells can be rebuilt at once, not 2: 15, 15/],
      [range(0, 14), [13], /cell 13 is both present and wanted/],
      [range(0, 14), [18], /there is no cell 18; a stripe has the cells 0 to 17/],
      [[...range(0, 13), -1], [17], /there is no cell -1/],
    ];
    for (const [present, wanted, message] of refused) assert.throws(() => coder.reconstruct(slab, 64, present, wanted), { name: 'RangeError', message });
  });

  it('refuses a slab that does not hold 18 cells, and cells that are no multiple of 64', () => {
    const message = /a slab of 1152 bytes does not hold 18 cells of 128; it must have 2304/;
    assert.throws(() => coder.encode(slab, 128), { name: 'RangeError', message });
    assert.throws(() => coder.reconstruct(slab, 128, range(0, 14), [17]), { name: 'RangeError', message });
    for (const cellBytes of [0, -64, 63, 96, 64.5, Number.NaN]) {
      assert.throws(() => coder.encode(new ArrayBuffer(18 * 96), cellBytes), /a cell has a multiple of 64 bytes, at least 64, not/);
    }
  });

  it('keeps the tables of a bounded number of patterns, the least recently used goes first', () => {
    const rebuild = (wanted: number[]) =>
      coder.reconstruct(
        slab,
        64,
        range(0, 18)
          .filter((index) => !wanted.includes(index))
          .slice(0, 14),
        wanted,
      );
    const countOf = (work: () => void): number => {
      const before = prepared.length;
      work();
      return prepared.length - before;
    };
    const patterns = range(0, 18).flatMap((first) => range(0, 18).flatMap((second) => (first === second ? [] : [[first, second]])));
    assert.equal(
      countOf(() => patterns.slice(0, 256).forEach(rebuild)),
      256,
    );
    assert.equal(
      countOf(() => patterns.slice(0, 256).forEach(rebuild)),
      0,
    );
    assert.equal(
      countOf(() => rebuild([17])),
      1,
    );
    assert.equal(
      countOf(() => patterns.slice(1, 256).forEach(rebuild)),
      0,
    );
    assert.equal(
      countOf(() => patterns.slice(0, 1).forEach(rebuild)),
      1,
    );
  });
});

function* combinations(size: number, count: number, from = 0): Generator<number[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let first = from; first <= size - count; first++) for (const rest of combinations(size, count - 1, first + 1)) yield [first, ...rest];
}
