/** Checkpoints that a node writes to its ring and its rack, through a whole site: reserved, written, committed, drained, let go of; degraded, and never whole. */
import assert from 'node:assert/strict';
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { type CheckpointStores, listCheckpoints, openCheckpointWriter, restoreCheckpoint, type WrittenCheckpoint } from '../../client/checkpoint/index.ts';
import type { CheckpointStatus } from '../../model/checkpoint.ts';
import { contentOf } from '../support/fault-proxy-random.ts';
import { allocationInput, datasetFiles, keyOf, NODE, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const { signal } = new AbortController();
const { nodeId } = NODE;
const key = keyOf('ring-1');
const files = new Map([
  ['rank-0/model.bin', contentOf(9_000_000, 'model')],
  ['rank-0/step', contentOf(8, 'step')],
]);

describe('a checkpoint that its node writes to ring and rack', () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite();
    await seedDataset(site.stores.warm, datasetFiles(3, 1000));
    await site.penstock.submit(allocationInput('ring-1'));
    await untilPhase(site, key, 'ready');
    await site.penstock.assignNodes(key, { nodes: [NODE] });
  });
  after(() => site.stop());

  async function write(checkpointId: string, end: 'commit' | 'die', stores: CheckpointStores = site.stores): Promise<WrittenCheckpoint | undefined> {
    await site.penstock.reserveCheckpoint(key, { checkpointId, bytes: '20MB' });
    const writer = await openCheckpointWriter(stores, { key: { ...key, checkpointId }, nodeId, signal });
    try {
      for (const [path, content] of files) await writer.addFile(path, Readable.from([content]), content.length);
      return end === 'commit' ? await writer.commit() : undefined;
    } finally {
      await writer.close();
    }
  }
  const drained = (checkpointId: string): Promise<CheckpointStatus> =>
    eventually(`${checkpointId} to be drained`, async () =>
      (await site.penstock.status(key)).checkpoints.find((each) => each.checkpointId === checkpointId && each.state === 'drained'),
    );
  const offered = async (): Promise<string[]> =>
    (await listCheckpoints(site.stores, { allocation: key, nodeId, signal })).checkpoints.map((each) => `${each.checkpointId}: ${each.copies.join(', ')}`);

  test('is confirmed to the allocation with what its record says, and drained', async () => {
    const written = await write('step-1', 'commit');
    assert.deepEqual(await offered(), ['step-1: ring, rack']);
    const { secondCopy, digest } = await site.penstock.commitCheckpoint(key, { checkpointId: 'step-1' });
    assert.deepEqual([secondCopy, digest], ['ring', written?.record.digest]);
    await drained('step-1');
    assert.deepEqual(await offered(), ['step-1: ring, erasure set']);
  });

  test('comes back from the ring byte for byte, and from the erasure set once the ring has let go of it', async () => {
    const restore = async (directory: string) => {
      const target = site.stores.nodeFiles(nodeId);
      const { from } = await restoreCheckpoint(site.stores, { key: { ...key, checkpointId: 'step-1' }, nodeId, signal, target, directory });
      for (const [path, content] of files) assert.ok((await target.readBytes(`${directory}/${path}`)).equals(content), path);
      await target.remove(directory);
      return from;
    };
    assert.deepEqual(await restore('first'), { ring: 2 });
    await write('step-2', 'commit');
    await site.penstock.commitCheckpoint(key, { checkpointId: 'step-2' });
    assert.deepEqual(await restore('second'), { 'erasure set': 2 });
    await drained('step-2');
  });

  test('whose ring fails is committed with rack and global tier where the policy allows, which the journal says; its global copy goes with that of the rack', async () => {
    // For everybody: the rack's worker, which confirms, does not read it either.
    const ring = site.stores.site.nodes.find(({ id }) => id === nodeId)?.ring?.path ?? '';
    await rename(ring, `${ring}.aside`);
    await mkdir(ring);
    const degradable = { ...site.stores.site, checkpoints: { ...site.stores.site.checkpoints, policy: 'degraded' as const } };
    const written = await write('step-3', 'commit', { ...site.stores, site: degradable });
    assert.ok(written?.degradedBy?.includes(ring), written?.degradedBy);
    assert.ok((await offered()).includes('step-3: rack, global'));
    assert.equal((await site.penstock.commitCheckpoint(key, { checkpointId: 'step-3' })).secondCopy, 'global');
    assert.ok((await site.penstock.status(key)).journal.some(({ text }) => /step-3 committed, .*degraded: its second copy is in the global tier/.test(text)));
    await drained('step-3');
    assert.ok((await offered()).includes('step-3: erasure set'));
    await rmdir(ring);
    await rename(`${ring}.aside`, ring);
  });

  test('that was being written when the job ended is never offered, and its space in the rack is freed', async () => {
    await write('step-4', 'die');
    await site.penstock.finish(key, { outcome: 'succeeded', exitCode: 0 });
    await untilPhase(site, key, 'released', 120_000);
    assert.ok((await offered()).every((line) => !line.startsWith('step-4')));
    assert.equal(await site.stores.rackFiles(NODE.rackId).hasDirectory('checkpoints/acme/vision/ring-1/step-4'), false);
    await assert.rejects(site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-4' }), { type: 'NotFound' });
  });
});
