/** The records of what is to be repaired, in a store in memory: what is found again is kept, what is no record stands in nobody's way. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { postponeRepair, putAside, queueRepair, readRepair, repairDone, reportingDamage } from '../../../activities/repair-queue.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { PenstockError } from '../../../model/errors.ts';
import { REPAIR_LATER, REPAIR_QUEUE } from '../../../model/repair.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';

const FOUND = { key: 'a/b', margin: 3, storedBytes: 1000, suspects: [] };

describe('records of repairs', () => {
  let objects: Map<string, Buffer>;
  let stores: Stores;
  const names = (prefix: string) => [...objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  beforeEach(async () => {
    objects = new Map();
    const { stores: silent } = recordingStores(await loadSiteFile(siteFile));
    const warm: Stores['warm'] = {
      ...silent.warm,
      readBytes: async (_bucket, key) => objects.get(key) ?? Promise.reject(new PenstockError('NotFound', key)),
      writeBytes: async (bucket, key, body, options) => {
        assert.ok(Buffer.isBuffer(body));
        objects.set(key, body);
        return await silent.warm.writeBytes(bucket, key, body, options);
      },
      remove: async (_bucket, key) => void objects.delete(key),
    };
    stores = { ...silent, warm };
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
