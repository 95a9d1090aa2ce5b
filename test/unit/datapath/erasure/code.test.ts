import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { encodeStripe, generatorMatrix, reconstructionRows, reconstructStripe } from '../../../../datapath/erasure/code.ts';
import { inverse, invertMatrix, multiply } from '../../../../datapath/erasure/gf256.ts';
import { noise } from './support.ts';

/** The oracle: carry-less multiplication and reduction by 0x11d, bit by bit, sharing nothing with the code under test. */
function slowMultiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if (b & (1 << bit)) product ^= a << bit;
  for (let bit = 14; bit >= 8; bit--) if (product & (1 << bit)) product ^= 0x11d << (bit - 8);
  return product;
}
function slowInverse(a: number): number {
  for (let candidate = 1; candidate < 256; candidate++) if (slowMultiply(a, candidate) === 1) return candidate;
  throw new Error(`${a} has no inverse`);
}

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
    // The first parity row as ISA-L prints it: inverses of 14 ^ 0, 14 ^ 1, ...
    assert.deepEqual(
      [...(generatorMatrix[14] ?? [])].map((entry, j) => slowMultiply(entry, 14 ^ j)),
      Array(14).fill(1),
    );
  });

  it('gives the parity of the definition', () => {
    const cellBytes = 64;
    const slab = slabOf(noise(14 * cellBytes), cellBytes);
    const checksums = encodeStripe(slab, cellBytes);
    const bytes = Buffer.from(slab);
    for (let i = 14; i < 18; i++) {
      for (let x = 0; x < cellBytes; x++) {
        let expected = 0;
        for (let j = 0; j < 14; j++) expected ^= slowMultiply(slowInverse(i ^ j), bytes[j * cellBytes + x] ?? 0);
        assert.equal(bytes[i * cellBytes + x], expected);
      }
    }
    assert.deepEqual(
      checksums,
      Array.from({ length: 18 }, (_, i) => crc32c(bytes.subarray(i * cellBytes, (i + 1) * cellBytes))),
    );
  });

  it('has an inverse for every one of the 3,060 choices of fourteen', () => {
    for (const present of combinations(18, 14)) {
      const wanted = Array.from({ length: 18 }, (_, index) => index).filter((index) => !present.includes(index));
      assert.equal(reconstructionRows(present, wanted).length, 4);
    }
  });

  it('rebuilds any one to four cells from any fourteen others', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: 18 }, (_, index) => index),
          { minLength: 1, maxLength: 4 },
        ),
        fc.integer({ min: 1, max: 40 }),
        fc.integer(),
        (lost, quarters, seed) => {
          const cellBytes = quarters * 4;
          const slab = slabOf(noise(14 * cellBytes, seed), cellBytes);
          const checksums = encodeStripe(slab, cellBytes);
          const whole = Buffer.from(slab.slice(0));
          const damaged = Buffer.from(slab);
          for (const index of lost) damaged.fill(0xee, index * cellBytes, (index + 1) * cellBytes);
          const present = Array.from({ length: 18 }, (_, index) => index)
            .filter((index) => !lost.includes(index))
            .slice(0, 14);
          assert.deepEqual(
            reconstructStripe(slab, cellBytes, present, lost),
            lost.map((index) => checksums[index]),
          );
          assert.ok(Buffer.from(slab).equals(whole));
        },
      ),
    );
  });

  it('refuses thirteen cells, the same one twice, and five wanted', () => {
    const slab = new ArrayBuffer(18 * 64);
    const thirteen = Array.from({ length: 13 }, (_, index) => index);
    assert.throws(() => reconstructStripe(slab, 64, thirteen, [17]), RangeError);
    assert.throws(() => reconstructStripe(slab, 64, [...thirteen, 12], [17]), RangeError);
    assert.throws(() => reconstructStripe(slab, 64, [...thirteen, 13], [13, 14, 15, 16, 17]), RangeError);
    assert.throws(() => encodeStripe(slab, 128), RangeError);
  });
});

function slabOf(data: Buffer, cellBytes: number): ArrayBuffer {
  const slab = new ArrayBuffer(18 * cellBytes);
  data.copy(Buffer.from(slab));
  return slab;
}

function* combinations(size: number, count: number, from = 0): Generator<number[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let first = from; first <= size - count; first++) for (const rest of combinations(size, count - 1, first + 1)) yield [first, ...rest];
}
