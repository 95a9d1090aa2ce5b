/** A mover that was silent past its heartbeat timeout and comes back: two attempts of one activity at once, one effect. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { digestsOf, sorted, treeDigests } from '../support/facts.ts';
import { allocationInput, datasetFiles, keyOf, NODE, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

describe('a zombie attempt', () => {
  const dataset = datasetFiles(150, 3000, 'zombie');
  let site: TestSite;
  before(async () => {
    site = await startTestSite({ hot: { bandwidth: { read: '2GB/s', write: '500kB/s' } } });
    await seedDataset(site.stores.warm, dataset, 'training-data', 'zombie/');
  });
  after(() => site.stop());

  test('writes under names of its own, and both end with the same data set', async () => {
    const key = keyOf('zombie');
    await site.penstock.submit(allocationInput('zombie', { data: { mounts: [{ source: 's3://training-data/zombie', target: '/data' }] } }));
    await eventually('bytes on their way', async () => ((await site.penstock.readiness(key)).doneBytes > 0 ? true : undefined));
    const pending = async () => (await site.temporal.workflow.getHandle('prestage/acme/vision/zombie/1').describe()).raw.pendingActivities?.[0];
    await site.running.service('worker-data').kill('SIGSTOP');
    await eventually('the first attempt to be given up', async () => (((await pending())?.attempt ?? 0) >= 2 ? true : undefined));
    await site.running.service('worker-data').kill('SIGCONT');

    const status = await untilPhase(site, key, 'ready', 120_000);
    assert.equal(status.readiness.files, dataset.size);
    const tree = await treeDigests(join(site.stores.hotFiles.root, 'training-data', 'zombie'));
    assert.deepEqual(sorted(tree), sorted(digestsOf(dataset)), 'whole, once, and no temporary names');
    await site.penstock.assignNodes(key, { nodes: [NODE] });
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'done' });
  });
});
