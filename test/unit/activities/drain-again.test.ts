/** A drained checkpoint of which the erasure set has lost more than parity mends, before it was read back: its rack's copy still stands. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createCheckpointActivities } from '../../../activities/checkpoint.ts';
import { commitCopies } from '../../../datapath/checkpoint/commit.ts';
import { listDrained } from '../../../datapath/checkpoint/drained.ts';
import { verifyErasureObject } from '../../../datapath/erasure/index.ts';
import { MEMBER_BYTES_BELOW } from '../../../datapath/erasure/pack-format.ts';
import { createPosixFileStore } from '../../../drivers/file-store/posix.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { type CheckpointKey, checkpointDirectory, checkpointPrefix, checkpointsPrefix } from '../../../model/checkpoint.ts';
import { toldBroker } from '../../support/told-broker.ts';
import { failAll, keysOn, type MemoryRack, memorySite, noise } from '../datapath/erasure/support.ts';
import { recordsInMemory } from './records-in-memory.ts';

const KEY: CheckpointKey = { tenant: 'acme', project: 'vision', allocationId: 'train', checkpointId: 'step-1' };
const REQUEST = { ...KEY, nodeId: 'n001', rackId: 'r01' };
const DIRECTORY = checkpointDirectory(KEY, KEY.checkpointId);
const LARGE = 'rank-0/large.bin';
const FILES = new Map([
  [LARGE, noise(MEMBER_BYTES_BELOW + 50_000, 1)],
  ['rank-0/step', noise(5000, 2)],
  ['rank-1/step', noise(6000, 3)],
]);

describe('a checkpoint that the erasure set has lost a part of', () => {
  let base: string;
  let racks: MemoryRack[];
  let stores: Stores;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'penstock-again-'));
    const files = (name: string) => createPosixFileStore({ name, root: join(base, name) });
    for (const name of ['r01', 'n001', 'hot']) await mkdir(join(base, name));
    racks = memorySite();
    stores = { ...(await recordsInMemory()).stores, shardRacks: racks, rackFiles: files, nodeFiles: files, hotFiles: files('hot') };
    const rack = files('r01');
    for (const [path, content] of FILES) await rack.write(`${DIRECTORY}/${path}`, content);
    await commitCopies({ checkpointId: KEY.checkpointId, directory: DIRECTORY, local: rack, rack, attempt: 'one', signal: new AbortController().signal });
    await run(activities().drainToErasureSet);
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  const activities = () => createCheckpointActivities(stores);
  const run = (activity: (request: typeof REQUEST) => Promise<void>, attempt = 1): Promise<void> => toldBroker(0, attempt).environment.run(activity, REQUEST);
  const shardsOf = (name: string) =>
    racks.flatMap((rack) => keysOn([rack], `ec/v1/shards/${checkpointPrefix(KEY)}${name}`).map((key) => ({ rack, key: key.slice(rack.id.length + 1) })));
  /** One byte of so many shards. */
  function rot(name: string, count: number): void {
    for (const { rack, key } of shardsOf(name).slice(0, count)) {
      const body = Buffer.from(rack.objects.get(key) ?? []);
      const at = Math.floor(body.length / 2);
      body.writeUInt8(body.readUInt8(at) ^ 1, at);
      rack.objects.set(key, body);
    }
  }
  const isDrained = async (): Promise<boolean> =>
    (await listDrained({ racks, prefix: checkpointsPrefix(KEY), signal: new AbortController().signal })).includes(KEY.checkpointId);
  async function assertSound(): Promise<void> {
    assert.deepEqual([await isDrained(), (await verifyErasureObject({ racks, key: `${checkpointPrefix(KEY)}${LARGE}` })).ok], [true, true]);
    const { path }: { path: string } = await toldBroker(0).environment.run(activities().restoreFromErasureSet, KEY);
    for (const [name, content] of FILES) assert.ok((await stores.hotFiles.readBytes(`${path}/${name}`)).equals(content), name);
  }

  it('is drained again from its rack, and read back, by itself', async () => {
    rot(LARGE, 6);
    await run(activities().verifyDrained);
    await assertSound();
  });

  it('is drained again by the next attempt, where one died between taking away and storing anew', async () => {
    for (const { rack, key } of [...shardsOf('penstock-commit.json'), ...shardsOf(LARGE)]) rack.objects.delete(key);
    for (const { objects } of racks)
      for (const key of [...objects.keys()]) if (key.startsWith('ec/v1/manifests/') && /commit|large/.test(key)) objects.delete(key);
    assert.equal(await isDrained(), false);
    await run(activities().verifyDrained, 2);
    await assertSound();
  });

  it('keeps what is left of it where the copy in the rack is damaged as well', async () => {
    rot(LARGE, 6);
    await writeFile(join(base, 'r01', DIRECTORY, LARGE), noise(MEMBER_BYTES_BELOW + 50_000, 9));
    const before = racks.flatMap(({ objects }) => [...objects.keys()]);
    await assert.rejects(run(activities().verifyDrained), {
      type: 'CorruptSource',
      message: /of the copy in the rack rank-0\/large\.bin is not what was committed.*node's copy/,
    });
    assert.deepEqual(
      racks.flatMap(({ objects }) => [...objects.keys()]),
      before,
    );
  });

  it('waits for racks that do not answer, and for repair of what parity mends', async () => {
    const before = shardsOf(LARGE).length;
    const away = shardsOf(LARGE).slice(0, 5);
    for (const { rack } of away) rack.faults.set('readInto', (key) => (key.includes(LARGE) ? 'fail' : undefined));
    await assert.rejects(run(activities().verifyDrained), { type: 'StoreUnavailable', nonRetryable: false });
    for (const { rack } of away) failAll(rack);
    await assert.rejects(run(activities().verifyDrained), { type: 'StoreUnavailable', nonRetryable: false, message: /tried again; the in-rack copy is kept/ });
    for (const { rack } of away) rack.faults.clear();
    assert.deepEqual([shardsOf(LARGE).length, await isDrained()], [before, true]);
    rot(LARGE, 3);
    await assert.rejects(run(activities().verifyDrained), { type: 'StoreUnavailable', message: /has a margin of 1 lost racks/ });
  });
});
