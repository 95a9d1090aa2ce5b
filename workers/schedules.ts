/** What happens by the clock. Each control worker sees to it at its start, so that no site is without. */
import { Client, ScheduleAlreadyRunning, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { DEMOTION_SCHEDULE_ID } from '../model/demotion-run.ts';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { workflowTypes } from '../model/messages.ts';

type Due = Pick<ScheduleOptions, 'scheduleId' | 'spec'> & { readonly workflowType: string; readonly summary: string; readonly purpose: string };

// At night, and not of all sites at once.
const schedules: readonly Due[] = [
  {
    scheduleId: 'sweep',
    spec: { calendars: [{ hour: 3, minute: 0, comment: 'once a day' }], jitter: '1 hour' },
    workflowType: workflowTypes.sweep,
    summary: 'end what nobody will finish: old uploads and temporary files',
    purpose: 'Penstock: ends unfinished uploads and removes temporary files older than the policy sweepAfterHours',
  },
  {
    scheduleId: 'scrub',
    spec: { calendars: [{ dayOfWeek: 'SUNDAY', hour: 4, minute: 0, comment: 'once a week' }], jitter: '1 hour' },
    workflowType: workflowTypes.scrub,
    summary: 'start the scrub of the erasure set, or go on with it',
    purpose: 'Penstock: reads every cell of the erasure set, at the policy scrubRate',
  },
  {
    scheduleId: DEMOTION_SCHEDULE_ID,
    spec: { calendars: [{ hour: 1, minute: 0, comment: 'once a day' }], jitter: '1 hour' },
    workflowType: workflowTypes.demotionPolicy,
    summary: 'move down what the demotion rules say',
    purpose: "Penstock: moves data to colder tiers by the site file's demotion rules",
  },
];

/** Creates what is missing. A schedule that is there stays as it is: an operator may have paused it, or given it another time. */
export async function ensureSchedules(connection: NativeConnection, namespace: string): Promise<void> {
  const client = new Client({ connection, namespace });
  for (const { scheduleId, spec, workflowType, summary, purpose } of schedules) {
    try {
      await client.schedule.create({
        scheduleId,
        spec,
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' },
        action: { type: 'startWorkflow', workflowType, workflowId: scheduleId, taskQueue: CONTROL_QUEUE, args: [], staticSummary: summary },
        memo: { purpose },
      });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    }
  }
}
