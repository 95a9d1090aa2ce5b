import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { findSecond, dropFromRing as letGo } from '../../../activities/second-copy.ts';
import { dropFromRing, listCheckpoints, openCheckpointWriter, restoreCheckpoint, type WrittenCheckpoint } from '../../../client/checkpoint/index.ts';
import { confirmWritten } from '../../../datapath/checkpoint/commit.ts';
import { createPosixFileStore } from '../../../drivers/file-store/posix.ts';
import { checkpointDirectory, droppedMarker } from '../../../model/checkpoint.ts';
import type { CommitPath } from '../../../model/commit-path.ts';
import { type CheckpointNode, checkpointNode } from '../../support/checkpoint-node.ts';
import { ALLOCATION } from '../../support/checkpoint-places.ts';
import { contentOf } from '../../support/fault-proxy-random.ts';
import { ofType } from '../../support/of-type.ts';

const { signal } = new AbortController();
const nodeId = 'n001';
const keyOf = (checkpointId: string) => ({ ...ALLOCATION, checkpointId });
const content = contentOf(70_000, 'model');

let node: CheckpointNode;
beforeEach(async () => {
  node = await checkpointNode();
});
afterEach(() => node.remove());

async function write(checkpointId: string, end: 'commit' | 'die' = 'commit'): Promise<WrittenCheckpoint | undefined> {
  const writer = await openCheckpointWriter(node.stores, { key: keyOf(checkpointId), nodeId, signal });
  try {
    await writer.addFile('sub/model.bin', Readable.from([content]));
    return end === 'commit' ? await writer.commit() : undefined;
  } finally {
    await writer.close();
  }
}
const offered = async () =>
  (await listCheckpoints(node.stores, { allocation: ALLOCATION, nodeId, signal })).checkpoints.map(
    ({ checkpointId, copies }) => `${checkpointId}: ${copies.join(', ')}`,
  );
async function restore(checkpointId: string) {
  await mkdir(join(node.base, 'target'), { recursive: true });
  const target = createPosixFileStore({ name: 'target', root: join(node.base, 'target') });
  const restored = await restoreCheckpoint(node.stores, { key: keyOf(checkpointId), nodeId, target, directory: checkpointId, signal });
  assert.ok((await target.readBytes(`${checkpointId}/sub/model.bin`)).equals(content));
  return restored;
}
function confirm(checkpointId: string) {
  const [directory, rack] = [checkpointDirectory(ALLOCATION, checkpointId), node.stores.rackFiles('r01')];
  return confirmWritten({ checkpointId, directory, rack, signal, findSecond: () => findSecond(node.stores, { ...keyOf(checkpointId), nodeId }) });
}
async function withPolicy(checkpoints: Partial<CommitPath>): Promise<void> {
  await node.remove();
  node = await checkpointNode(checkpoints);
}

describe('checkpoints of a node', () => {
  it('are offered once committed, newest first, and never where their writer died before', async () => {
    await write('step-1');
    await write('step-2');
    await write('step-3', 'die');
    assert.deepEqual(await offered(), ['step-2: ring, rack', 'step-1: ring, rack']);
    await assert.rejects(restore('step-3'), ofType('NotFound'));
    assert.deepEqual((await restore('step-1')).from, { ring: 1 });
  });

  it('come from the rack where the ring is gone, and it is said', async () => {
    await write('step-1');
    await rm(node.ringPath);
    const { from, faults } = await restore('step-1');
    assert.deepEqual([from, faults.map(({ copy }) => copy)], [{ rack: 1 }, ['ring']]);
  });

  it('are written by one process at a time', async () => {
    const first = await openCheckpointWriter(node.stores, { key: keyOf('step-1'), nodeId, signal });
    await first.addFile('sub/model.bin', Readable.from([content]));
    await assert.rejects(openCheckpointWriter(node.stores, { key: keyOf('step-1'), nodeId, signal }), ofType('Conflict'));
    await first.commit();
    await first.close();
    await restore('step-1');
    await assert.rejects(openCheckpointWriter(node.stores, { key: keyOf('step-1'), nodeId, signal }), ofType('Conflict'));
  });

  it('fail where the ring cannot be used and the policy is strict', async () => {
    await mkdir(node.ringPath, { recursive: true });
    await assert.rejects(write('step-1'));
    assert.deepEqual(await offered(), []);
  });

  it('go on with rack and global tier where the policy is degraded, and say why', async () => {
    await withPolicy({ policy: 'degraded' });
    await mkdir(node.ringPath, { recursive: true });
    assert.match((await write('step-1'))?.degradedBy ?? '', /rings\/n001/);
    assert.deepEqual(await offered(), ['step-1: rack, global']);
    assert.equal((await confirm('step-1'))?.copy, 'global', 'the worker cannot read that ring either');
  });

  it('are given up where the ring cannot be read: the word to let go of them lies beside it for when it can', async () => {
    await write('step-1');
    await rm(node.ringPath);
    await mkdir(node.ringPath);
    await letGo(node.stores, { ...keyOf('step-1'), nodeId }, 'one');
    assert.ok(await node.stores.nodeFiles(nodeId).stat(droppedMarker(keyOf('step-1'))));
  });

  it('that only the rack has, for the ring failed behind them, are not confirmed', async () => {
    await write('step-1');
    await rm(node.ringPath);
    await mkdir(node.ringPath);
    await assert.rejects(confirm('step-1'), /rings\/n001/);
  });

  it('are confirmed to the allocation only with both copies, and as long as the rack holds what the record says', async () => {
    await write('step-1');
    assert.equal((await confirm('step-1'))?.copy, 'ring');
    await node.stores.rackFiles('r01').write(`${checkpointDirectory(ALLOCATION, 'step-1')}/sub/model.bin`, contentOf(70_000, 'other'), { replace: true });
    await assert.rejects(confirm('step-1'), ofType('CheckpointIncomplete'));
    await rm(node.ringPath);
    assert.equal(await confirm('step-1'), undefined);
  });

  it('can be dropped from the ring by name; the last copy only where that is said, and its id is not used again meanwhile', async () => {
    await write('step-1');
    await write('step-2');
    await dropFromRing(node.stores, { key: keyOf('step-2'), nodeId, signal, isLastCopy: false });
    assert.deepEqual(await offered(), ['step-2: rack', 'step-1: ring, rack']);
    await node.stores.rackFiles('r01').remove(checkpointDirectory(ALLOCATION, 'step-1'));
    await assert.rejects(dropFromRing(node.stores, { key: keyOf('step-1'), nodeId, signal, isLastCopy: false }), ofType('PolicyRefused'));
    await dropFromRing(node.stores, { key: keyOf('step-2'), nodeId, signal, isLastCopy: true });
    await node.stores.rackFiles('r01').remove(checkpointDirectory(ALLOCATION, 'step-2'));
    await assert.rejects(write('step-2'), ofType('Conflict'));
  });

  it('name the field, the value and what is accepted where the node is unknown or has no ring', async () => {
    await assert.rejects(openCheckpointWriter(node.stores, { key: keyOf('a'), nodeId: 'n999', signal }), /node: found "n999"; accepted: n001, n002, n003/);
    await mkdir(join(node.base, 'r01'), { recursive: true });
    await assert.rejects(
      openCheckpointWriter(node.stores, { key: keyOf('a'), nodeId: 'n002', signal }),
      /nodes\.n002\.ring: found nothing; accepted: the path and size/,
    );
  });
});
