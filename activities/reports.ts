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

const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 15 * 60_000;
/** What one transfer tells in all, once its units are at their longest pauses: 16 times an hour, 64 events, 10,752 in the seven days that a unit may take. */
const TOLD_EVERY_MS = LONGEST_PAUSE_MS / 4;

/**
 * How long a unit's mover waits until it tells its transfer again: 30 s, then twice as long each time, up to a quarter of an hour, so that a unit of twelve hours tells 51 times, four
 * events each. Many lanes wait longer. Later attempts begin with longer pauses, for attempts are unlimited and histories are not.
 */
export function reportPauseMs({ told, attempt, lanes }: { readonly told: number; readonly attempt: number; readonly lanes: number }): number {
  const doublings = Math.min(16, told + attempt - 1);
  return Math.min(FIRST_PAUSE_MS * 2 ** doublings, Math.max(LONGEST_PAUSE_MS, lanes * TOLD_EVERY_MS));
}

/** Tells a transfer how one of its units is coming along, whenever it is asked and a report is due; seldom, for the heartbeat has the rest. */
export function unitReporter(workflowId: string, lanes: number): (progress: UnitProgress) => Promise<void> {
  const { attempt } = Context.current().info;
  let told = 0;
  let dueAt = Date.now() + reportPauseMs({ told, attempt, lanes });
  return async (progress) => {
    if (Date.now() < dueAt) return;
    told += 1;
    dueAt = Date.now() + reportPauseMs({ told, attempt, lanes });
    await Context.current().client.workflow.getHandle(workflowId).signal(signalNames.unitProgress, progress);
  };
}
