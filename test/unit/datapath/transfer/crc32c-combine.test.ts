import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import { combineCrc32c } from '../../../../datapath/transfer/crc32c-combine.ts';

test('the checksum of a whole is that of its pieces combined, however it was cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3000 })), (pieces) => {
      const whole = crc32cOf(Buffer.concat(pieces));
      assert.equal(combineCrc32c(pieces.map((piece) => ({ bytes: piece.length, crc32c: crc32cOf(piece) }))), whole);
    }),
  );
});

test('pieces larger than 4 GiB count with all their bytes', () => {
  // 2^33 zeros, as 2^13 pieces of 2^20 and as one piece whose checksum came from two halves.
  const mebibyte = { bytes: 2 ** 20, crc32c: crc32cOf(Buffer.alloc(2 ** 20)) };
  const half = combineCrc32c(Array.from({ length: 2 ** 12 }, () => mebibyte));
  const whole = combineCrc32c(Array.from({ length: 2 ** 13 }, () => mebibyte));
  assert.equal(
    combineCrc32c([
      { bytes: 2 ** 32, crc32c: half },
      { bytes: 2 ** 32, crc32c: half },
    ]),
    whole,
  );
});
