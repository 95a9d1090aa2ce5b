/** Names used twice: what was acknowledged or published under a name stays what it was. */
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkpointFiles, writeCheckpoint } from '../../dev/job/job.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import { digestsOf, sorted, treeDigests } from '../support/facts.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

describe('names used twice', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite();
    await seedDataset(site.stores.warm, datasetFiles(10, 1000));
  });
  after(() => site.stop());

  const start = async (allocationId: string) => {
    const key = keyOf(allocationId);
    await site.penstock.submit(allocationInput(allocationId));
    await untilPhase(site, key, 'ready');
    return { key, plan: await site.penstock.assignNodes(key, { nodes: [NODE] }) };
  };

  test('a checkpoint id that was committed is refused, in this allocation and in one resubmitted after a failure', async () => {
    const { key, plan } = await start('ring');
    await runJob(site, key, plan);
    await eventually('the drain', async () => ((await site.penstock.status(key)).checkpointCounts.drained === 1 ? true : undefined));
    await assert.rejects(site.penstock.reserveCheckpoint(key, { checkpointId: 'step-100', bytes: 1000 }), { message: /already drained/ });
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'to be tried again' });
    await assert.rejects(site.penstock.wait(key), { type: 'Cancelled' });

    const again = await start('ring');
    await assert.rejects(site.penstock.reserveCheckpoint(again.key, { checkpointId: 'step-100', bytes: 1000 }), {
      type: 'Conflict',
      message: /step-100 was committed before.*another checkpoint id/,
    });
    const restored = await site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100' });
    assert.deepEqual(sorted(await treeDigests(join(site.stores.hotFiles.root, restored.path))), sorted(digestsOf(CHECKPOINT_FILES)));
    await site.penstock.cancel(again.key, { mode: 'abandon', reason: 'done' });
  });

  test('a commit record that the job copied along is not believed', async () => {
    const { key } = await start('copied');
    const first = await site.penstock.reserveCheckpoint(key, { checkpointId: 'one', bytes: '1MB' });
    await writeCheckpoint(first, checkpointFiles('one', 1, 1000));
    await site.penstock.commitCheckpoint(key, { checkpointId: 'one' });
    const second = await site.penstock.reserveCheckpoint(key, { checkpointId: 'two', bytes: '1MB' });
    await writeCheckpoint(second, checkpointFiles('two', 1, 1000));
    await copyFile(join(first.localPath, COMMIT_RECORD), join(second.rackPath, COMMIT_RECORD));
    await assert.rejects(site.penstock.commitCheckpoint(key, { checkpointId: 'two' }), { type: 'CheckpointIncomplete', message: /another checkpoint/ });
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'done' });
  });

  test('an allocation that published is not run again under its id', async () => {
    const { key, plan } = await start('twice');
    await runJob(site, key, plan, null);
    await site.penstock.cancel(key, { mode: 'drain', reason: 'kept what there was' });
    await assert.rejects(site.penstock.wait(key), { type: 'Cancelled' });
    await site.penstock.submit(allocationInput('twice'));
    await assert.rejects(site.penstock.wait(key), { type: 'Conflict', message: /published output already.*another allocationId/ });
  });

  test('a tenant cannot be named like a bucket of the site', async () => {
    await site.penstock.submit({ ...allocationInput('alice'), tenant: 'home' });
    await assert.rejects(site.penstock.wait({ ...keyOf('alice'), tenant: 'home' }), { type: 'InvalidInput', message: /tenant: found "home"/ });
  });

  test('a node or rack that the site does not know is refused, and the allocation stays ready', async () => {
    const key = keyOf('wrong-rack');
    await site.penstock.submit(allocationInput('wrong-rack'));
    await untilPhase(site, key, 'ready');
    await assert.rejects(site.penstock.assignNodes(key, { nodes: [{ ...NODE, rackId: 'r99' }] }), {
      type: 'NodeUnavailable',
      message: /nodes\[0\]\.rackId: found r99; accepted: r01/,
    });
    assert.equal((await untilPhase(site, key, 'ready')).phase, 'ready');
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'done' });
  });

  test("an extension never falls below the site's own period", async () => {
    const { key } = await start('extension');
    const soon = new Date(Date.now() + 86_400_000).toISOString();
    await assert.rejects(site.penstock.extendRetention(key, { retainUntil: soon }), { message: /never shortened/ });
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'done' });
  });
});
