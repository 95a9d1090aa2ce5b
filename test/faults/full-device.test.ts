/** Devices that are really full, under a node's own writer: its ring's, its rack's, and the global tier's that would have made up for the ring. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { listCheckpoints, openCheckpointWriter, type WrittenCheckpoint } from '../../client/checkpoint/index.ts';
import { type CheckpointNode, checkpointNode } from '../support/checkpoint-node.ts';
import { ALLOCATION } from '../support/checkpoint-places.ts';
import { contentOf } from '../support/fault-proxy-random.ts';
import { type SmallDisk, smallDisk } from '../support/small-disk.ts';

const NODE_ID = 'n001';
const { signal } = new AbortController();
const MIB = 2 ** 20;
const content = contentOf(9 * MIB, 'model');

describe('a checkpoint that meets a full device', () => {
  let node: CheckpointNode;
  const disks: SmallDisk[] = [];
  const policyOf = async (policy: 'strict' | 'degraded'): Promise<void> => {
    node = await checkpointNode({ policy });
  };
  /** Of a store's directory, or that of the rings. */
  const limit = async (name: string, bytes: number): Promise<SmallDisk> => {
    const disk = await smallDisk(join(node.base, name), bytes);
    disks.push(disk);
    return disk;
  };
  beforeEach(() => disks.splice(0));
  afterEach(async () => {
    for (const disk of disks) await disk.unmount();
    await node.remove();
  });

  async function write(checkpointId: string): Promise<WrittenCheckpoint> {
    const writer = await openCheckpointWriter(node.stores, { key: { ...ALLOCATION, checkpointId }, nodeId: NODE_ID, signal });
    try {
      await writer.addFile('model.bin', Readable.from([content]), content.length);
      return await writer.commit();
    } finally {
      await writer.close();
    }
  }
  const offered = async (): Promise<string[]> =>
    (await listCheckpoints(node.stores, { allocation: ALLOCATION, nodeId: NODE_ID, signal })).checkpoints.map(
      (each) => `${each.checkpointId}: ${each.copies.join(', ')}`,
    );
  const outOfSpace = { name: 'OutOfSpace', message: /ENOSPC/ };

  test('its ring’s: strict says so before a byte is written, and there is a ring as soon as there is room for one', async () => {
    await policyOf('strict');
    const rings = await limit('rings', 48 * MIB);
    await rings.leave(16 * MIB);
    await assert.rejects(write('step-1'), outOfSpace);
    assert.deepEqual(await offered(), []);
    await rings.widen();
    assert.equal((await write('step-1')).degradedBy, undefined);
    assert.deepEqual(await offered(), ['step-1: ring, rack']);
  });

  test('its ring’s: degraded commits to rack and global tier, and says why', async () => {
    await policyOf('degraded');
    await limit('rings', 16 * MIB);
    assert.match((await write('step-1')).degradedBy ?? '', /ENOSPC/);
    assert.deepEqual(await offered(), ['step-1: rack, global']);
  });

  test('its rack’s: there is no checkpoint, whatever the policy, until there is room', async () => {
    await policyOf('degraded');
    const rack = await limit('r01', 32 * MIB);
    await rack.leave(6 * MIB);
    await assert.rejects(write('step-1'), outOfSpace);
    assert.deepEqual(await offered(), []);
    await rack.widen();
    await write('step-2');
    assert.deepEqual(await offered(), ['step-2: ring, rack']);
  });

  test('its ring’s and the global tier’s: there is no checkpoint', async () => {
    await policyOf('degraded');
    await limit('rings', 16 * MIB);
    await limit('hot', 6 * MIB);
    await assert.rejects(write('step-1'), outOfSpace);
    assert.deepEqual(await offered(), []);
  });
});
