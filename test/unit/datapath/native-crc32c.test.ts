import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { crc32c as portable } from '@node-rs/crc32';
import fc from 'fast-check';
import { crc32c, fastestCrc32c } from '../../../datapath/native/crc32c.ts';
import { resolveIsal } from '../../../dev/toolchain/libisal.ts';

before(async () => {
  await resolveIsal();
  assert.equal(await fastestCrc32c(), 'isal');
});

it('is the same by ISA-L as without it, from any offset, of any length, in any pieces', () => {
  const memory = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 251));
  fc.assert(
    fc.property(fc.nat(memory.length), fc.nat(memory.length), fc.nat(memory.length), (...cuts) => {
      const [start = 0, middle = 0, end = 0] = cuts.sort((one, other) => one - other);
      const whole = portable(memory.subarray(start, end));
      assert.equal(crc32c(memory.subarray(start, end)), whole);
      assert.equal(crc32c(memory.subarray(middle, end), crc32c(memory.subarray(start, middle))), whole);
    }),
    { numRuns: 500 },
  );
});
