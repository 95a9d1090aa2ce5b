/** Workers killed with SIGKILL in each phase, and the Temporal server killed and restarted: time is lost, nothing else. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AllocationKey } from '../../client/index.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import type { Phase } from '../../model/phase.ts';
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

  const killWorkers = async () => {
    for (const name of WORKERS) site.running.service(name).kill('SIGKILL');
    for (const name of WORKERS) await site.running.service(name).restart();
  };
  const killTemporal = async () => {
    site.running.service('temporal').kill('SIGKILL');
    await site.running.service('temporal').restart();
  };

  const kills: readonly { readonly name: string; readonly at: Phase; readonly kill: () => Promise<void> }[] = [
    ...(['queued', 'staging', 'ready', 'starting', 'running', 'draining', 'archiving'] as const).map((at) => ({
      name: `both workers while ${at}`,
      at,
      kill: killWorkers,
    })),
    { name: 'the Temporal server while staging', at: 'staging', kill: killTemporal },
    { name: 'the Temporal server while archiving', at: 'archiving', kill: killTemporal },
  ];

  for (const [index, { name, at, kill }] of kills.entries()) {
    test(`SIGKILL of ${name}`, async () => {
      const key = keyOf(`crash-${index}`);
      // The data set is evicted between the runs by being another one: each stages under a name of its own.
      const prefix = `crash-${index}/`;
      await seedDataset(site.stores.warm, dataset, 'training-data', prefix);
      const strike = strikeOnce(at, kill);

      await site.penstock.submit(
        allocationInput(key.allocationId, {
          data: { mounts: [{ source: `s3://training-data/crash-${index}`, target: '/data/input' }], scratch_per_node: '1MB' },
        }),
      );
      await strike(key, 'queued');
      await strike(key, 'staging');
      await untilPhase(site, key, 'ready', LIMIT_MS);
      await strike(key, 'ready');
      const assigned = site.penstock.assignNodes(key, { nodes: [NODE] });
      await strike(key, 'starting');
      const plan = await assigned;
      await strike(key, 'running');
      await runJob(site, key, plan);
      const finished = site.penstock.finish(key, { outcome: 'succeeded' });
      await strike(key, 'draining');
      await finished;
      await strike(key, 'archiving');
      const status = await eventually(
        'the release',
        async () => {
          const latest = await site.penstock.status(key);
          return latest.phase === 'released' && latest.checkpointCounts.drained === 1 ? latest : undefined;
        },
        LIMIT_MS,
      );
      assert.deepEqual(status.checkpointCounts, { reserved: 0, committed: 0, drained: 1 });
      await assertEffectsOnce(key, index);
    });
  }

  /** Strikes when the phase is seen, or at once after it where it was over too soon to be seen. */
  function strikeOnce(at: Phase, kill: () => Promise<void>) {
    let struck = false;
    return async (key: AllocationKey, phase: Phase) => {
      if (struck || phase !== at) return;
      await eventually(`${at} or later`, async () => ((await site.penstock.status(key)).journal.length > 0 || phase === 'queued' ? true : undefined), LIMIT_MS);
      struck = true;
      await kill();
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
    const temporary = [...(await treeDigests(site.stores.hotFiles.root)).keys()].filter((path) => path.includes('.penstock-tmp'));
    assert.deepEqual(temporary, [], 'no temporary names are left');
  }
});
