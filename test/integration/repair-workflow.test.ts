/** When a repair tries again, on the time-skipping server, with stand-ins whose objects cannot be repaired. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { ListedRack, ListLostRackRequest, RepairPlan } from '../../activities/repair.ts';
import type { SetErasureLimit } from '../../activities/scrub.ts';
import { signalNames, updateNames } from '../../model/messages.ts';
import { mergeWanted, REPAIR_WORKFLOW_ID, type RepairInput, type RepairStatus, repairName, type WantedRepairs } from '../../model/repair.ts';
import type { RateAnswer } from '../../model/transfer-input.ts';
import { runsOf } from '../support/histories.ts';
import { beginRepair, standInRepairs, statusOf } from '../support/stand-in-repairs.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';
import { eventually } from '../support/wait.ts';

const MINUTE_MS = 60_000;

describe('a repair', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());

  const queues = () => standInRepairs(environment);
  const begin = (input: RepairInput = {}) => beginRepair(environment, input);
  const minutesBetween = (instants: readonly number[]) => instants.slice(1).map((at, index) => Math.round((at - (instants[index] ?? 0)) / MINUTE_MS));

  test('waits twice as long each time for what cannot be repaired, up to an hour', async () => {
    const { due, triedAt, fate, byQueue } = queues();
    due.add('stuck');
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin();
      await environment.sleep('5 hours');
      fate.set('stuck', 'repaired');
      assert.equal(((await handle.result()) as RepairStatus).counts.repairedObjects, 1);
    });
    assert.deepEqual(minutesBetween(triedAt).slice(0, 8), [2, 4, 8, 16, 32, 60, 60, 60]);
  });

  test('begins what is queued meanwhile at once, and what was put off when its time has come or a person asks', async () => {
    const { due, later, triedAt, fate, byQueue } = queues();
    due.add('stuck');
    fate.set('fresh', 'repaired');
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin();
      await environment.sleep('40 minutes');
      const tried = triedAt.length;
      due.add('fresh');
      await handle.signal(signalNames.repairsQueued);
      await eventually('the fresh one to be repaired', async () => ((await statusOf(handle)).counts.repairedObjects === 1 ? true : undefined));
      assert.deepEqual([triedAt.length, later.has('stuck')], [tried, true], 'the other one still waits');
      fate.set('stuck', 'repaired');
      await handle.executeUpdate(updateNames.repairMore, { args: [{}] });
      assert.equal(((await handle.result()) as RepairStatus).counts.repairedObjects, 2);
    });
  });

  const nameOf = (digit: string): string => repairName({ margin: 3, storedBytes: 1000 }, digit.repeat(40));

  test('counts units that end side by side, each once, and takes what they did off what is due', async () => {
    const { due, later, fate, byQueue } = queues();
    const [quick, slow, stuck] = [nameOf('a'), nameOf('b'), nameOf('c')];
    for (const name of [quick, slow, stuck]) due.add(name);
    for (const name of [quick, slow]) fate.set(name, 'repaired');
    const [slowMay, planMay] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { planRepairs } = byQueue.control;
    const { repairUnit } = byQueue.erasure;
    byQueue.control.planRepairs = async () => {
      await planMay.promise;
      return await planRepairs();
    };
    byQueue.erasure.repairUnit = async (request) => {
      if (request.names.includes(slow)) await slowMay.promise;
      return await repairUnit(request);
    };
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin();
      assert.equal((await handle.executeUpdate<RepairStatus, [unknown]>(updateNames.repairMore, { args: [{}] })).state, 'planning');
      planMay.resolve();
      const between = await eventually('two to be over', async () => {
        const status = await statusOf(handle);
        return status.counts.repairedObjects + status.counts.postponedObjects === 2 ? status : undefined;
      });
      assert.deepEqual([between.state, between.due, between.laterObjects], ['repairing', { objects: 1, storedBytes: 1000, isMore: false }, 1]);
      slowMay.resolve();
      await eventually('the third to be over', async () => (later.size === 1 && (await statusOf(handle)).due.objects === 0 ? true : undefined));
      fate.set(stuck, 'repaired');
      await handle.executeUpdate(updateNames.repairMore, { args: [{}] });
      const { counts } = (await handle.result()) as RepairStatus;
      assert.deepEqual([counts.repairedObjects, counts.doneBytes], [3, 3000]);
    });
  });

  test('stopped while it lists a rack, it goes on from there when it is started again without one', async () => {
    const { due, later, fate, byQueue } = queues();
    const listed: (string | undefined)[] = [];
    let record: WantedRepairs = { listings: [], claims: [] };
    const [isBegun, mayEnd] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { planRepairs } = byQueue.control;
    const control = {
      ...byQueue.control,
      planRepairs: async (given: WantedRepairs): Promise<RepairPlan> => {
        record = mergeWanted(record, given);
        return { ...(await planRepairs()), wanted: record };
      },
    };
    const erasure = {
      ...byQueue.erasure,
      listLostRack: async ({ listing }: ListLostRackRequest): Promise<ListedRack> => {
        listed.push(`${listing.rack} after ${listing.after ?? 'nothing'}`);
        if (listing.after === undefined) {
          const reached = { ...listing, after: 'k', listedObjects: 10, concernedObjects: 4 };
          record = { ...record, listings: [reached] };
          isBegun.resolve();
          await mayEnd.promise;
          return { listing: reached, isOver: false };
        }
        due.add(`on ${listing.rack}`);
        fate.set(`on ${listing.rack}`, 'repaired');
        record = { ...record, listings: record.listings.filter(({ rack }) => rack !== listing.rack) };
        return { listing: { ...listing, listedObjects: 20 }, isOver: true };
      },
    };
    await withWorkers(environment, { control, erasure }, async () => {
      const first = await begin({ racks: ['r01'], lanes: 7 });
      await isBegun.promise;
      await first.executeUpdate(updateNames.repairMore, { args: [{ racks: ['r02'] }] });
      due.add('meanwhile');
      fate.set('meanwhile', 'repaired');
      await first.cancel();
      await eventually('the listing to be called off', async () =>
        (await first.fetchHistory()).events?.some((event) => event.activityTaskCancelRequestedEventAttributes) ? true : undefined,
      );
      mayEnd.resolve();
      await assert.rejects(first.result());
      assert.deepEqual(
        record.listings.map(({ rack, after }) => [rack, after]),
        [
          ['r01', 'k'],
          ['r02', undefined],
        ],
      );
      listed.length = 0;
      record = { ...record, listings: record.listings.map((each) => ({ ...each, after: each.after ?? 'a' })) };
      const { counts, listings } = (await (await begin()).result()) as RepairStatus;
      assert.deepEqual([listed, counts.repairedObjects, listings, later.size], [['r01 after k', 'r02 after a'], 3, [], 0]);
    });
  });

  test('goes on in new runs when its history is full, with its counts, its limit and the place of its listing', async () => {
    const { due, fate, byQueue } = queues();
    const OBJECTS = 40;
    for (let object = 0; object < OBJECTS; object++) {
      const name = repairName({ margin: 3, storedBytes: 1000 }, String(object).padStart(40, '0'));
      due.add(name);
      fate.set(name, 'repaired');
    }
    const [listed, limits]: [number[], unknown[]] = [[], []];
    const { planRepairs, setErasureLimit } = byQueue.control;
    const control = {
      ...byQueue.control,
      planRepairs: async (): Promise<RepairPlan> => ({ ...(await planRepairs()), eventsPerRun: 60 }),
      setErasureLimit: async (request: SetErasureLimit): Promise<RateAnswer> => {
        limits.push(request.bytesPerSecond);
        return await setErasureLimit(request);
      },
    };
    const listLostRack = async ({ listing }: ListLostRackRequest): Promise<ListedRack> => {
      listed.push(listing.listedObjects);
      return { listing: { ...listing, after: 'k', listedObjects: listing.listedObjects + 1 }, isOver: listing.listedObjects === 3 };
    };
    await withWorkers(environment, { control, erasure: { ...byQueue.erasure, listLostRack } }, async () => {
      const handle = await begin({ lanes: 2, bytesPerSecond: '5MB/s', racks: ['r01'] });
      const { startedAt } = await statusOf(handle);
      const over = (await handle.result()) as RepairStatus;
      assert.deepEqual([over.counts.repairedObjects, over.counts.doneBytes, over.bytesPerSecond], [OBJECTS, OBJECTS * 1000, 5_000_000]);
      assert.deepEqual([over.startedAt, over.listings, listed, limits], [startedAt, [], [0, 1, 2, 3], [5_000_000]]);
      const runs = await runsOf(environment.client, REPAIR_WORKFLOW_ID, handle.firstExecutionRunId);
      assert.ok(runs.length >= 3, `${runs.length} runs`);
      for (const { events } of runs) assert.ok(events.length < 120, `${events.length} events`);
    });
  });

  test('refuses racks beyond those that it can keep, instead of forgetting them', async () => {
    const { byQueue } = queues();
    const mayEnd = Promise.withResolvers<void>();
    const listLostRack = async ({ listing }: ListLostRackRequest): Promise<ListedRack> => {
      await mayEnd.promise;
      return { listing, isOver: true };
    };
    const racksFrom = (first: number) => Array.from({ length: 32 }, (_, index) => `r${first + index}`);
    await withWorkers(environment, { ...byQueue, erasure: { ...byQueue.erasure, listLostRack } }, async () => {
      const handle = await begin({ racks: racksFrom(0) });
      const more = (racks: readonly string[]) => handle.executeUpdate<RepairStatus, [unknown]>(updateNames.repairMore, { args: [{ racks }] });
      assert.equal((await more(racksFrom(32))).listings.length, 64);
      await assert.rejects(more(['r64']), (error: Error) => {
        assert.match(String(error.cause), /racks: found 65 racks .*accepted: 64 at once/);
        return true;
      });
      assert.equal((await more(['r7'])).listings.length, 64, 'one that is being listed is no other one');
      await handle.terminate();
      mayEnd.resolve();
    });
  });

  test('keeps its lanes where who asks for more names none', async () => {
    const { due, fate, byQueue } = queues();
    const lanes: number[] = [];
    const { repairUnit } = byQueue.erasure;
    byQueue.erasure.repairUnit = async (request) => {
      lanes.push(request.lanes);
      return await repairUnit(request);
    };
    due.add('stuck');
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin({ lanes: 7 });
      await eventually('it to be put off', async () => ((await statusOf(handle)).state === 'waiting' ? true : undefined));
      fate.set('stuck', 'repaired');
      await handle.executeUpdate(updateNames.repairMore, { args: [{}] });
      await handle.result();
    });
    assert.deepEqual(new Set(lanes), new Set([7]));
  });
});
