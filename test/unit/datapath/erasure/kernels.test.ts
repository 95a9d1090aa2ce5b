/** Every kernel against the definition in docs/formats/erasure.md, so that it does not matter which one wrote an object and which one reads it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { createStripeCoder, type StripeCoder } from '../../../../datapath/erasure/code.ts';
import { kernelNames, needKernel } from '../../../../datapath/erasure/kernel/choose.ts';
import { resolveIsal } from '../../../../dev/toolchain/libisal.ts';
import { CELLS, definedStripe, slowCrc32c } from '../../../support/erasure-definition.ts';
import { noise } from './support.ts';

// Fails here, with what to install, where the machine has none: what cannot be compared is not proven.
await resolveIsal();
const coders = new Map<string, StripeCoder>();
for (const name of kernelNames) coders.set(name, createStripeCoder(await needKernel(name)));

const everyCell = Array.from({ length: CELLS }, (_, index) => index);
const MIN_CELL = 64;
const MAX_CELL = 1_048_576;
/** Multiples of 64, odd ones most, small ones most; and what is special: whole pieces of each kernel, and one more. */
const cellSizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 64 }).map((units) => units * MIN_CELL) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 700 }).map((half) => (2 * half + 1) * MIN_CELL) },
  { weight: 1, arbitrary: fc.constantFrom(16_384, 16_448, 65_536, 65_600, 131_008) },
);
const erasures = fc.shuffledSubarray(everyCell, { minLength: 1, maxLength: 4 });

describe('all kernels', () => {
  for (const [name, coder] of coders) {
    it(`${name} makes the parities and checksums of the definition, at any size`, () => {
      fc.assert(
        fc.property(cellSizes, fc.integer(), (cellBytes, seed) => checkEncoding(coder, cellBytes, seed)),
        { numRuns: 60 },
      );
      for (const cellBytes of [MIN_CELL, MAX_CELL - MIN_CELL, MAX_CELL]) checkEncoding(coder, cellBytes, 7);
    });

    it(`${name} rebuilds any one to four cells from any fourteen others, in any order, and touches no other`, () => {
      fc.assert(
        fc.property(
          cellSizes,
          fc.integer(),
          erasures,
          fc.shuffledSubarray(everyCell, { minLength: CELLS, maxLength: CELLS }),
          (cellBytes, seed, lost, order) => {
            const present = order.filter((index) => !lost.includes(index)).slice(0, 14);
            checkRebuilding(coder, definedStripe(noise(14 * cellBytes, seed), cellBytes), cellBytes, present, lost);
          },
        ),
        { numRuns: 60 },
      );
    });

    it(`${name} rebuilds each of the 4,047 patterns of up to four lost cells`, () => {
      const stripe = definedStripe(noise(14 * MIN_CELL, 5), MIN_CELL);
      let patterns = 0;
      for (const lost of subsets(everyCell, 4)) {
        patterns++;
        const present = everyCell.filter((index) => !lost.includes(index)).slice(0, 14);
        checkRebuilding(coder, stripe, MIN_CELL, present, lost);
      }
      assert.equal(patterns, 4047);
    });
  }

  it('keep what they call into out of the way of garbage collection', () => {
    const stripe = definedStripe(noise(14 * MIN_CELL, 6), MIN_CELL);
    const patterns = [...subsets(everyCell, 2)];
    const rebuildAll = (coder: StripeCoder): void => {
      for (const lost of patterns) checkRebuilding(coder, stripe, MIN_CELL, everyCell.filter((index) => !lost.includes(index)).slice(0, 14), lost);
    };
    for (const coder of coders.values()) rebuildAll(coder);
    collectGarbage();
    // Takes the memory of whatever was freed; a table for two cells has 896 bytes.
    const rubbish = Array.from({ length: 2000 }, () => Buffer.allocUnsafeSlow(896).fill(0x5a));
    for (const coder of coders.values()) rebuildAll(coder);
    assert.ok(rubbish.every((each) => each[0] === 0x5a));
  });

  it('write one content alike and read each other, at sizes that real objects have', () => {
    for (const cellBytes of [65_536, 75_776, MAX_CELL]) {
      const data = noise(14 * cellBytes, cellBytes);
      const written = [...coders.values()].map((coder) => {
        const slab = slabOf(data, cellBytes);
        return { slab: Buffer.from(slab), checksums: coder.encode(slab, cellBytes) };
      });
      const [first, ...others] = written;
      assert.ok(first && others.length === 2);
      for (const other of others) {
        assert.ok(first.slab.equals(other.slab));
        assert.deepEqual(first.checksums, other.checksums);
      }
      for (const coder of coders.values()) checkRebuilding(coder, first.slab, cellBytes, everyCell.slice(4), [3, 0, 2, 1]);
    }
  });
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

function checkEncoding(coder: StripeCoder, cellBytes: number, seed: number): void {
  const data = noise(14 * cellBytes, seed);
  const slab = slabOf(data, cellBytes);
  const checksums = coder.encode(slab, cellBytes);
  const expected = definedStripe(data, cellBytes);
  assert.ok(Buffer.from(slab).equals(expected), `${cellBytes} bytes a cell, seed ${seed}`);
  assert.deepEqual(
    checksums,
    everyCell.map((index) => slowCrc32c(expected.subarray(index * cellBytes, (index + 1) * cellBytes))),
  );
}

/** Cells that are neither present nor wanted hold rubbish, which must stay. */
function checkRebuilding(coder: StripeCoder, stripe: Buffer, cellBytes: number, present: readonly number[], lost: readonly number[]): void {
  const slab = new ArrayBuffer(CELLS * cellBytes);
  const bytes = Buffer.from(slab);
  const expected = Buffer.from(stripe);
  for (const index of everyCell) {
    const [from, to] = [index * cellBytes, (index + 1) * cellBytes];
    if (present.includes(index)) stripe.copy(bytes, from, from, to);
    else bytes.fill(0xee, from, to);
    if (!present.includes(index) && !lost.includes(index)) expected.fill(0xee, from, to);
  }
  const checksums = coder.reconstruct(slab, cellBytes, present, lost);
  assert.ok(bytes.equals(expected), `${cellBytes} bytes a cell, ${lost.join()} from ${present.join()}`);
  assert.deepEqual(
    checksums,
    lost.map((index) => slowCrc32c(stripe.subarray(index * cellBytes, (index + 1) * cellBytes))),
  );
}

function slabOf(data: Buffer, cellBytes: number): ArrayBuffer {
  const slab = new ArrayBuffer(CELLS * cellBytes);
  data.copy(Buffer.from(slab));
  return slab;
}

/** All of one to `most` members. */
function* subsets(members: readonly number[], most: number): Generator<number[]> {
  for (const [at, first] of members.entries()) {
    yield [first];
    if (most > 1) for (const rest of subsets(members.slice(at + 1), most - 1)) yield [first, ...rest];
  }
}
