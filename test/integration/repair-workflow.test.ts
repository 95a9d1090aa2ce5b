/** When a repair tries again, on the time-skipping server, with stand-ins whose objects cannot be repaired. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RepairPlan, RepairUnitRequest } from '../../activities/repair.ts';
import { queryNames, signalNames, updateNames } from '../../model/messages.ts';
import { noRepairs, REPAIR_WORKFLOW_ID, type RepairCounts, type RepairStatus } from '../../model/repair.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';
import { eventually } from '../support/wait.ts';

const MINUTE_MS = 60_000;

describe('a repair', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());

  /** Records as the object store has them: due, and put off. */
  function queues() {
    const due = new Set<string>();
    const later = new Set<string>();
    const triedAt: number[] = [];
    const fate = new Map<string, 'repaired' | 'put off'>();
    const activities = {
      setErasureLimit: async () => undefined,
      planRepairs: async (): Promise<RepairPlan> => ({
        units: [...due].map((name) => [name]),
        due: { objects: due.size, storedBytes: due.size * 1000, isMore: false },
        laterObjects: later.size,
        heartbeatSeconds: 30,
        eventsPerRun: 2000,
      }),
      requeueRepairs: async (): Promise<number> => {
        triedAt.push(await environment.currentTimeMs());
        for (const name of later) due.add(name);
        later.clear();
        return due.size;
      },
      repairUnit: async ({ names }: RepairUnitRequest): Promise<RepairCounts> => {
        let repaired = 0;
        for (const name of names) {
          due.delete(name);
          if (fate.get(name) === 'repaired') repaired++;
          else later.add(name);
        }
        return { ...noRepairs, repairedObjects: repaired, postponedObjects: names.length - repaired, doneBytes: 1000 * repaired };
      },
    };
    const { setErasureLimit, planRepairs, requeueRepairs, repairUnit } = activities;
    return { due, later, triedAt, fate, byQueue: { control: { setErasureLimit, planRepairs, requeueRepairs }, erasure: { repairUnit } } };
  }
  const begin = () =>
    environment.client.workflow.start('repair', { workflowId: REPAIR_WORKFLOW_ID, taskQueue: 'control', args: [{}], workflowIdReusePolicy: 'ALLOW_DUPLICATE' });
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
      await eventually('the fresh one to be repaired', async () =>
        (await handle.query<RepairStatus>(queryNames.status)).counts.repairedObjects === 1 ? true : undefined,
      );
      assert.deepEqual([triedAt.length, later.has('stuck')], [tried, true], 'the other one still waits');
      fate.set('stuck', 'repaired');
      await handle.executeUpdate(updateNames.repairMore, { args: [{}] });
      assert.equal(((await handle.result()) as RepairStatus).counts.repairedObjects, 2);
    });
  });
});
