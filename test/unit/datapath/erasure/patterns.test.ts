/** Every way in which racks can be lost, on eighteen racks that hold one object. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { PatternReport } from './patterns-worker.ts';

describe('an object whose racks are lost', { concurrency: 2 }, () => {
  it('comes back byte for byte in all 4,048 patterns of up to four', async () => {
    assert.deepEqual(await lose({ from: 0, to: 4 }), { patterns: 4_048, outcomes: { read: 4_048 }, wrong: [] });
  });

  it('is refused in all 8,568 patterns of five, with an error that names the five', async () => {
    // Of five lost racks that held all five copies of the manifest, the manifest is the first thing missed.
    assert.deepEqual(await lose({ from: 5, to: 5 }), { patterns: 8_568, outcomes: { NotEnoughShards: 8_567, StoreUnavailable: 1 }, wrong: [] });
  });
});

async function lose(range: { readonly from: number; readonly to: number }): Promise<PatternReport> {
  const worker = new Worker(new URL('./patterns-worker.ts', import.meta.url), { workerData: range });
  const [report]: PatternReport[] = await once(worker, 'message');
  await worker.terminate();
  assert.ok(report);
  return report;
}
