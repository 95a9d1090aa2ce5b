/** What a repair makes of what it is told while it works, on the time-skipping server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { ListedRack, ListLostRackRequest, RepairPlan } from '../../activities/repair.ts';
import type { SetErasureLimit } from '../../activities/scrub.ts';
import { signalNames, updateNames } from '../../model/messages.ts';
import {
  type CallOffRack,
  mergeWanted,
  type RackCalledOff,
  REPAIR_WORKFLOW_ID,
  type RepairInput,
  type RepairStatus,
  type WantedRepairs,
} from '../../model/repair.ts';
import type { RateAnswer } from '../../model/transfer-input.ts';
import { beginRepair, standInRepairs, statusOf } from '../support/stand-in-repairs.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';
import { eventually } from '../support/wait.ts';

const MINUTE_MS = 60_000;

describe('a repair that is told something while it works', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());
  const queues = () => standInRepairs(environment);
  const begin = (input: RepairInput = {}) => beginRepair(environment, input);

  test('before a plan that is being made has its answer, plans again, and leaves nothing until the next word', async () => {
    const { due, later, fate, byQueue } = queues();
    due.add('stuck');
    const { planRepairs } = byQueue.control;
    let plans = 0;
    // Behind its look at the records, and before its answer.
    byQueue.control.planRepairs = async () => {
      const plan = await planRepairs();
      const fresh = { 2: 'while it waits', 5: 'before it ends' }[++plans];
      if (fresh === undefined) return plan;
      due.add(fresh);
      fate.set(fresh, 'repaired');
      await environment.client.workflow.getHandle(REPAIR_WORKFLOW_ID).signal(signalNames.repairsQueued);
      return plan;
    };
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin();
      const startedAt = await environment.currentTimeMs();
      await eventually('the first to be repaired', async () => ((await statusOf(handle)).counts.repairedObjects === 1 ? true : undefined));
      assert.ok((await environment.currentTimeMs()) - startedAt < MINUTE_MS, 'before what was put off is tried again');
      assert.deepEqual([plans >= 3, [...later]], [true, ['stuck']]);
      later.clear();
      plans = 4;
      await handle.signal(signalNames.repairsQueued);
      assert.equal(((await handle.result()) as RepairStatus).counts.repairedObjects, 2);
    });
  });

  test('calls off the drain of one rack while it lists, and goes on with the others', async () => {
    const { due, fate, byQueue } = queues();
    let record: WantedRepairs = { listings: [], claims: [] };
    const listed: string[] = [];
    const [isBegun, mayEnd] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { planRepairs } = byQueue.control;
    const control = {
      ...byQueue.control,
      planRepairs: async (given: WantedRepairs): Promise<RepairPlan> => {
        record = mergeWanted(record, given);
        return { ...(await planRepairs()), wanted: record };
      },
      callOffRack: async ({ rack }: CallOffRack): Promise<RackCalledOff> => {
        const listing = record.listings.find((each) => each.rack === rack);
        record = { ...record, listings: record.listings.filter((each) => each !== listing) };
        return { rack, ...(listing ? { listing } : {}), droppedObjects: 3 };
      },
    };
    const erasure = {
      ...byQueue.erasure,
      listLostRack: async ({ listing }: ListLostRackRequest): Promise<ListedRack> => {
        listed.push(listing.rack);
        if (listing.rack === 'r01') {
          isBegun.resolve();
          await mayEnd.promise;
          // It had its answer before it was called off.
          return { listing: { ...listing, after: 'k', listedObjects: 10 }, isOver: false };
        }
        due.add('on r02');
        fate.set('on r02', 'repaired');
        record = { ...record, listings: record.listings.filter(({ rack }) => rack !== listing.rack) };
        return { listing, isOver: true };
      },
    };
    await withWorkers(environment, { control, erasure }, async () => {
      const handle = await begin({ racks: ['r01', 'r02'] });
      await isBegun.promise;
      const calledOff = handle.executeUpdate<RackCalledOff, [unknown]>(updateNames.callOffRack, { args: [{ rack: 'r01' }] });
      await eventually('the listing to be called off', async () =>
        (await handle.fetchHistory()).events?.some((event) => event.activityTaskCancelRequestedEventAttributes) ? true : undefined,
      );
      mayEnd.resolve();
      assert.partialDeepStrictEqual(await calledOff, { rack: 'r01', listing: { rack: 'r01' }, droppedObjects: 3 });
      const { counts, listings } = (await handle.result()) as RepairStatus;
      assert.deepEqual([listed, counts.repairedObjects, listings, record.listings], [['r01', 'r02'], 1, [], []]);
    });
  });

  test("takes the limit that it is given, and else that of the site's policy", async () => {
    const { byQueue } = queues();
    const asked: SetErasureLimit[] = [];
    const policy = 200_000_000;
    const control = {
      ...byQueue.control,
      setErasureLimit: async (request: SetErasureLimit): Promise<RateAnswer> => {
        asked.push(request);
        return { bytesPerSecond: request.isByPolicy ? policy : request.bytesPerSecond };
      },
    };
    await withWorkers(environment, { control, erasure: byQueue.erasure }, async () => {
      const rateOf = async (input: RepairInput) => ((await (await begin(input)).result()) as RepairStatus).bytesPerSecond;
      assert.deepEqual([await rateOf({}), await rateOf({ bytesPerSecond: '5MB/s' }), await rateOf({ bytesPerSecond: null })], [policy, 5_000_000, null]);
      assert.deepEqual(
        asked.map(({ isByPolicy }) => isByPolicy ?? false),
        [true, false, false],
      );
    });
  });
});
