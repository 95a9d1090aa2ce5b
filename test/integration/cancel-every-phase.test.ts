/** Cancelled in every phase, in both modes: everything taken is given back, and what is kept or dropped is what the answer said. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AllocationKey, CancelAnswer } from '../../client/index.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { type Phase, phases } from '../../model/phase.ts';
import { digestsOf, objectDigests, objectKeys, sorted, treeDigests } from '../support/facts.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, OUTPUT_FILES, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

type Mode = 'drain' | 'abandon';
const LIMIT_MS = 120_000;

describe('cancelled in every phase', { concurrency: false }, () => {
  const dataset = datasetFiles(60, 5000);
  let site: TestSite;

  before(async () => {
    // 300 kB at 150 kB/s: staging lasts long enough to be met.
    site = await startTestSite({ hot: { bandwidth: { read: '2GB/s', write: '500kB/s' } } });
  });
  after(() => site.stop());

  for (const phase of ['queued', 'staging', 'ready', 'starting', 'running', 'draining', 'archiving'] as const) {
    for (const mode of ['drain', 'abandon'] as const) {
      test(`${mode} while ${phase}`, async () => {
        const key = keyOf(`${phase}-${mode}`);
        await seedDataset(site.stores.warm, dataset, 'training-data', `${phase}-${mode}/`);
        await site.penstock.submit(
          allocationInput(key.allocationId, { data: { mounts: [{ source: `s3://training-data/${phase}-${mode}`, target: '/data' }] } }),
        );
        await bringTo(key, phase);
        const answer = await eventually('the answer', () => site.penstock.cancel(key, { mode, reason: 'the user changed their mind' }), 5000);
        await assert.rejects(site.penstock.wait(key), { type: 'Cancelled', message: `${mode}: the user changed their mind` });
        await assertGivenBack(key, phase === 'draining' || phase === 'archiving');
        if (phase === 'running') await assertKept(key, mode, answer);
      });
    }
  }

  /** Answers when the phase is seen; one that is over too soon would prove nothing, and fails. */
  async function bringTo(key: AllocationKey, phase: Phase): Promise<void> {
    const later = (one: Phase, other: Phase) => phases.indexOf(one) >= phases.indexOf(other);
    if (later(phase, 'starting')) {
      await untilPhase(site, key, 'ready', LIMIT_MS);
      const assigned = site.penstock.assignNodes(key, { nodes: [NODE] });
      if (phase === 'starting')
        assigned.catch(() => undefined); // cancelled under it
      else await runJob(site, key, await assigned);
    }
    if (later(phase, 'draining')) site.penstock.finish(key, { outcome: 'succeeded' }).catch(() => undefined);
    const seen = await eventually(
      phase,
      async () => {
        const now = (await site.penstock.status(key)).phase;
        return later(now, phase) ? now : undefined;
      },
      LIMIT_MS,
    );
    assert.equal(seen, phase);
  }

  async function assertGivenBack(key: AllocationKey, finished: boolean): Promise<void> {
    assert.equal((await site.penstock.status(key)).phase, 'cancelled');
    assert.equal((await site.temporal.workflow.getHandle(allocationWorkflowId(key)).describe()).status.name, 'CANCELLED');
    const held = await site.stores.hot.holdings(allocationWorkflowId(key));
    assert.deepEqual([held.exports, held.reservations], [[], []]);
    if (!finished) assert.deepEqual(held.snapshots, [], 'a snapshot is kept only for a job that ran to its end');
    const left = await treeDigests(join(site.running.site.nodes[0]?.localRoot ?? '', 'scratch'));
    assert.deepEqual([...left.keys()], [], 'scratch is wiped');
  }

  async function assertKept(key: AllocationKey, mode: Mode, answer: CancelAnswer): Promise<void> {
    const prefix = `vision/${key.allocationId}/`;
    assert.deepEqual(await objectKeys(site.stores.cold, 'acme', prefix), [], 'a cancelled job locks nothing away');
    const warm = await objectDigests(site.stores.warm, 'acme', prefix);
    const restore = () => site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100' });
    if (mode === 'drain') {
      assert.match(answer.keeps.join(), /checkpoint step-100.*logs.*output/);
      for (const [path, digest] of digestsOf(OUTPUT_FILES)) assert.equal(warm.get(path), digest, path);
      assert.ok(warm.has('logs/metadata.json'));
      const restored = await eventually('the drain that outlives the job', restore);
      assert.deepEqual(sorted(await treeDigests(join(site.stores.hotFiles.root, restored.path))), sorted(digestsOf(CHECKPOINT_FILES)));
      return;
    }
    assert.match(answer.drops.join(), /checkpoint step-100.*logs/);
    assert.equal(warm.size, 0);
    const gone = await eventually('the abandoned drain to clean up', async () => {
      const shards = await Promise.all(
        site.stores.shardRacks.map(async (rack) => (await rack.list('')).keys.filter((name) => name.includes(key.allocationId))),
      );
      const inRack = await treeDigests(join(site.running.site.rackRoot, 'r01', 'checkpoints', 'acme', 'vision', key.allocationId));
      return shards.flat().length + inRack.size === 0 ? true : undefined;
    });
    assert.ok(gone);
    await assert.rejects(restore(), { type: 'NotFound' });
  }
});
