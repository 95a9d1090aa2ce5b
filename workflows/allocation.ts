/**
 * One allocation, from queue to archive. The scheduler starts it when the job is queued and talks to it by updates; whatever
 * happens, everything taken is given back and nothing acknowledged is lost.
 */
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  isCancellation,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { AdmissionActivities } from '../activities/admission.ts';
import type { ReleaseActivities } from '../activities/release.ts';
import { AllocationRequestSchema } from '../model/allocation.ts';
import { messageOf } from '../model/errors.ts';
import { allocationWorkflowId, CONTROL_QUEUE } from '../model/identifiers.ts';
import { formatCount } from '../model/quantity.ts';
import type { AllocationStatus } from '../model/status.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { type Desk, newDesk } from './allocation/desk.ts';
import { beginFollowing } from './allocation/following.ts';
import { setHandlers } from './allocation/messages.ts';
import { holdUntilAssigned, stageUntilReady } from './allocation/staging.ts';
import { isRefusal, prepare, snapshotLate, startFailure } from './allocation/starting.ts';
import {
  type AllocationState,
  enter,
  historyIsFull,
  keyOf,
  newState,
  planOf,
  readinessState,
  record,
  show,
  statusOf,
  tagRacks,
  tagsOf,
} from './allocation/state.ts';
import {
  abandonDrains,
  archiveOutput,
  awaitDrains,
  dropUncommitted,
  leaveCheckpoints,
  publishOutput,
  releaseHoldings,
  releaseNodes,
  settleCheckpoints,
  undoStart,
} from './allocation/winding-down.ts';
import { later } from './clock.ts';
import { deadlineExceeded, withinDeadline } from './deadline.ts';
import { innerMessageOf, reasonOf, rootCause } from './failures.ts';
import { activities } from './presets.ts';

const HOUR_MS = 3_600_000;
const HELD = ['exports', 'snapshots', 'reservations', 'scratch'] as const;

/** @param input see AllocationRequestSchema. @param carried the state of the run before, where this one continues it. */
export async function allocation(input: unknown, carried?: AllocationState): Promise<AllocationStatus> {
  // Only a run that continues another is handed a state; anybody may start one with a second argument.
  const state = carried && workflowInfo().continuedFromExecutionRunId ? carried : begin(input);
  const root = CancellationScope.current();
  const desk = newDesk();
  setHandlers(state, desk);
  let full = false;
  try {
    full = (await desk.life.run(() => live(state, desk))) === 'history full';
    if (!full) {
      await settleCheckpoints(desk, 1);
      await CancellationScope.nonCancellable(() => release(state));
      enter(state, 'released');
    }
  } catch (error) {
    await CancellationScope.nonCancellable(() => windDown(state, desk, error));
    await condition(allHandlersFinished);
    if (state.cancel) {
      await closeAsCancelled(state, root);
      throw new CancelledFailure(`cancelled (${state.cancel.mode}): ${state.cancel.reason}`);
    }
    throw ApplicationFailure.nonRetryable(state.reason?.message ?? innerMessageOf(error), state.reason?.code ?? 'Failed', statusOf(state));
  }
  if (full) await continueAsNew<typeof allocation>(state.request, state);
  await condition(allHandlersFinished);
  return statusOf(state);
}

function begin(input: unknown): AllocationState {
  const request = accept(AllocationRequestSchema, input);
  requireWorkflowId(allocationWorkflowId(request), 'submitting');
  const state = newState(request);
  upsertSearchAttributes(tagsOf(state));
  return state;
}

async function live(state: AllocationState, desk: Desk): Promise<'over' | 'history full'> {
  if (state.phase === 'running') {
    show(state);
  } else {
    await admit(state);
    await stageAndStart(state, desk);
  }
  if ((await run(state, desk)) === 'history full') return 'history full';
  desk.staging.cancel();
  const { deadlines } = planOf(state).policies;
  enter(state, 'draining', later(deadlines.drainingMinutes * 60));
  await releaseNodes(state, desk, { shipLogs: true });
  enter(state, 'archiving', later(deadlines.archivingHours * 3600));
  await withinDeadline('archiving', deadlines.archivingHours * HOUR_MS, async () => {
    await publishOutput(state);
    if (state.finish?.outcome === 'succeeded') await archiveOutput(state);
  });
  await awaitDrains(state); // under its own deadline: a slow drain does not fail what is archived
  return 'over';
}

