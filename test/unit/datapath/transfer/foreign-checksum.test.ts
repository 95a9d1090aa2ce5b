import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FOREIGN_ALGORITHMS, foreignOf, isCombined } from '../../../../datapath/transfer/foreign-checksum.ts';
import { combineForeign } from '../../../../datapath/transfer/foreign-combine.ts';

describe('a checksum that others keep', () => {
  it('is the published one of the check text', async () => {
    const found = await Promise.all(FOREIGN_ALGORITHMS.map(async (algorithm) => [algorithm, await foreignOf(algorithm, Buffer.from('123456789'))]));
    assert.deepEqual(Object.fromEntries(found), {
      CRC32: Buffer.from('cbf43926', 'hex').toString('base64'),
      CRC64NVME: Buffer.from('ae8b14860a799888', 'hex').toString('base64'),
      SHA1: Buffer.from('f7c3bc1d808e04732adf679965ccc34ca7ae3441', 'hex').toString('base64'),
      SHA256: Buffer.from('15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225', 'hex').toString('base64'),
    });
  });

  for (const algorithm of FOREIGN_ALGORITHMS.filter(isCombined)) {
    it(`is that of its pieces, combined, as ${algorithm}`, async () => {
      const piece = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(4096, 70_001)).map((bytes) => randomBytes(bytes));
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
          const parts = await Promise.all(pieces.map(async (bytes) => ({ bytes: bytes.length, value: await foreignOf(algorithm, bytes) })));
          assert.equal(combineForeign(algorithm, parts), await foreignOf(algorithm, Buffer.concat(pieces)));
        }),
        { numRuns: 60 },
      );
    });
  }
});
