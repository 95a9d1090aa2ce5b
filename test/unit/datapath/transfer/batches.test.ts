import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batches } from '../../../../datapath/transfer/batches.ts';
import { all } from '../erasure/support.ts';

test('batches hold every item once, in order, and end by number or with the item that fills them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 20 }), async (weights, items, full) => {
      const found = await all(batches(weights, { items, weight: { of: (weight) => weight, full } }));
      assert.deepEqual(found.flat(), weights);
      const weigh = (batch: readonly number[]): number => batch.reduce((total, weight) => total + weight, 0);
      for (const batch of found) {
        assert.ok(batch.length > 0 && batch.length <= items);
        assert.ok(weigh(batch.slice(0, -1)) < full, 'it was full before its last');
      }
      for (const batch of found.slice(0, -1)) assert.ok(batch.length === items || weigh(batch) >= full, 'it was not full');
    }),
  );
  assert.deepEqual(await all(batches([1, 2, 3], { items: 2 })), [[1, 2], [3]]);
});
