/** Tells a workflow how its data is coming along. Few messages, for each costs history; the heartbeat has the rest. */
import { Context } from '@temporalio/activity';
import type { Progress } from '../model/manifest.ts';
import { signalNames } from '../model/messages.ts';
import { readinessOf } from '../model/readiness.ts';
import type { StagingReport } from '../model/reports.ts';
import type { UnitProgress } from '../model/transfer.ts';

const STEP = 0.2; // five steps a mount: at most 5 signals x 4 events, whatever the number of files
const PAUSE_MS = 3000;

export async function tellAllocation(workflowId: string, report: StagingReport): Promise<void> {
  await Context.current().client.workflow.getHandle(workflowId).signal(signalNames.stagingReport, report);
}

/** Sends a mount's progress at steps of a fifth and not more often than every three seconds; but the moment at which a job may start, at once. */
export function stagingReporter(workflowId: string, mountIndex: number, readyThreshold: number): (progress: Progress) => Promise<void> {
  let told = 0;
  let toldAt = Date.now();
  return async (progress) => {
    const share = readinessOf(progress);
    const mayStart = told < readyThreshold && share >= readyThreshold;
    const due = share - told >= STEP && Date.now() - toldAt >= PAUSE_MS;
    if (share >= 1 || !(mayStart || due)) return;
    told = share;
    toldAt = Date.now();
    await tellAllocation(workflowId, { mounts: [{ mountIndex, progress }] });
  };
}

const UNIT_PAUSE_MS = 30_000;
const UNIT_REPORTS = 10; // of an attempt: at most 40 events a unit, which is minutes of work

/** Tells a transfer how one of its units is coming along; seldom, for the heartbeat has the rest. */
export function unitReporter(workflowId: string): (progress: UnitProgress) => Promise<void> {
  let toldAt = Date.now();
  // Of the first attempt only: attempts are unlimited, histories are not.
  let left = Context.current().info.attempt > 1 ? 0 : UNIT_REPORTS;
  return async (progress) => {
    if (left === 0 || Date.now() - toldAt < UNIT_PAUSE_MS) return;
    toldAt = Date.now();
    left -= 1;
    await Context.current().client.workflow.getHandle(workflowId).signal(signalNames.unitProgress, progress);
  };
}
