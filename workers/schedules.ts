/** What happens by the clock. Each control worker sees to it at its start, so that no site is without. */
import { Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { workflowTypes } from '../model/messages.ts';

const SWEEP_SCHEDULE = 'sweep';

/** Creates what is missing. A schedule that is there stays as it is: an operator may have paused it, or given it another time. */
export async function ensureSchedules(connection: NativeConnection, namespace: string): Promise<void> {
  const client = new Client({ connection, namespace });
  try {
    await client.schedule.create({
      scheduleId: SWEEP_SCHEDULE,
      // At night, and not of all sites at once.
      spec: { calendars: [{ hour: 3, minute: 0, comment: 'once a day' }], jitter: '1 hour' },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' },
      action: {
        type: 'startWorkflow',
        workflowType: workflowTypes.sweep,
        workflowId: 'sweep',
        taskQueue: CONTROL_QUEUE,
        args: [],
        staticSummary: 'end what nobody will finish: old uploads and temporary files',
      },
      memo: { purpose: 'Penstock: ends unfinished uploads and removes temporary files older than the policy sweepAfterHours' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
