import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { address } from 'koffi';
import { createBlockPool, type Lease } from '../../../../datapath/transfer/block-pool.ts';
import { BLOCK_BYTES } from '../../../../datapath/transfer/endpoint.ts';

test('lends buffers of the asked size, never more than the budget at once, and serves everyone in the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: BLOCK_BYTES }), { maxLength: 40 }), async (sizes) => {
      const budget = 2 * BLOCK_BYTES;
      const pool = createBlockPool(budget);
      let lent = 0;
      const held: Lease[] = [];
      const served = sizes.map(async (bytes) => {
        const lease = await pool.borrow(bytes);
        assert.equal(lease.buffer.length, bytes);
        lent += bytes;
        assert.ok(lent <= budget);
        held.push(lease);
      });
      for (let done = 0; done < sizes.length; ) {
        await new Promise(setImmediate);
        for (const lease of held.splice(0)) {
          lent -= lease.buffer.length;
          lease.release();
          lease.release(); // giving back twice is giving back once
          done += 1;
        }
      }
      await Promise.all(served);
    }),
    { numRuns: 30 },
  );
});

test('lends what begins at a page, for others are copied to slowly', async () => {
  const pool = createBlockPool(4 * BLOCK_BYTES);
  for (const bytes of [1, 70_000, BLOCK_BYTES]) {
    const { buffer } = await pool.borrow(bytes);
    assert.equal(Number(address(buffer) % 4096n), 0);
  }
});

test('lets go of whoever no longer waits', async () => {
  const pool = createBlockPool(BLOCK_BYTES);
  const first = await pool.borrow(BLOCK_BYTES);
  const controller = new AbortController();
  const impatient = pool.borrow(BLOCK_BYTES, controller.signal);
  const patient = pool.borrow(BLOCK_BYTES);
  controller.abort();
  await assert.rejects(impatient, { name: 'AbortError' });
  first.release();
  (await patient).release();
});
