/** The records of what is to be repaired, in a store in memory: what is found again is kept, what is no record stands in nobody's way. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { callOffRack } from '../../../activities/repair-call-off.ts';
import {
  firstRepairs,
  planQueue,
  postponeRepair,
  putAside,
  queueRepair,
  readRepair,
  repairDone,
  reportingDamage,
  requeueRepairs,
} from '../../../activities/repair-queue.ts';
import { claimOver, keepListing, keepWanted, listingOver } from '../../../activities/repair-wanted.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { REPAIR_LATER, REPAIR_QUEUE, REPAIR_RACKS } from '../../../model/repair.ts';
import { type RecordsInMemory, recordsInMemory } from './records-in-memory.ts';

const FOUND = { key: 'a/b', margin: 3, storedBytes: 1000, suspects: [] };

describe('records of repairs', () => {
  let objects: Map<string, Buffer>;
  let stores: Stores;
  let names: RecordsInMemory['names'];
  beforeEach(async () => {
    ({ objects, stores, names } = await recordsInMemory());
  });

  it('stay where the object was found again while it was repaired, or put off', async (context) => {
    context.mock.timers.enable({ apis: ['Date'], now: 1_000 });
    await queueRepair(stores, FOUND);
    const [name = ''] = names(REPAIR_QUEUE);
    const taken = await readRepair(stores, name);
    assert.ok(taken);
    context.mock.timers.setTime(2_000);
    const suspects = [{ index: 3, rack: 'r07', state: 'rotten' } as const];
    await queueRepair(stores, { ...FOUND, suspects });
    await repairDone(stores, name, taken);
    await postponeRepair(stores, name, taken, 'no rack');
    const standing = await readRepair(stores, name);
    assert.deepEqual(standing?.suspects, suspects);
    assert.deepEqual(names(REPAIR_LATER), [name]);
    await repairDone(stores, name, standing);
    assert.deepEqual(names(REPAIR_QUEUE), []);
  });

  async function recordOf(key: string) {
    for (const name of names(REPAIR_QUEUE)) {
      const record = await readRepair(stores, name);
      if (record?.key === key) return { name, record };
    }
    return assert.fail(`${key} is not queued`);
  }

  const signal = new AbortController().signal;
  const rotten = { index: 3, rack: 'r07', state: 'rotten' } as const;
  const lost = { index: 5, rack: 'r09', state: 'lost' } as const;

  it('are one an object: of several margins the worst, with all that was suspected, also of what was put off', async () => {
    await queueRepair(stores, { ...FOUND, suspects: [rotten] });
    await queueRepair(stores, { ...FOUND, margin: -1, suspects: [lost] });
    await queueRepair(stores, { ...FOUND, key: 'other', margin: 2 });
    assert.deepEqual((await firstRepairs(stores, 0)).due, { objects: 2, storedBytes: 2000, isMore: false });
    const planned = await planQueue(stores, 10, signal);
    assert.deepEqual(planned.due, { objects: 2, storedBytes: 2000, isMore: false });
    assert.deepEqual(await Promise.all(planned.names.map(async (name) => (await readRepair(stores, name))?.key)), ['a/b', 'other'], 'most endangered first');
    assert.deepEqual(names(REPAIR_QUEUE).sort(), planned.names);
    const [name = ''] = planned.names;
    const joined = await readRepair(stores, name);
    assert.deepEqual([joined?.margin, joined?.suspects], [-1, [lost, rotten]]);

    assert.ok(joined);
    await postponeRepair(stores, name, joined, 'no rack');
    await queueRepair(stores, { ...FOUND, margin: -1 });
    assert.equal(await requeueRepairs(stores, signal), 1);
    assert.deepEqual((await readRepair(stores, name))?.suspects, [lost, rotten]);
    assert.deepEqual(names(REPAIR_LATER), []);
  });

  it('of what was suspected are not forgotten when the object is found again by a listing, which suspects nothing', async () => {
    await queueRepair(stores, { ...FOUND, suspects: [rotten] });
    await queueRepair(stores, FOUND);
    const [name = ''] = names(REPAIR_QUEUE);
    assert.deepEqual((await readRepair(stores, name))?.suspects, [rotten]);
  });

  it('of what is still to be looked for keep the furthest place, and go when it is over', async () => {
    const fresh = { rack: 'r01', listedObjects: 0, concernedObjects: 0 };
    const reached = { rack: 'r01', after: 'k', listedObjects: 10, concernedObjects: 4 };
    assert.deepEqual(await keepWanted(stores, { listings: [fresh], claims: ['acme/'] }), { listings: [fresh], claims: ['acme/'] });
    await keepListing(stores, reached);
    const all = { listings: [reached], claims: ['acme/'] };
    assert.deepEqual(await keepWanted(stores, { listings: [], claims: [] }), all);
    assert.deepEqual(await keepWanted(stores, { listings: [fresh], claims: ['acme/'] }), all, 'who asks for the rack again does not begin anew');
    objects.set(`${REPAIR_RACKS}r02.json`, Buffer.from('{'));
    assert.deepEqual((await keepWanted(stores, { listings: [], claims: [] })).listings, [reached, { ...fresh, rack: 'r02' }]);
    for (const rack of ['r01', 'r02']) await listingOver(stores, rack);
    await claimOver(stores, 'acme/');
    assert.deepEqual([await keepWanted(stores, { listings: [], claims: [] }), objects.size], [{ listings: [], claims: [] }, 0]);
  });

  it('of a drain that is called off go, but not those that a scrub or another drain wants', async () => {
    const key = (name: string, forRacks?: string[]) => queueRepair(stores, { ...FOUND, key: name }, forRacks);
    await keepListing(stores, { rack: 'r01', after: 'k', listedObjects: 10, concernedObjects: 4 });
    await keepListing(stores, { rack: 'r02', listedObjects: 3, concernedObjects: 3 });
    await key('by the drain', ['r01']);
    await key('by the drain, put off', ['r01']);
    const putOff = await recordOf('by the drain, put off');
    await postponeRepair(stores, putOff.name, putOff.record, 'no rack');
    await key('by both drains', ['r01']);
    await key('by both drains', ['r02']);
    await key('by the scrub, then by the drain');
    await key('by the scrub, then by the drain', ['r01']);
    await key('by the drain, then by the scrub', ['r01']);
    await queueRepair(stores, { ...FOUND, key: 'by the drain, then by the scrub', suspects: [rotten] });

    const called = await callOffRack(stores, 'r01');
    assert.deepEqual(called, { rack: 'r01', listing: { rack: 'r01', after: 'k', listedObjects: 10, concernedObjects: 4 }, droppedObjects: 2 });
    assert.deepEqual([names(REPAIR_RACKS), names(REPAIR_LATER)], [['r02.json'], []]);
    const left = await Promise.all(names(REPAIR_QUEUE).map(async (name) => (await readRepair(stores, name))?.key));
    assert.deepEqual(left.sort(), ['by both drains', 'by the drain, then by the scrub', 'by the scrub, then by the drain']);
    assert.deepEqual(await callOffRack(stores, 'r01'), { rack: 'r01', droppedObjects: 0 }, 'repeated, it finds nothing');
    assert.equal((await callOffRack(stores, 'r02')).droppedObjects, 1, 'and the other one lets go of the last');
  });

  it('that are none are told as such, and put aside as they are', async () => {
    for (const junk of ['{', '{"key":3}', '']) {
      objects.set(`${REPAIR_QUEUE}junk`, Buffer.from(junk));
      await assert.rejects(readRepair(stores, 'junk'), { name: 'CorruptSource', message: /junk is not the record of a repair/ });
      await putAside(stores, 'junk');
      assert.deepEqual([names(REPAIR_QUEUE), objects.get(`${REPAIR_LATER}junk`)?.toString()], [[], junk]);
    }
  });

  it('of one activity wake the repair at the first, and once more at its end, however many they are and however it ends', async () => {
    for (const [count, wakes] of [
      [0, 0],
      [1, 1],
      [500, 2],
    ] as const) {
      let woken = 0;
      const wake = async (): Promise<void> => void woken++;
      const work = reportingDamage(
        stores,
        async (onDamage) => {
          for (let index = 0; index < count; index++) await onDamage({ ...FOUND, key: `a/${index}` });
          throw new Error('its source is kept');
        },
        wake,
      );
      await assert.rejects(work, /kept/);
      assert.deepEqual([woken, names(REPAIR_QUEUE).length], [wakes, count]);
      objects.clear();
    }
  });
});
