/** Queued, staging, ready: the data is brought to the hot tier and kept there until the job starts. */
import { ApplicationFailure, ChildWorkflowCancellationType, condition, executeChild, isCancellation, ParentClosePolicy } from '@temporalio/workflow';
import type { StagingActivities } from '../../activities/staging.ts';
import { messageOf } from '../../model/errors.ts';
import { CONTROL_QUEUE } from '../../model/identifiers.ts';
import type { Progress } from '../../model/manifest.ts';
import { formatBytes, formatCount } from '../../model/quantity.ts';
import type { StagingReport } from '../../model/reports.ts';
import { later } from '../clock.ts';
import { rootCause } from '../failures.ts';
import { activities } from '../presets.ts';
import { prestage } from '../prestage.ts';
import type { Desk } from './desk.ts';
import { type AllocationState, enter, keyOf, ownerOf, planOf, record, show, stagingWorkflowId, tagsOf } from './state.ts';

const ROUNDS_IN_A_ROW = 3;
const ROUND_PAUSE_SECONDS = 30;
const RENEWAL_WORTH_MS = 60_000; // less is not worth a call
const DEFAULT_LEAD_SECONDS = 86_400; // pins last a day where the scheduler named no expected start

/**
 * Keeps trying until the data is whole. Three rounds, then it parks with the reason shown until the scheduler reschedules: a
 * source that is wrong does not become right by being asked for ever.
 */
export async function stageUntilReady(state: AllocationState, desk: Desk): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    desk.rescheduled = false;
    if (await stageOnce(state)) return;
    if (attempt % ROUNDS_IN_A_ROW !== 0) {
      await condition(() => desk.rescheduled, `${ROUND_PAUSE_SECONDS} seconds`, { summary: 'pause before staging is tried again' });
      continue;
    }
    await condition(() => desk.rescheduled || state.mountPlan !== undefined);
    // A running job is not rescheduled: what did not come is told, not waited for.
    if (state.mountPlan) throw ApplicationFailure.nonRetryable(state.staging.reason?.message ?? 'staging failed', 'StagingFailed');
  }
}

async function stageOnce(state: AllocationState): Promise<boolean> {
  const { staging } = state;
  const { policies, data } = planOf(state);
  staging.round += 1;
  staging.state = 'waiting';
  staging.reason = undefined;
  staging.mounts = {};
  staging.pinnedUntil = pinTarget(state);
  show(state);
  try {
    const result = await executeChild(prestage, {
      workflowId: stagingWorkflowId(state),
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      typedSearchAttributes: tagsOf(state),
      staticSummary: `prestage for ${ownerOf(state)}, round ${staging.round}`,
      args: [
        { ...keyOf(state), allocation: ownerOf(state), mounts: data.mounts, pinnedUntil: staging.pinnedUntil, heartbeatSeconds: policies.heartbeatSeconds },
      ],
    });
    if (result.failedCount === 0) {
      staging.state = 'ready';
      staging.pinnedUntil = result.pinnedUntil;
      staging.mounts = { all: { files: result.files, bytes: result.bytes, doneFiles: result.files, doneBytes: result.bytes, bytesPerSecond: 0 } };
      record(state, `staged ${formatCount(result.files, 'file')}, ${formatBytes(result.bytes)}`);
      await renewPins(state); // the start may have been rescheduled meanwhile
      return true;
    }
    const [first] = result.failed;
    fail(state, 'STAGING_PARTIAL', `${result.failedCount} of ${result.files} files could not be staged, the first is ${first?.path}: ${first?.message}`);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const cause = rootCause(error);
    if (cause instanceof ApplicationFailure && (cause.type === 'NotFound' || cause.type === 'PolicyRefused')) throw cause;
    fail(state, 'STAGING_FAILED', messageOf(cause));
  }
  return false;
}

function fail(state: AllocationState, code: string, message: string): void {
  state.staging.state = 'failed';
  state.staging.reason = { code, message };
  record(state, `${code}: ${message}`.slice(0, 300));
}

/** Ready until the pin runs out. Answers false when it did and nobody came: the data may be evicted from then on. */
export async function holdUntilAssigned(state: AllocationState, desk: Desk): Promise<boolean> {
  while (!desk.start) {
    const pinnedUntil = Date.parse(state.staging.pinnedUntil ?? '') || Date.now();
    const woken = await condition(() => desk.start !== undefined || desk.rescheduled, Math.max(1, pinnedUntil - Date.now()), {
      summary: 'pin of the staged data',
    });
    if (!woken) {
      state.staging.state = 'expired';
      state.staging.reason = {
        code: 'PIN_EXPIRED',
        message: `nobody started the job before ${state.staging.pinnedUntil}; the staged data may be evicted. Reschedule to stage it again.`,
      };
      record(state, 'the pin of the staged data expired');
      return false;
    }
    desk.rescheduled = false;
  }
  return true;
}

/** Moves the pins' expiry to the new expected start; never earlier, for others may rely on what was said before. */
export async function renewPins(state: AllocationState): Promise<void> {
  const until = pinTarget(state);
  const { staging } = state;
  if (staging.state !== 'ready' || !staging.pinnedUntil || Date.parse(until) - Date.parse(staging.pinnedUntil) < RENEWAL_WORTH_MS) return;
  staging.pinnedUntil = until;
  await activities<StagingActivities>('control', { queue: CONTROL_QUEUE, summary: `keep the staged data pinned until ${until}` }).renewPins({
    ...keyOf(state),
    pinnedUntil: until,
  });
  show(state);
}

function pinTarget(state: AllocationState): string {
  const { leaseGraceSeconds } = planOf(state).policies;
  const expected = state.expectedStart ? Date.parse(state.expectedStart) : Date.now() + DEFAULT_LEAD_SECONDS * 1000;
  return later(leaseGraceSeconds, Math.max(Date.now(), expected));
}

export function noteStaging(state: AllocationState, report: StagingReport): void {
  const { staging } = state;
  for (const { mountIndex, progress } of report.mounts ?? [])
    if (staging.state !== 'ready') staging.mounts[mountIndex] = ahead(staging.mounts[mountIndex], progress);
  if (report.state && staging.state !== 'ready' && staging.state !== 'expired') {
    staging.state = report.state;
    staging.reason = report.reason;
  }
  if (state.phase === 'queued' && report.state === 'staging') enter(state, 'staging', later(planOf(state).policies.deadlines.stagingHours * 3600));
  else show(state);
}

/** A unit knows only its own part of a mount, and may report after the whole has been told. */
function ahead(known: Progress | undefined, told: Progress): Progress {
  return { ...told, doneFiles: Math.max(known?.doneFiles ?? 0, told.doneFiles), doneBytes: Math.max(known?.doneBytes ?? 0, told.doneBytes) };
}
