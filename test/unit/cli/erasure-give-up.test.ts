/** What a person sees who gives up an object, or calls off the drain of a rack. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { queueRepair } from '../../../activities/repair-queue.ts';
import { keepListing } from '../../../activities/repair-wanted.ts';
import { Refusal } from '../../../client/refusal.ts';
import { shardPrefix } from '../../../datapath/erasure/layout.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { GIVEN_UP } from '../../../model/given-up.ts';
import { type RackCalledOff, REPAIR_QUEUE, REPAIR_RACKS } from '../../../model/repair.ts';
import { type RecordsInMemory, recordsInMemory } from '../activities/records-in-memory.ts';
import { type MemoryRack, memorySite, noise, write } from '../datapath/erasure/support.ts';
import { penstock, recorder, siteFile, unpreparedErasure } from './support.ts';

const KEY = 'acme/model.bin';
const env = { PENSTOCK_SITE: siteFile, USER: 'ada' };

describe('penstock erasure', () => {
  let racks: MemoryRack[];
  let records: RecordsInMemory;
  let stores: Stores;
  beforeEach(async () => {
    racks = memorySite();
    records = await recordsInMemory();
    stores = { ...records.stores, shardRacks: racks };
    await write(racks, KEY, noise(5_000));
  });
  const giveUp = (...more: string[]) => penstock(['erasure', 'give-up', KEY, '--reason', 'fire\u001b[31m in room-a', ...more], { stores, env });
  const loseFive = async (): Promise<void> => {
    const holders = racks.filter(({ objects }) => [...objects.keys()].some((name) => name.startsWith(shardPrefix(KEY))));
    for (const { objects } of holders.slice(0, 5)) for (const name of [...objects.keys()]) if (name.startsWith(shardPrefix(KEY))) objects.delete(name);
    await queueRepair(stores, { key: KEY, margin: -1, storedBytes: 1000, suspects: [] });
  };

  test('give-up does nothing to what can be read', async () => {
    const { code, stderr } = await giveUp('--yes');
    assert.equal(code, 1);
    assert.match(stderr, /Conflict.*can still be read, all of it/s);
    assert.deepEqual(records.names(GIVEN_UP), []);
  });

  test('give-up says what is lost, and does nothing before it is told --yes; then status shows it', async () => {
    await loseFive();
    const asked = await giveUp();
    assert.equal(asked.code, 1);
    assert.match(asked.stdout, /shards +13 are sound, and 14 are needed.*shard \d+ on r\d+ is lost.*Nothing was given up\. With --yes it is\./s);
    assert.deepEqual([records.names(GIVEN_UP).length, records.names(REPAIR_QUEUE).length], [0, 1]);

    const done = await giveUp('--yes');
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /given up +acme\/model\.bin: on 2026-11-21T08:00:00\.000Z by ada: fire\\u001b\[31m in room-a\nrepairs +it is not due any more/);
    assert.deepEqual([records.names(GIVEN_UP).length, records.names(REPAIR_QUEUE).length], [1, 0]);
    const status = await penstock(['erasure', 'status'], { stores, env });
    assert.match(status.stdout, /given up, 1 object:\nacme\/model\.bin: on 2026-11-21T08:00:00\.000Z by ada/);
    const json = await penstock(['erasure', 'status', '-o', 'json'], { stores, env });
    assert.partialDeepStrictEqual(JSON.parse(json.stdout).givenUp, { objects: 1, records: [{ key: KEY, by: 'ada', soundShards: 13 }] });
  });

  test('give-up wants to know who and why', async () => {
    const unnamed = await penstock(['erasure', 'give-up', KEY, '--reason', ' '], { stores, env: { PENSTOCK_SITE: siteFile } });
    assert.equal(unnamed.code, 1);
    assert.match(unnamed.stderr, /InvalidInput.*by.*reason/s);
  });

  const callOff = (callOffRack: () => Promise<RackCalledOff>) =>
    penstock(['erasure', 'repair', 'call-off', 'r07'], {
      stores,
      env,
      penstock: { erasure: { scrub: unpreparedErasure, repair: { ...unpreparedErasure, callOffRack } } },
    });
  const noneRunning = () => Promise.reject(new Refusal('NotFound', 'No repair is running.'));

  test('repair call-off asks the repair under way', async () => {
    const listing = { rack: 'r07', listedObjects: 40, concernedObjects: 36 };
    const { ask, asked } = recorder({ rack: 'r07', listing, droppedObjects: 30 });
    const { code, stdout } = await callOff(ask);
    assert.deepEqual([code, asked], [0, [{ rack: 'r07' }]]);
    assert.match(stdout, /called off +the drain of r07\nlisting +ended at 36 of 40 objects\ndropped +30 objects/);
  });

  test('repair call-off takes it off the record where no repair is under way, and says where there is none', async () => {
    await keepListing(stores, { rack: 'r07', after: 'k', listedObjects: 2, concernedObjects: 1 });
    await queueRepair(stores, { key: KEY, margin: 3, storedBytes: 1000, suspects: [] }, ['r07']);
    const { code, stdout, stderr } = await callOff(noneRunning);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /dropped +1 object that/);
    assert.deepEqual([records.names(REPAIR_RACKS), records.names(REPAIR_QUEUE)], [[], []]);
    const again = await callOff(noneRunning);
    assert.equal(again.code, 3);
    assert.match(again.stderr, /NotFound: no drain of "r07" is on record/);
  });
});
