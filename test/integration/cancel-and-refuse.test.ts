/** Refusals, cancellations and deadlines: everything taken is given back, from every phase. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AllocationKey } from '../../client/index.ts';
import { writeCheckpoint } from '../../dev/job/job.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { digestsOf, objectKeys, treeDigests } from '../support/facts.ts';
import {
  allocationInput,
  CHECKPOINT_FILES,
  datasetFiles,
  keyOf,
  NODE,
  OUTPUT_FILES,
  PLAIN_NODE,
  runJob,
  seedDataset,
  untilPhase,
} from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

describe('refused, overdue, cancelled without a mode', { concurrency: false }, () => {
  const dataset = datasetFiles(50, 2000);
  let site: TestSite;

  before(async () => {
    site = await startTestSite();
    await seedDataset(site.stores.warm, dataset);
  });
  after(() => site.stop());

  const submitReady = async (allocationId: string, overrides = {}): Promise<AllocationKey> => {
    const key = keyOf(allocationId);
    await site.penstock.submit(allocationInput(allocationId, overrides));
    await untilPhase(site, key, 'ready');
    return key;
  };
  const assertNothingHeld = async (key: AllocationKey) => {
    const held = await site.stores.hot.holdings(allocationWorkflowId(key));
    assert.deepEqual([held.exports, held.snapshots, held.reservations], [[], [], []]);
  };

  test('an invalid declaration is refused with the field, the value and what would be accepted', async () => {
    await assert.rejects(site.penstock.submit({ ...allocationInput('bad-1'), data: { mounts: [{ source: 'ftp://x', target: 'relative' }] } }), {
      type: 'InvalidInput',
      message: /data\.mounts\[0\]\.source: found "ftp:\/\/x"; accepted: .*s3:\/\/[\s\S]*data\.mounts\[0\]\.target/,
    });
  });

  test('what only the site can refuse fails the allocation with the same kind of message', async () => {
    const key = keyOf('bad-2');
    await site.penstock.submit(allocationInput('bad-2', { data: { mounts: [{ source: 's3://other-tenant/secret', target: '/data' }] } }));
    await assert.rejects(site.penstock.wait(key), {
      type: 'InvalidInput',
      message: /data\.mounts\[0\]\.source: found .*other-tenant.*accepted: .*acme, training-data/,
    });
    assert.equal((await site.penstock.status(key)).phase, 'failed');
  });

  test('a source that holds nothing fails at once and says where to look', async () => {
    const key = keyOf('bad-3');
    await site.penstock.submit(allocationInput('bad-3', { data: { mounts: [{ source: 's3://training-data/typo', target: '/data' }] } }));
    await assert.rejects(site.penstock.wait(key), { type: 'NotFound', message: /data\.mounts\[0\]\.source.*warm or cold/ });
    await assertNothingHeld(key);
  });

  test('floors beyond the tier are refused at the start, given back, and granted when there is room', async () => {
    const mounts = (floor: string) => ({ data: { mounts: [{ source: 's3://training-data/imagenet', target: '/data', bandwidth_floor: floor }] } });
    const first = await submitReady('floor-1', mounts('1.5GB/s'));
    await site.penstock.assignNodes(first, { nodes: [NODE] });
    const second = await submitReady('floor-2', mounts('1GB/s'));
    await assert.rejects(site.penstock.assignNodes(second, { nodes: [PLAIN_NODE] }), { type: 'FloorUnavailable' });
    assert.equal((await site.penstock.status(second)).phase, 'ready');
    assert.deepEqual((await site.stores.hot.holdings(allocationWorkflowId(second))).exports, []);
    await site.penstock.finish(first, { outcome: 'succeeded' });
    const plan = await site.penstock.assignNodes(second, { nodes: [PLAIN_NODE] });
    assert.equal(plan.mounts[0]?.floorBytesPerSecond, 1e9);
    await site.penstock.finish(second, { outcome: 'succeeded' });
  });

  test('nodes without a required feature are refused before anything is taken', async () => {
    const key = await submitReady('features', { requiredFeatures: ['nvme_scratch'] });
    await assert.rejects(site.penstock.assignNodes(key, { nodes: [PLAIN_NODE] }), {
      message: /nodes\[0\]\.features: found \[\]; accepted: nodes with "nvme_scratch"/,
    });
    await site.penstock.cancel(key, { mode: 'drain', reason: 'done' });
  });

  test('a cancellation through Temporal, which names no mode, drains: nothing is lost by it', async () => {
    const key = await submitReady('cancel-native');
    await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }));
    await site.temporal.workflow.getHandle(allocationWorkflowId(key)).cancel();
    await assert.rejects(site.penstock.wait(key), { type: 'Cancelled', message: /^drain: .*names no mode/ });
    assert.ok(await site.stores.warm.head('acme', 'vision/cancel-native/results/metrics.json'));
    const restored = await eventually('the drain of the acknowledged checkpoint', () => site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100' }));
    assert.equal(restored.files, CHECKPOINT_FILES.size);
    await assertNothingHeld(key);
  });

  test('a job whose scheduler vanished is ended at its walltime, kept and given back', async () => {
    const brief = await startTestSite({ policies: { leaseGraceSeconds: 1 } });
    try {
      await seedDataset(brief.stores.warm, dataset);
      const key = keyOf('absent');
      await brief.penstock.submit(allocationInput('absent', { walltimeSeconds: 4 }));
      await untilPhase(brief, key, 'ready');
      const plan = await brief.penstock.assignNodes(key, { nodes: [NODE] });
      await runJob(brief, key, plan, null);
      await assert.rejects(brief.penstock.wait(key), { type: 'DeadlineExceeded', message: /running/ });
      const held = await brief.stores.hot.holdings(allocationWorkflowId(key));
      assert.deepEqual([held.exports, held.reservations], [[], []]);
      assert.ok(await brief.stores.warm.head('acme', 'vision/absent/results/metrics.json'), 'a timeout is not a cancel: the output is kept');
    } finally {
      await brief.stop();
    }
  });

  test('a store that is gone for good holds neither nodes nor bandwidth: each phase ends at its deadline', async () => {
    const seconds = (count: number) => count / 3600;
    const brief = await startTestSite({ policies: { deadlines: { drainingMinutes: 0.1, archivingHours: seconds(4) } } });
    try {
      await seedDataset(brief.stores.warm, dataset);
      const key = keyOf('no-warm');
      await brief.penstock.submit(allocationInput('no-warm'));
      await untilPhase(brief, key, 'ready');
      await runJob(brief, key, await brief.penstock.assignNodes(key, { nodes: [NODE] }), null);
      await brief.running.service('s3-warm').kill('SIGKILL');
      const answer = await brief.penstock.finish(key, { outcome: 'succeeded' });
      assert.deepEqual(answer.uncleanNodes, ['n001'], 'its logs are still on it');
      await assert.rejects(brief.penstock.wait(key), { type: 'DeadlineExceeded', message: /phase archiving passed its deadline/ });
      const status = await brief.penstock.status(key);
      assert.ok(status.journal.some((entry) => entry.text.startsWith('output stays on the hot tier')));
      const held = await brief.stores.hot.holdings(allocationWorkflowId(key));
      assert.deepEqual([held.exports, held.reservations], [[], []]);
      for (const [path, digest] of digestsOf(OUTPUT_FILES)) {
        assert.equal((await treeDigests(join(brief.stores.hotFiles.root, 'acme/vision/no-warm'))).get(path), digest, path);
      }
    } finally {
      await brief.stop();
    }
  });

  test('a checkpoint in flight when the job ends is incomplete and its space is freed', async () => {
    const key = await submitReady('torn-end');
    await site.penstock.assignNodes(key, { nodes: [NODE] });
    const reservation = await site.penstock.reserveCheckpoint(key, { checkpointId: 'half', bytes: '10MB' });
    await writeCheckpoint(reservation, new Map([...CHECKPOINT_FILES].slice(0, 1)));
    await site.penstock.finish(key, { outcome: 'failed', exitCode: 137 });
    await untilPhase(site, key, 'released');
    assert.deepEqual([...(await treeDigests(reservation.rackPath)).keys()], []);
    await assert.rejects(site.penstock.restoreCheckpoint({ ...key, checkpointId: 'half' }), { type: 'NotFound' });
    assert.deepEqual(await objectKeys(site.stores.cold, 'acme', 'vision/torn-end/'), [], 'the output of a failed job is published, not locked');
  });
});
