/** Workers killed with SIGKILL in each phase, and the Temporal server killed and restarted: time is lost, nothing else. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AllocationKey } from '../../client/index.ts';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { type Phase, phases } from '../../model/phase.ts';
import { digestsOf, objectDigests, objectKeys, sorted, treeDigests } from '../support/facts.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, OUTPUT_FILES, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const WORKERS = ['worker-control', 'worker-data'] as const;
const LIMIT_MS = 120_000;

describe('a crash costs time, never data', { concurrency: false }, () => {
  const dataset = datasetFiles(120, 3000);
  let site: TestSite;

  before(async () => {
    // Slow enough staging that a kill in the middle of it is in the middle of it: 360 kB at 150 kB/s.
    site = await startTestSite({ hot: { bandwidth: { read: '2GB/s', write: '500kB/s' } } });
    await seedDataset(site.stores.warm, dataset);
  });
  after(() => site.stop());

  const kill = async (names: readonly string[]): Promise<void> => {
    await Promise.all(names.map((name) => site.running.service(name).kill('SIGKILL')));
    await Promise.all(names.map((name) => site.running.service(name).restart()));
  };

  const strikes: readonly { readonly of: readonly string[]; readonly at: Phase }[] = [
    ...(['queued', 'staging', 'ready', 'starting', 'running', 'draining', 'archiving'] as const).map((at) => ({ of: WORKERS, at })),
    { of: ['temporal'], at: 'staging' },
    { of: ['temporal'], at: 'archiving' },
  ];

  for (const [index, { of, at }] of strikes.entries()) {
    test(`SIGKILL of ${of.join(' and ')} while ${at}`, async () => {
      const key = keyOf(`crash-${index}`);
      await seedDataset(site.stores.warm, dataset, 'training-data', `crash-${index}/`); // each stages under a name of its own
      const strike = strikeIn(key, at, () => kill(of));

      const data = { mounts: [{ source: `s3://training-data/crash-${index}`, target: '/data/input' }], scratch_per_node: '1MB' };
      await site.penstock.submit(allocationInput(key.allocationId, { data }));
      await strike('queued');
      await strike('staging');
      await untilPhase(site, key, 'ready', LIMIT_MS);
      await strike('ready');
      const assigned = site.penstock.assignNodes(key, { nodes: [NODE] });
      await strike('starting');
      const plan = await assigned;
      await strike('running');
      await runJob(site, key, plan);
      const finished = site.penstock.finish(key, { outcome: 'succeeded' });
      await strike('draining');
      await finished;
      await strike('archiving');
      const status = await untilPhase(site, key, 'released', LIMIT_MS);
      assert.deepEqual(status.checkpointCounts, { reserved: 0, committed: 0, drained: 1 });
      await assertEffectsOnce(key, index);
    });
  }

  /** Strikes only when the phase is seen: a phase that was over before would prove nothing, and fails the test. */
  function strikeIn(key: AllocationKey, at: Phase, killNow: () => Promise<void>) {
    return async (phase: Phase): Promise<void> => {
      if (phase !== at) return;
      const rank = (each: Phase) => phases.indexOf(each);
      const seen = await eventually(
        `${at} to be seen`,
        async () => {
          const now = (await site.penstock.status(key)).phase;
          return rank(now) >= rank(at) ? now : undefined;
        },
        LIMIT_MS,
      );
      assert.equal(seen, at, 'the kill came in the phase it is meant for');
      // In the middle of a file, so that what a killed worker leaves is there to be collected.
      if (at === 'staging') await eventually('a file on its way', async () => (await temporaryNames()).length > 0 || undefined, LIMIT_MS);
      await killNow();
    };
  }

  async function assertEffectsOnce(key: AllocationKey, index: number): Promise<void> {
    const prefix = `vision/${key.allocationId}/`;
    assert.deepEqual(
      sorted(await treeDigests(join(site.stores.hotFiles.root, 'training-data', `crash-${index}`))),
      sorted(digestsOf(dataset)),
      'staged once, byte for byte',
    );
    const cold = await objectDigests(site.stores.cold, 'acme', prefix);
    cold.delete('.penstock/output.json');
    assert.deepEqual(sorted(cold), sorted(digestsOf(OUTPUT_FILES)), 'archived once');
    const warm = (await objectKeys(site.stores.warm, 'acme', prefix)).filter((name) => !name.includes('/logs/') && !name.includes('/.penstock/'));
    assert.deepEqual(warm, [], 'the warm copy is gone');
    const logs = (await objectKeys(site.stores.warm, 'acme', `${prefix}logs/`)).filter((name) => name.endsWith('.zst'));
    assert.deepEqual(
      logs.map((name) => name.slice(prefix.length)),
      ['logs/stderr/n001/chunk_000.log.zst', 'logs/stdout/n001/chunk_000.log.zst'],
    );
    const held = await site.stores.hot.holdings(allocationWorkflowId(key));
    assert.deepEqual([held.exports, held.reservations], [[], []], 'everything is given back');
    assert.equal(held.snapshots.length, 1, 'one snapshot, however often it was asked for');
    const restored = await site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100' });
    assert.deepEqual(sorted(await treeDigests(join(site.stores.hotFiles.root, restored.path))), sorted(digestsOf(CHECKPOINT_FILES)));
    assert.deepEqual([...(await treeDigests(join(site.running.site.rackRoot, 'r01', 'checkpoints'))).keys()], [], 'the rack is empty');
    assert.deepEqual(await temporaryNames(), [], 'no temporary names are left');
  }

  async function temporaryNames(): Promise<readonly string[]> {
    const names = await readdir(site.stores.hotFiles.root, { recursive: true });
    return names.filter((path) => path.includes(TEMPORARY_PREFIX));
  }
});
