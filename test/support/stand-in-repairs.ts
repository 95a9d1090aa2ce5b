/** Stand-ins for what a repair calls, for tests of when it calls what. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RepairPlan, RepairUnitRequest } from '../../activities/repair.ts';
import type { SetErasureLimit } from '../../activities/scrub.ts';
import { queryNames } from '../../model/messages.ts';
import { noRepairs, REPAIR_WORKFLOW_ID, type RepairCounts, type RepairInput, type RepairStatus } from '../../model/repair.ts';
import type { RateAnswer } from '../../model/transfer-input.ts';

/** Records as the object store has them: due, and put off; and activities that know what becomes of each. */
export function standInRepairs(environment: TestWorkflowEnvironment) {
  const due = new Set<string>();
  const later = new Set<string>();
  const triedAt: number[] = [];
  const fate = new Map<string, 'repaired' | 'put off'>();
  const activities = {
    setErasureLimit: async ({ bytesPerSecond }: SetErasureLimit): Promise<RateAnswer> => ({ bytesPerSecond }),
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

export const beginRepair = (environment: TestWorkflowEnvironment, input: RepairInput) =>
  environment.client.workflow.start('repair', {
    workflowId: REPAIR_WORKFLOW_ID,
    taskQueue: 'control',
    args: [input],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  });

export const statusOf = (handle: { query<T>(name: string): Promise<T> }): Promise<RepairStatus> => handle.query<RepairStatus>(queryNames.status);
