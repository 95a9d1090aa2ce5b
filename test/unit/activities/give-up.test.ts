/** Giving up an object that is lost for good, over racks in memory: only what cannot be read, and nothing of it is forgotten. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { giveUp, lossOf } from '../../../activities/give-up.ts';
import { givenUpObjects } from '../../../activities/given-up.ts';
import { postponeRepair, queueRepair, readRepair } from '../../../activities/repair-queue.ts';
import { findErasureObject } from '../../../datapath/erasure/index.ts';
import type { ErasureManifest } from '../../../datapath/erasure/manifest.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { GIVEN_UP } from '../../../model/given-up.ts';
import { REPAIR_LATER, REPAIR_QUEUE } from '../../../model/repair.ts';
import { shardOn } from '../datapath/erasure/damage.ts';
import { failAll, type MemoryRack, memorySite, noise, write } from '../datapath/erasure/support.ts';
import { type RecordsInMemory, recordsInMemory } from './records-in-memory.ts';

const KEY = 'acme/vision/a1/checkpoints/s1/model.bin';
const NOW = new Date('2026-11-21T08:00:00.000Z');
const WHO = { by: 'ada', reason: 'five racks burnt' };

describe('giving up an object', () => {
  let racks: MemoryRack[];
  let stores: Stores;
  let records: RecordsInMemory;
  let names: RecordsInMemory['names'];
  let manifest: ErasureManifest;
  beforeEach(async () => {
    racks = memorySite();
    records = await recordsInMemory();
    ({ names } = records);
    stores = { ...records.stores, shardRacks: racks };
    await write(racks, KEY, noise(200_000));
    const found = await findErasureObject({ racks, key: KEY });
    assert.ok(found);
    manifest = found;
  });
  const lose = (...indices: readonly number[]): void => {
    for (const index of indices) {
      const { rack, name } = shardOn(racks, manifest, index);
      rack.objects.delete(name);
    }
  };
  const rot = (index: number): void => {
    const { rack, name } = shardOn(racks, manifest, index);
    const body = Buffer.from(rack.objects.get(name) ?? []);
    const inItsCell = Math.floor(body.length / 2);
    body[inItsCell] = (body[inItsCell] ?? 0) ^ 1;
    rack.objects.set(name, body);
  };

  it('is refused while it can be read, with as many shards lost as may be', async () => {
    await assert.rejects(lossOf(stores, KEY), { name: 'Conflict', message: /can still be read, all of it/ });
    lose(0, 1, 2);
    rot(3);
    await assert.rejects(lossOf(stores, KEY), { name: 'Conflict' });
    assert.deepEqual(names(GIVEN_UP), []);
  });

  it('is refused while a rack does not answer, for it may hold what is missing', async () => {
    lose(0, 1, 2, 3);
    const { rack } = shardOn(racks, manifest, 4);
    failAll(rack);
    await assert.rejects(lossOf(stores, KEY), { name: 'StoreUnavailable', message: new RegExp(`do not answer: ${rack.id}\\..*replace in the site file`) });
    stores = { ...stores, shardRacks: racks.filter(({ id }) => id !== rack.id) };
    assert.equal((await lossOf(stores, KEY)).soundShards, 13, 'one that is no rack of the site any more holds nothing');
  });

  it('is refused where nobody knows it', async () => {
    await assert.rejects(lossOf(stores, 'acme/nothing'), { name: 'NotFound' });
  });

  it('puts on record who, when, why and what, and takes it out of what is due, for good', async () => {
    const found = { key: KEY, margin: -1, storedBytes: 1000, suspects: [] };
    await queueRepair(stores, { ...found, margin: 1 });
    await queueRepair(stores, found);
    const [worst = ''] = names(REPAIR_QUEUE);
    const record = await readRepair(stores, worst);
    assert.ok(record);
    await postponeRepair(stores, worst, record, 'too few shards');
    await queueRepair(stores, { ...found, key: 'another' });
    lose(0, 1, 2);
    rot(3);
    rot(17);
    const loss = await lossOf(stores, KEY);
    assert.deepEqual(
      loss.lostShards.map(({ index, rack, state }) => [index, rack, state]),
      [0, 1, 2, 3, 17].map((index) => [index, shardOn(racks, manifest, index).rack.id, [3, 17].includes(index) ? 'rotten' : 'lost']),
    );
    const given = await giveUp(stores, loss, WHO, NOW);
    assert.equal(given.droppedRepairs, 2);
    assert.deepEqual(await givenUpObjects(stores), { objects: 1, records: [{ ...loss, ...WHO, givenUpAt: NOW.toISOString() }] });
    records.objects.set(`${GIVEN_UP}junk.json`, Buffer.from('{'));
    assert.deepEqual([(await givenUpObjects(stores)).objects, (await givenUpObjects(stores)).records.length], [2, 1], 'a record that cannot be read counts');
    const [left = '', ...others] = names(REPAIR_QUEUE);
    assert.deepEqual([(await readRepair(stores, left))?.key, others, names(REPAIR_LATER)], ['another', [], []]);

    await queueRepair(stores, found);
    await postponeRepair(stores, worst, record, 'too few shards');
    assert.deepEqual([names(REPAIR_QUEUE), names(REPAIR_LATER)], [[left], []], 'neither a scrub nor a repair under way brings it back');
    await queueRepair(stores, { ...found, margin: 0 });
    assert.equal(names(REPAIR_QUEUE).length, 2, 'but what can be read again is repaired like any other');
    const again = await giveUp(stores, loss, { by: 'bob', reason: 'me too' }, new Date());
    assert.deepEqual([again.record.by, again.record.givenUpAt], ['ada', NOW.toISOString()], 'the first word stays');
  });
});