async function admit(state: AllocationState): Promise<void> {
  enter(state, 'queued'); // its deadline is the site's policy, which admission brings
  state.plan = await activities<AdmissionActivities>('control', { queue: CONTROL_QUEUE, summary: 'check the declaration against the site' }).admit(
    state.request,
  );
  record(state, `admitted with ${formatCount(state.plan.data.mounts.length, 'mount')}`);
}

/** Staging and the wait for nodes overlap: enough data (0.8) may start, the rest follows while the job begins. */
async function stageAndStart(state: AllocationState, desk: Desk): Promise<void> {
  let staged: Promise<void> | undefined;
  for (;;) {
    if (!staged) {
      enter(state, 'queued', deadlineOf(state, 'queued'));
      staged = desk.staging.run(() => stageUntilReady(state, desk));
      staged.catch(() => undefined); // observed by the race below, or by nobody once the job runs
      await within(state, 'queued', () => Promise.race([staged, condition(() => state.phase !== 'queued' || desk.start !== undefined)]));
    }
    if (state.staging.state !== 'ready') await within(state, 'staging', () => Promise.race([staged, condition(() => desk.start !== undefined)]));
    if (!desk.start) {
      enter(state, 'ready', deadlineOf(state, 'ready'));
      if (!(await withinDeadline('ready', waitingMs(state, 'ready'), () => holdUntilAssigned(state, desk)))) {
        enter(state, 'queued', deadlineOf(state, 'queued'));
        await within(state, 'queued', () => condition(() => desk.rescheduled));
        staged = undefined;
        continue;
      }
    }
    if (await start(state, desk)) break;
  }
  if (state.staging.state !== 'ready') snapshotWhenStaged(state, desk, staged);
}

/** A job that started at 0.8 gets its snapshot when the rest has come; its failure is a line in the journal, not the job's end. */
function snapshotWhenStaged(state: AllocationState, desk: Desk, staged: Promise<void>): void {
  desk.stagingInBackground = true;
  desk.staging
    .run(() => staged.then(() => snapshotLate(state)))
    .catch((error: unknown) => {
      if (!isCancellation(error)) record(state, `no snapshot: ${messageOf(rootCause(error))}`);
    })
    .finally(() => {
      desk.stagingInBackground = false;
    });
}

type WaitingPhase = 'queued' | 'staging' | 'ready';

/** The work, or the phase's deadline; conditions must be made inside, or the deadline would not end them. */
function within(state: AllocationState, phase: WaitingPhase, work: () => Promise<unknown>): Promise<unknown> {
  return withinDeadline(phase, waitingMs(state, phase), work);
}

const deadlineOf = (state: AllocationState, phase: WaitingPhase): string => later(waitingMs(state, phase) / 1000);

/** Ready counts from the expected start: a job that waits for its turn is not overdue. */
function waitingMs(state: AllocationState, phase: WaitingPhase): number {
  const { deadlines } = planOf(state).policies;
  switch (phase) {
    case 'queued':
      return deadlines.queuedHours * HOUR_MS;
    case 'staging':
      return deadlines.stagingHours * HOUR_MS;
    case 'ready':
      return deadlines.readyHours * HOUR_MS + Math.max(0, Date.parse(state.expectedStart ?? '') - Date.now() || 0);
  }
}

/** True when the job runs; false when the start was refused and the allocation waits again. */
async function start(state: AllocationState, desk: Desk): Promise<boolean> {
  const asked = desk.start;
  if (!asked) return false;
  const { deadlines, leaseGraceSeconds } = planOf(state).policies;
  enter(state, 'starting', later(deadlines.startingMinutes * 60));
  state.nodes = asked.nodes;
  try {
    state.mountPlan = await withinDeadline('starting', deadlines.startingMinutes * 60_000, () => prepare(state, asked.nodes));
  } catch (error) {
    if (isCancellation(error)) throw error;
    const failure = startFailure(error);
    if (!isRefusal(failure)) throw failure;
    record(state, `start on ${asked.nodes.length} nodes refused: ${failure.message}`.slice(0, 300));
    await CancellationScope.nonCancellable(() => undoStart(state));
    state.nodes = [];
    desk.start = undefined;
    enter(state, state.staging.state === 'ready' ? 'ready' : 'staging', deadlineOf(state, 'ready'));
    asked.answer.reject(failure);
    return false;
  }
  tagRacks(state);
  enter(state, 'running', later(state.request.walltimeSeconds + leaseGraceSeconds));
  record(
    state,
    `running on ${state.nodes
      .map((node) => node.nodeId)
      .join(', ')
      .slice(0, 200)}, data ${Math.floor(readinessState(state).readiness * 100)} % ready`,
  );
  asked.answer.resolve(state.mountPlan);
  // Nothing in histories from before 0.3 asks for it: not even a turn of the event loop, which would change their order.
  if (planOf(state).followLogs) await beginFollowing(state);
  return true;
}

