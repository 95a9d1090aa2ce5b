/** Drains of a whole site: who goes first, what a newer checkpoint supersedes, when the rack lets go of its copy, and which of them are removed at the end. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AllocationInput, AllocationKey, ReserveInput } from '../../client/index.ts';
import { listDrained } from '../../datapath/checkpoint/drained.ts';
import { type Lessor, withinWindow } from '../../datapath/transfer/leased-limiter.ts';
import { writeCheckpoint } from '../../dev/job/job.ts';
import { type CheckpointStatus, COMMIT_RECORD, checkpointDirectory, checkpointsPrefix, drainWorkflowId } from '../../model/checkpoint.ts';
import { checkpointRetentionWorkflowId } from '../../model/checkpoint-retention.ts';
import { rackAttribute } from '../../model/search-attributes.ts';
import { digestsOf, sorted, treeDigests } from '../support/facts.ts';
import { eventsOf, signalled } from '../support/histories.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const { signal } = new AbortController();
/** A checkpoint of these tests is 9.6 MB with its parity. */
const CAPACITY = 6_000_000;
const KEEP_DAYS = 0.0001; // nine seconds

type CheckpointState = CheckpointStatus['state'];

describe('drains over a scarce fabric', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite({
      // The floors of drains are so small a part that one is admitted at a time.
      fabrics: { storage: { capacity: CAPACITY, leaseSeconds: 2, drains: [NODE.rackId], weights: { inference: 999, drain: 1 } } },
      checkpoints: { supersede: 'undrained', keepLast: 1, keepDays: 7, overrides: { keepLast: [1, 2], keepDays: [KEEP_DAYS, 7] } },
    });
    await seedDataset(site.stores.warm, datasetFiles(3, 1000));
    await eventually('the broker to be open', async () => {
      const probe: ReserveInput = { requestId: 'probe', bytes: 1, class: 'scrub', tenant: 'acme' };
      const standing = await site.penstock.brokers.reserve('storage', probe);
      if (standing.kind !== 'window') return undefined;
      await site.penstock.brokers.release('storage', standing);
      return true;
    });
  });
  after(() => site.stop());

  async function running(allocationId: string, checkpoints?: AllocationInput['checkpoints']): Promise<AllocationKey> {
    const key = keyOf(allocationId);
    await site.penstock.submit(allocationInput(allocationId, checkpoints ? { checkpoints } : {}));
    await untilPhase(site, key, 'ready');
    await site.penstock.assignNodes(key, { nodes: [NODE] });
    return key;
  }
  async function reserve(key: AllocationKey, checkpointId: string, keep = false): Promise<void> {
    await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId, bytes: '10MB', ...(keep ? { keep } : {}) }), CHECKPOINT_FILES);
  }
  async function commit(key: AllocationKey, checkpointId: string, keep = false): Promise<void> {
    await reserve(key, checkpointId, keep);
    await site.penstock.commitCheckpoint(key, { checkpointId });
  }
  const stateOf = async (key: AllocationKey, checkpointId: string): Promise<CheckpointState | undefined> =>
    (await site.penstock.status(key)).checkpoints.find((each) => each.checkpointId === checkpointId)?.state;
  const until = (key: AllocationKey, checkpointId: string, state: CheckpointState): Promise<boolean> =>
    eventually(`${checkpointId} to be ${state}`, async () => {
      const found = await stateOf(key, checkpointId);
      if (found === state) return true;
      throw new Error(`it is ${found ?? 'not there'}`);
    });
  const waiting = (count: number): Promise<boolean> =>
    eventually(`${count} drains to wait`, async () => {
      const { waiting: drains } = await site.penstock.brokers.show('storage');
      return drains.length === count || undefined;
    });
  const inSet = async (key: AllocationKey): Promise<string[]> =>
    (await listDrained({ racks: site.stores.shardRacks, prefix: checkpointsPrefix(key), signal })).sort();
  const inRack = (key: AllocationKey, checkpointId: string): Promise<boolean> =>
    site.stores.rackFiles(NODE.rackId, NODE.nodeId).hasDirectory(checkpointDirectory(key, checkpointId));

  test('the allocation that would lose more work is the first to have a copy in the erasure set, though its checkpoint came later', async () => {
    const { brokers } = site.penstock;
    const endangered = await running('endangered');
    const fresh = await running('fresh');
    await brokers.pause('storage');
    await commit(fresh, 'step-1');
    await waiting(1);
    await commit(endangered, 'step-1');
    await waiting(2);
    await brokers.resume('storage');
    const first = await eventually('the first of them', async () => {
      const [one, other] = [await inSet(fresh), await inSet(endangered)];
      return one.length + other.length > 0 ? { fresh: one, endangered: other } : undefined;
    });
    assert.deepEqual(first, { fresh: [], endangered: ['step-1'] });
    await until(fresh, 'step-1', 'drained');
    // The other's first one was committed earlier: from then on it would lose more, however late its second one comes.
    await brokers.pause('storage');
    await commit(endangered, 'step-2');
    await waiting(1);
    await commit(fresh, 'step-2');
    await waiting(2);
    await brokers.resume('storage');
    const second = await eventually('the next of them', async () => {
      const [one, other] = [await inSet(fresh), await inSet(endangered)];
      return one.length + other.length > 2 ? { fresh: one, endangered: other } : undefined;
    });
    assert.deepEqual(second, { fresh: ['step-1', 'step-2'], endangered: ['step-1'] });
    await until(endangered, 'step-2', 'drained');
  });

  test('a newer one supersedes what its node has not begun to drain once it is committed; what is kept or under way is drained all the same', async () => {
    const key = await running('superseding');
    await site.penstock.brokers.pause('storage');
    await commit(key, 'step-1');
    await commit(key, 'kept', true);
    await until(key, 'step-1', 'superseded');
    assert.equal(await inRack(key, 'step-1'), false, 'its room in the rack is free while the fabric stands still');
    await commit(key, 'step-2');
    await reserve(key, 'step-3');
    assert.deepEqual([await stateOf(key, 'kept'), await stateOf(key, 'step-2'), await stateOf(key, 'step-3')], ['committed', 'committed', 'reserved']);
    await site.penstock.commitCheckpoint(key, { checkpointId: 'step-3' });
    await until(key, 'step-2', 'superseded');
    await waiting(2);
    await site.penstock.brokers.resume('storage');
    await until(key, 'kept', 'drained');
    await until(key, 'step-3', 'drained');
    await commit(key, 'step-4');
    await eventually('the drain of step-4 to begin', async () =>
      signalled(await eventsOf(site.temporal, drainWorkflowId({ ...key, checkpointId: 'step-4' })), 'drainBegun').length > 0 ? true : undefined,
    );
    // In the midst: it stands still, while the newer one is committed.
    await site.penstock.brokers.pause('storage');
    await commit(key, 'step-5');
    await site.penstock.brokers.resume('storage');
    await until(key, 'step-5', 'drained');
    await until(key, 'step-4', 'drained');
    assert.deepEqual(await inSet(key), ['kept', 'step-3', 'step-4', 'step-5']);
    const { checkpointCounts, journal } = await site.penstock.status(key);
    assert.deepEqual(checkpointCounts, { reserved: 0, committed: 0, drained: 4, superseded: 2 });
    assert.ok(journal.some(({ text }) => text === 'checkpoint step-1 superseded by kept'));
  });

  test('whose shards are damaged beyond repair before they are read back is drained again from its copy in the rack, which goes only then', async () => {
    const { brokers } = site.penstock;
    const key = await running('damaged');
    await brokers.pause('storage');
    await commit(key, 'step-1');
    await waiting(1);
    // Of another tenant, so that it comes between the two windows of the drain.
    const between = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const lessor: Lessor = {
      reserve: (request) => brokers.reserve('storage', request),
      renew: (request) => brokers.renew('storage', request),
      release: (token) => brokers.release('storage', token),
    };
    const wish = { class: 'drain' as const, tenant: 'globex', bytes: 1_000_000, atRiskSeconds: 0, holder: 'between', signal };
    const held = withinWindow(lessor, wish, () => {
      between.resolve();
      return over.promise;
    });
    await waiting(2);
    await brokers.resume('storage');
    await Promise.race([between.promise, held]);
    assert.deepEqual(await inSet(key), ['step-1'], 'all of it is stored, and none of it was read back');
    await damage(key);
    over.resolve();
    await held;
    await until(key, 'step-1', 'drained');
    assert.equal(await inRack(key, 'step-1'), false);
    const { path } = await site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-1' });
    assert.deepEqual(sorted(await treeDigests(join(site.stores.hotFiles.root, path))), sorted(digestsOf(CHECKPOINT_FILES)));
    const drain = site.temporal.workflow.getHandle(drainWorkflowId({ ...key, checkpointId: 'step-1' }));
    const { currentDetails } = await drain.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    assert.match(currentDetails, /^\*\*drained\*\*: checkpoint step-1, .* of node n001 in rack r01$/);
    assert.deepEqual((await drain.describe()).typedSearchAttributes.get(rackAttribute([]).key), ['r01']);
    await eventually('the restore to be found by its allocation', async () => {
      const ofAllocation = site.temporal.workflow.list({
        query: `WorkflowType = 'restoreCheckpoint' AND tenant = '${key.tenant}' AND allocationId = '${key.allocationId}'`,
      });
      for await (const { workflowId } of ofAllocation) if (workflowId.startsWith('restore/')) return true;
      return undefined;
    });
  });

  /** All but its record, on eight racks, where an object may lose four. */
  async function damage(key: AllocationKey): Promise<void> {
    const whole: { bucket: string; name: string; body: Buffer }[] = [];
    const { site: config, shardObjects } = site.stores;
    for (const { bucket } of config.erasureSet.racks) {
      const { entries } = await shardObjects.list(bucket, `ec/v1/shards/${checkpointsPrefix(key)}`);
      for (const { key: name } of entries) {
        if (!name.includes(COMMIT_RECORD)) whole.push({ bucket, name, body: await shardObjects.readBytes(bucket, name) });
      }
    }
    // Of 20 racks two have no shard of an object: eight of them have six at least.
    const damaged = new Set(config.erasureSet.racks.slice(0, 8).map(({ bucket }) => bucket));
    for (const { bucket, name, body } of whole) {
      if (!damaged.has(bucket)) continue;
      const rotten = Buffer.from(body);
      rotten.fill(0xa5, rotten.length / 4, (rotten.length * 3) / 4);
      await shardObjects.writeBytes(bucket, name, rotten);
    }
  }

  test('after the end of the allocation those go that are neither the last nor kept, by its own terms, by themselves and with every shard', async () => {
    const key = await running('retained', { keepLast: 2, keepDays: KEEP_DAYS });
    for (const checkpointId of ['named', 'step-2', 'step-3', 'step-4']) {
      await commit(key, checkpointId, checkpointId === 'named');
      await until(key, checkpointId, 'drained');
    }
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    assert.deepEqual(await inSet(key), ['named', 'step-2', 'step-3', 'step-4'], 'all stay until then');
    const retention = site.temporal.workflow.getHandle(checkpointRetentionWorkflowId(key));
    assert.partialDeepStrictEqual(await retention.result(), { removed: 1, last: { stay: 3, removed: 1, held: 0 } });
    assert.deepEqual(await inSet(key), ['named', 'step-3', 'step-4']);
    for (const { bucket } of site.stores.site.erasureSet.racks) {
      const { entries } = await site.stores.shardObjects.list(bucket, `ec/v1/shards/${checkpointsPrefix(key)}`);
      assert.ok(
        entries.every(({ key: name }) => /\/(named|step-3|step-4)\//.test(name)),
        bucket,
      );
    }
    assert.equal((await site.penstock.restoreCheckpoint({ ...key, checkpointId: 'named' })).files, CHECKPOINT_FILES.size);
  });
});
