/** In what order objects are repaired, and after how much work that is looked at anew. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { createRepairActivities, type PlanRepairs, type RepairPlan } from '../../../activities/repair.ts';
import { queueRepair } from '../../../activities/repair-queue.ts';
import { parseRepairName } from '../../../model/repair.ts';
import { runActivity } from '../../support/run-activity.ts';
import { memorySite } from '../datapath/erasure/support.ts';
import { recordsInMemory } from './records-in-memory.ts';

const GIB = 2 ** 30;

describe('a plan of repairs', () => {
  let plan: (given?: PlanRepairs) => Promise<RepairPlan>;
  let queue: (count: number, margin: number, storedBytes: number) => Promise<void>;
  beforeEach(async () => {
    const inMemory = await recordsInMemory();
    const stores = { ...inMemory.stores, shardRacks: memorySite() };
    const { planRepairs } = createRepairActivities(stores);
    plan = async (given) => await runActivity(planRepairs, given);
    queue = async (count, margin, storedBytes) => {
      for (let object = 0; object < count; object++)
        await queueRepair(stores, { key: `${margin}/${storedBytes}/${object}`, margin, storedBytes, suspects: [] });
    };
  });
  const marginsOf = ({ units }: RepairPlan) => units.flat().map((name) => parseRepairName(name)?.margin);

  it('has those with the fewest surviving shards first, in whatever order they were found', async () => {
    for (const margin of [3, -1, 2, 0, 3, 1]) await queue(2, margin, 1000 + margin);
    assert.deepEqual(marginsOf(await plan()), [-1, -1, 0, 0, 1, 1, 2, 2, 3, 3]);
  });

  it('is two units a lane of large objects, so that one that is more endangered waits for no more than those', async () => {
    await queue(20, 3, 100 * GIB);
    const wanted = { listings: [], claims: [] };
    assert.equal((await plan()).units.length, 8);
    assert.equal((await plan({ ...wanted, lanes: 9 })).units.length, 18);
    await queue(1, 0, GIB);
    const next = await plan({ ...wanted, lanes: 2 });
    assert.deepEqual([marginsOf(next), next.due.objects], [[0, 3, 3, 3], 21]);
  });

  it('of smaller objects is 256 GiB, or 256 of them', async () => {
    await queue(100, 3, 4 * GIB);
    const { units, due } = await plan();
    assert.deepEqual([units.length, units.flat().length, due.objects], [32, 64, 100]);
    await queue(300, 2, 1000);
    const small = await plan();
    assert.deepEqual([small.units.length, small.units.flat().length, small.due.objects], [16, 256, 400]);
  });
});