/** Until the scheduler says finish or the walltime and its grace are over: an absent scheduler never holds bandwidth. */
async function run(state: AllocationState, desk: Desk): Promise<'finished' | 'history full'> {
  const { policies } = planOf(state);
  const settled = () => historyIsFull(state, 1) && !desk.stagingInBackground && desk.checkpointsInFlight === 0;
  const remainingMs = Date.parse(state.deadline ?? state.since) - Date.now();
  const woken = await condition(() => state.finish !== undefined || settled(), Math.max(1, remainingMs), { summary: 'walltime and grace' });
  if (!woken) throw deadlineExceeded('running', (state.request.walltimeSeconds + policies.leaseGraceSeconds) * 1000);
  // A finish that comes now waits for the nodes, which only this run can hand back: then there is no other run.
  await condition(() => state.finish !== undefined || allHandlersFinished());
  if (!state.finish) return 'history full';
  record(state, `job finished: ${state.finish.outcome}`);
  return 'finished';
}

/** The end of every story that did not end well: give back, keep what was acknowledged, say why. */
async function windDown(state: AllocationState, desk: Desk, error: unknown): Promise<void> {
  if (isCancellation(error)) state.cancel ??= { mode: 'drain', reason: 'cancelled through Temporal, which names no mode: draining, for nothing is lost by it' };
  const reason = state.cancel ? { code: 'Cancelled', message: `${state.cancel.mode}: ${state.cancel.reason}` } : reasonOf(error);
  const abandon = state.cancel?.mode === 'abandon';
  desk.start?.answer.reject(ApplicationFailure.nonRetryable(reason.message, reason.code));
  desk.windingDown = true;
  state.reason = reason;
  desk.staging.cancel();
  if (state.plan) {
    if (state.nodes.length > 0 && !state.nodesReleasedAt) enter(state, 'draining', later(planOf(state).policies.deadlines.drainingMinutes * 60));
    await releaseNodes(state, desk, { shipLogs: !abandon && state.mountPlan !== undefined });
    if (abandon) await abandonDrains(state);
    else if (state.mountPlan && !state.output) await keep(state);
    await settleCheckpoints(desk, 1);
    await release(state);
  }
  enter(state, state.cancel ? 'cancelled' : 'failed');
  record(state, `${state.phase}: ${reason.message}`.slice(0, 300));
}

/** Temporal closes a run as cancelled only if it was cancelled through Temporal: what an update asked for is asked there too. */
async function closeAsCancelled(state: AllocationState, root: CancellationScope): Promise<void> {
  if (root.consideredCancelled) return;
  await CancellationScope.nonCancellable(async () => {
    await activities<ReleaseActivities>('control', { queue: CONTROL_QUEUE, summary: 'close this run as cancelled' }).requestCancellation(keyOf(state));
    await condition(() => root.consideredCancelled, '1 minute', { summary: 'the cancellation to arrive' });
  });
}

/** Publishes what the job left, within the archiving deadline; where that fails it stays on the hot tier, and is named. */
async function keep(state: AllocationState): Promise<void> {
  try {
    await withinDeadline('archiving', planOf(state).policies.deadlines.archivingHours * HOUR_MS, () => publishOutput(state));
  } catch (error) {
    record(state, `output stays on the hot tier: ${messageOf(rootCause(error))}`.slice(0, 300));
  }
}

async function release(state: AllocationState): Promise<void> {
  enter(state, 'releasing');
  const keepSnapshots = state.finish !== undefined;
  await releaseHoldings(
    state,
    HELD.filter((kind) => kind !== 'snapshots' || !keepSnapshots),
  );
  await dropUncommitted(state);
  await leaveCheckpoints(state);
  record(state, `everything held is given back${keepSnapshots ? '; snapshots end by their own expiry' : ''}`);
}
