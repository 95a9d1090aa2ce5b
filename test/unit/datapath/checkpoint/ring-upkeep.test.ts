import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readCommitRecord } from '../../../../datapath/checkpoint/commit.ts';
import { openRing } from '../../../../datapath/checkpoint/ring.ts';
import { ringCopies } from '../../../../datapath/checkpoint/ring-copies.ts';
import { scanRing } from '../../../../datapath/checkpoint/ring-scan.ts';
import { keepUpRing } from '../../../../datapath/checkpoint/ring-upkeep.ts';
import type { CheckpointSink } from '../../../../datapath/checkpoint/sink.ts';
import { drainedMarker, droppedMarker } from '../../../../model/checkpoint.ts';
import { type CheckpointPlaces, checkpointPlaces, DIRECTORY, once, rackDirectory, STEP_1 } from '../../../support/checkpoint-places.ts';
import { contentOf } from '../../../support/fault-proxy-random.ts';
import { failAll } from '../erasure/support.ts';

let places: CheckpointPlaces;
beforeEach(async () => {
  places = await checkpointPlaces();
});
afterEach(() => places.remove());

async function write(checkpointId: string, end: 'commit' | 'die', changeRing?: (sink: CheckpointSink) => CheckpointSink): Promise<void> {
  const writer = await places.writer({ checkpointId, ...(changeRing ? { changeRing } : {}) });
  await writer.addFile('model.bin', once(contentOf(100_000, checkpointId)));
  await writer.addFile('empty', once(Buffer.alloc(0)));
  if (end === 'commit') await writer.commit();
  await writer.close();
}

/** Checkpoints that the ring holds, with a star where it offers them. */
async function held(): Promise<string[]> {
  const device = places.disk.open();
  const copies = await ringCopies(device, (await scanRing(device))?.entries ?? []);
  return copies.map(({ key, record }) => `${key.split('/')[3]}${record ? '*' : ''}`);
}

async function keepUp(): Promise<number> {
  const device = places.disk.open();
  return await keepUpRing(await openRing(device), device, places);
}

describe('before a checkpoint is written, the ring', () => {
  it('lets go of what was drained, up to the first that was not', async () => {
    for (const id of ['step-1', 'step-2', 'step-3']) await write(id, 'commit');
    await places.drain('step-1');
    await places.drain('step-3');
    assert.ok((await keepUp()) > 0);
    assert.deepEqual(await held(), ['step-2*', 'step-3*']);
    await places.drain('step-2');
    await keepUp();
    assert.deepEqual(await held(), []);
  });

  it('lets go of what was never committed, and of what was dropped by name', async () => {
    await write('step-1', 'commit');
    await write('step-2', 'die');
    await places.node.write(droppedMarker(STEP_1), Buffer.alloc(0));
    await keepUp();
    assert.deepEqual(await held(), []);
  });

  it('finishes the commit of a writer that died between the record of the rack and its own', async () => {
    const dying = (sink: CheckpointSink): CheckpointSink => ({ ...sink, publish: (record) => Promise.resolve(record) });
    await write('step-1', 'commit', dying);
    assert.deepEqual(await held(), ['step-1']);
    await keepUp();
    assert.deepEqual(await held(), ['step-1*']);
  });

  it('keeps what is drained until it was read back: the rack has let go of it, or the node is told so', async () => {
    for (const id of ['step-1', 'step-2']) await write(id, 'commit');
    for (const id of ['step-1', 'step-2']) await places.drainUnverified(id);
    assert.equal(await keepUp(), 0);
    await places.rack.remove(rackDirectory('step-1'));
    await keepUp();
    assert.deepEqual(await held(), ['step-2*']);
    await places.node.write(drainedMarker({ ...STEP_1, checkpointId: 'step-2' }), Buffer.from('the digest of what had this id before'));
    assert.equal(await keepUp(), 0);
    const digest = (await readCommitRecord(places.rack, rackDirectory('step-2')))?.digest ?? '';
    await places.node.write(drainedMarker({ ...STEP_1, checkpointId: 'step-2' }), Buffer.from(digest), { replace: true });
    // Long after, when the erasure set does not keep it any more.
    await places.rack.remove(rackDirectory('step-2'));
    for (const rack of places.racks) rack.objects.clear();
    assert.ok((await keepUp()) > 0);
    assert.deepEqual(await held(), []);
    assert.equal(await places.node.stat(drainedMarker({ ...STEP_1, checkpointId: 'step-2' })), undefined);
  });

  it('keeps what the erasure set has lost again before it was read back, and so does the rack', async () => {
    await write('step-1', 'commit');
    await places.drainUnverified('step-1');
    const shards = places.racks.slice(0, 7).flatMap(({ objects }) => [...objects].filter(([name]) => name.startsWith('ec/v1/shards/')));
    for (const [, body] of shards) body.fill(0xff, 5000);
    await assert.rejects(places.verify('step-1'), { type: 'StoreUnavailable' });
    assert.equal(await keepUp(), 0);
    assert.deepEqual(await held(), ['step-1*']);
    const content = await places.rack.readBytes(`${DIRECTORY}/model.bin`);
    assert.ok(content.equals(contentOf(100_000, 'step-1')), 'the rack has every byte of it');
  });

  it('lets go of nothing while it cannot tell whether the erasure set has it', async () => {
    await write('step-1', 'commit');
    await write('step-2', 'die');
    await places.drain('step-1');
    for (const rack of places.racks) failAll(rack);
    assert.equal(await keepUp(), 0);
    assert.deepEqual(await held(), ['step-1*', 'step-2']);
  });
});
