import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { createContentHash } from '../../../../datapath/erasure/content-hash.ts';
import { noise } from './support.ts';

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const slabOf = (data: Buffer): ArrayBuffer => new Uint8Array(data).buffer;

describe('the hash of content', () => {
  for (const objectBytes of [100, 10_000_000]) {
    it(`is its SHA-256, and gives slabs back as they were (objects of ${objectBytes} bytes)`, async () => {
      const [first, second] = [noise(70_000), noise(70_000, 2)];
      const hash = createContentHash(objectBytes);
      const [back, other] = await Promise.all([hash.update(slabOf(first), 60_001), hash.update(slabOf(second), 5)]);
      assert.ok(Buffer.from(back).equals(first) && Buffer.from(other).equals(second));
      assert.equal(await hash.digest(), sha256(Buffer.concat([first.subarray(0, 60_001), second.subarray(0, 5)])));
    });
  }

  it('keeps objects apart that are hashed at the same time, and forgets one that is dropped', async () => {
    const pieces = Array.from({ length: 8 }, (_, index) => noise(50_000, index));
    const hashes = pieces.map(() => createContentHash(10_000_000));
    const dropped = createContentHash(10_000_000);
    await dropped.update(slabOf(noise(10)), 10);
    dropped.drop();
    for (const [index, hash] of hashes.entries()) {
      for (const piece of [pieces[index], pieces[(index + 1) % 8]]) await hash.update(slabOf(piece ?? Buffer.alloc(0)), 50_000);
    }
    for (const [index, hash] of hashes.entries()) {
      assert.equal(await hash.digest(), sha256(Buffer.concat([pieces[index] ?? Buffer.alloc(0), pieces[(index + 1) % 8] ?? Buffer.alloc(0)])));
    }
    assert.equal(await createContentHash(10_000_000).digest(), sha256(Buffer.alloc(0)));
  });
});
