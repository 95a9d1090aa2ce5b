/** What a repair may read where nobody named a limit: the site's policy, held to on bytes. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createRepairActivities } from '../../../activities/repair.ts';
import { planQueue, queueRepair } from '../../../activities/repair-queue.ts';
import { createScrubActivities, type SetErasureLimit } from '../../../activities/scrub.ts';
import { shardPrefix } from '../../../datapath/erasure/layout.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { REPAIR_LIMIT_KEY, type RepairCounts } from '../../../model/repair.ts';
import { runActivity } from '../../support/run-activity.ts';
import { keysOn, type MemoryRack, memorySite, noise, write } from '../datapath/erasure/support.ts';
import { type RecordsInMemory, recordsInMemory } from './records-in-memory.ts';

const KEYS = ['a', 'b'];
const SHARDS = 18;
/** Of each object: what is read of it is somewhat more. */
const BYTES = 200_000;
const RATE = 400_000;

describe("the site's policy repairRate", () => {
  let racks: MemoryRack[];
  let records: RecordsInMemory;
  let stores: Stores;
  beforeEach(async () => {
    racks = memorySite();
    records = await recordsInMemory();
    const { site } = records.stores;
    stores = { ...records.stores, site: { ...site, policies: { ...site.policies, repairRate: RATE } }, shardRacks: racks };
  });
  const setLimit = (isByPolicy: boolean): Promise<unknown> => {
    const request: SetErasureLimit = { what: 'repair', bytesPerSecond: null, isByPolicy };
    return runActivity(createScrubActivities(stores).setErasureLimit, request);
  };
  const onRecord = () => records.objects.get(REPAIR_LIMIT_KEY)?.toString();

  it('is the limit where nobody named one; none is where a person said so, or where the site has no policy', async () => {
    assert.deepEqual([await setLimit(true), onRecord()], [{ bytesPerSecond: RATE }, `{"bytesPerSecond":${RATE}}`]);
    assert.deepEqual([await setLimit(false), onRecord()], [{ bytesPerSecond: null }, undefined]);
    stores = records.stores;
    assert.deepEqual([await setLimit(true), onRecord()], [{ bytesPerSecond: null }, undefined]);
  });

  it('holds a unit up by what it reads', async () => {
    for (const key of KEYS) {
      await write(racks, key, noise(BYTES));
      const rack = racks.find(({ objects }) => [...objects.keys()].some((name) => name.startsWith(shardPrefix(key))));
      for (const name of [...(rack?.objects.keys() ?? [])]) if (name.startsWith(shardPrefix(key))) rack?.objects.delete(name);
      await queueRepair(stores, { key, margin: 3, storedBytes: 335_000, suspects: [] });
    }
    const { names } = await planQueue(stores, 10, new AbortController().signal);
    await setLimit(true);
    const environment = new MockActivityEnvironment({ attempt: 1 });
    const startedAt = performance.now();
    const { repairedObjects }: RepairCounts = await environment.run(createRepairActivities(stores).repairUnit, { names, lanes: 1 });
    const seconds = (performance.now() - startedAt) / 1000;
    assert.deepEqual([repairedObjects, KEYS.map((key) => keysOn(racks, shardPrefix(key)).length)], [KEYS.length, KEYS.map(() => SHARDS)]);
    // The first piece passes at once, and a tenth of a second is saved up.
    assert.ok(seconds > BYTES / RATE - 0.2, `${seconds} s`);
  });
});
