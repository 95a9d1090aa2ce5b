/** Updates, signals and queries of an allocation. Validators refuse before anything reaches history; handlers may be repeated. */
import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
  TimeoutFailure,
  Trigger,
} from '@temporalio/workflow';
import {
  AssignNodesSchema,
  CancelSchema,
  CommitCheckpointSchema,
  ExtendRetentionSchema,
  FinishSchema,
  RescheduleSchema,
  ReserveCheckpointSchema,
} from '../../model/allocation.ts';
import type { CheckpointReservation, CommittedCheckpoint } from '../../model/checkpoint.ts';
import { queryNames, signalNames, TRY_AGAIN, updateNames } from '../../model/messages.ts';
import type { MountPlan } from '../../model/mount-plan.ts';
import { isEnd } from '../../model/phase.ts';
import type { Readiness } from '../../model/readiness.ts';
import type { CancelAnswer, DrainReport, FinishAnswer, StagingReport } from '../../model/reports.ts';
import type { AllocationStatus } from '../../model/status.ts';
import { accept } from '../accept.ts';
import { later } from '../clock.ts';
import { rootCause } from '../failures.ts';
import { commitCheckpoint, noteDrain, refuseCommit, refuseReservation, reserveCheckpoint } from './checkpoints.ts';
import type { Desk } from './desk.ts';
import { noteStaging, renewPins } from './staging.ts';
import { type AllocationState, historyIsFull, readinessState, record, statusOf } from './state.ts';

const assignNodes = defineUpdate<MountPlan, [unknown]>(updateNames.assignNodes);
const reserve = defineUpdate<CheckpointReservation, [unknown]>(updateNames.reserveCheckpoint);
const commit = defineUpdate<CommittedCheckpoint, [unknown]>(updateNames.commitCheckpoint);
const finish = defineUpdate<FinishAnswer, [unknown]>(updateNames.finish);
const cancel = defineUpdate<CancelAnswer, [unknown]>(updateNames.cancel);
const reschedule = defineUpdate<Readiness, [unknown]>(updateNames.reschedule);
const extendRetention = defineUpdate<{ retainUntil: string }, [unknown]>(updateNames.extendRetention);
const stagingReport = defineSignal<[StagingReport]>(signalNames.stagingReport);
const checkpointDrained = defineSignal<[DrainReport]>(signalNames.checkpointDrained);
const status = defineQuery<AllocationStatus>(queryNames.status);
const readiness = defineQuery<Readiness>(queryNames.readiness);

export function setHandlers(state: AllocationState, desk: Desk): void {
  setHandler(status, () => statusOf(state));
  setHandler(readiness, () => readinessState(state));
  setHandler(stagingReport, (report) => noteStaging(state, report));
  setHandler(checkpointDrained, (report) => noteDrain(state, report));

  setHandler(
    assignNodes,
    async (input) => {
      const { nodes } = accept(AssignNodesSchema, input);
      if (state.mountPlan) return state.mountPlan;
      desk.start ??= { nodes, answer: new Trigger<MountPlan>() };
      return desk.start.answer;
    },
    { validator: (input) => refuseAssignment(state, desk, input) },
  );
  setHandler(reserve, (input) => counted(desk, () => reserveCheckpoint(state, accept(ReserveCheckpointSchema, input))), {
    validator: (input) => {
      refuse(refuseReservation(state, accept(ReserveCheckpointSchema, input)));
      refuseWhileFull(state);
    },
  });
  setHandler(commit, (input) => counted(desk, () => commitCheckpoint(state, accept(CommitCheckpointSchema, input).checkpointId)), {
    validator: (input) => {
      refuse(refuseCommit(state, accept(CommitCheckpointSchema, input).checkpointId));
      refuseWhileFull(state);
    },
  });
  setHandler(
    finish,
    async (input) => {
      state.finish ??= accept(FinishSchema, input);
      await condition(() => state.nodesReleasedAt !== undefined);
      return { nodesReleasedAt: state.nodesReleasedAt ?? state.since, uncleanNodes: state.uncleanNodes };
    },
    {
      validator: (input) => {
        accept(FinishSchema, input);
        if (!state.mountPlan) refuse(`finish needs a running job; the phase is ${state.phase}. Use cancel to end an allocation that never started.`);
      },
    },
  );
  setHandler(
    cancel,
    (input) => {
      const request = accept(CancelSchema, input);
      const answer = cancelAnswer(state, request.mode);
      state.cancel = request;
      record(state, `cancel (${request.mode}) asked: ${request.reason}`);
      desk.life.cancel();
      return answer;
    },
    {
      validator: (input) => {
        const request = accept(CancelSchema, input);
        if (isEnd(state.phase) || state.phase === 'releasing') refuse(`the allocation is already ${state.phase}`);
        if (desk.windingDown && !state.cancel) refuse(`the allocation is already winding down: ${state.reason?.message ?? state.phase}`);
        if (state.cancel && state.cancel.mode !== request.mode) refuse(`already being cancelled with mode ${state.cancel.mode}`);
      },
    },
  );
  setHandler(
    reschedule,
    async (input) => {
      state.expectedStart = accept(RescheduleSchema, input).expectedStart;
      desk.rescheduled = true;
      await renewPins(state);
      return readinessState(state);
    },
    {
      validator: (input) => {
        accept(RescheduleSchema, input);
        if (!['queued', 'staging', 'ready'].includes(state.phase)) refuse(`the job has started; the phase is ${state.phase}`);
      },
    },
  );
  setHandler(
    extendRetention,
    (input) => {
      const { retainUntil } = accept(ExtendRetentionSchema, input);
      state.retainUntil = retainUntil;
      record(state, `retention extended to ${retainUntil}`);
      return { retainUntil };
    },
    {
      validator: (input) => {
        const { retainUntil } = accept(ExtendRetentionSchema, input);
        if (Date.parse(retainUntil) < Date.parse(promisedUntil(state)))
          refuse(`retainUntil: found ${retainUntil}; accepted: ${promisedUntil(state)} or later, retention is never shortened`);
        if (['archiving', 'releasing'].includes(state.phase) || isEnd(state.phase))
          refuse('the output is being archived or already is; once it is, ask its retention workflow (penstock allocation extend-retention does)');
      },
    },
  );
}

function refuseAssignment(state: AllocationState, desk: Desk, input: unknown): void {
  const { nodes } = accept(AssignNodesSchema, input);
  const taken = state.mountPlan ? state.nodes : desk.start?.nodes;
  if (taken) {
    const names = (list: readonly { nodeId: string }[]) =>
      list
        .map((node) => node.nodeId)
        .sort()
        .join(', ');
    if (names(taken) !== names(nodes)) refuse(`nodes: found ${names(nodes)}; accepted: ${names(taken)}, which this allocation already has`);
    return;
  }
  const missing = nodes.flatMap((node, index) =>
    state.request.requiredFeatures
      .filter((feature) => !node.features.includes(feature))
      .map((feature) => `nodes[${index}].features: found ${JSON.stringify(node.features)}; accepted: nodes with "${feature}"`),
  );
  if (missing.length > 0) refuse(missing.join('\n'));
  const ids = new Set(nodes.map((node) => node.nodeId));
  if (ids.size < nodes.length) refuse('nodes: accepted: each node once');
  if (state.cancel || isEnd(state.phase)) refuse(`the allocation is ${state.cancel ? 'being cancelled' : state.phase}`);
  const { readiness: share, etaSeconds, reason } = readinessState(state);
  const threshold = state.plan?.policies.readyThreshold;
  if (threshold === undefined || share < threshold) {
    refuse(
      `data readiness is ${share.toFixed(2)}, a start needs ${threshold ?? 'admission first'}` +
        (etaSeconds === undefined ? '' : `; about ${etaSeconds} s to go`) +
        (reason ? `; ${reason.code}: ${reason.message}` : '') +
        '. Ask readiness and assign again.',
      'NotReady',
    );
  }
}

/** Says before anything happens what a cancellation keeps and what it drops. */
function cancelAnswer(state: AllocationState, mode: 'drain' | 'abandon'): CancelAnswer {
  const committed = state.checkpoints.filter((each) => each.state === 'committed').map((each) => `checkpoint ${each.checkpointId} (committed, not drained)`);
  const drained = state.drainedCount > 0 ? [`${state.drainedCount} drained checkpoints`] : [];
  const started = state.mountPlan !== undefined;
  const logs = started && !state.nodesReleasedAt ? ['logs'] : [];
  if (mode === 'drain') {
    return { mode, keeps: [...drained, ...committed, ...logs, ...(started ? ['output, published to the warm tier'] : [])], drops: started ? ['scratch'] : [] };
  }
  return { mode, keeps: [...drained, ...(started ? ['output, where it lies now'] : [])], drops: [...committed, ...logs, ...(started ? ['scratch'] : [])] };
}

/** Without a pause between checkpoints the history would never be closed; clients of Penstock ask again by themselves. */
function refuseWhileFull(state: AllocationState): void {
  if (state.phase === 'running' && !state.finish && historyIsFull(state, 2))
    refuse('a new run of this allocation is about to begin; ask again at once', TRY_AGAIN);
}

async function counted<T>(desk: Desk, work: () => Promise<T>): Promise<T> {
  desk.checkpointsInFlight += 1;
  try {
    return await desk.checkpoints.run(work);
  } catch (error) {
    if (isCancellation(error))
      throw ApplicationFailure.nonRetryable('the nodes are being handed back; what was not committed by now is not acknowledged', 'CheckpointIncomplete');
    throw refusalOf(error);
  } finally {
    desk.checkpointsInFlight -= 1;
  }
}

/** What the activity refused, without the layers around it; a rack that does not answer is named as that. */
function refusalOf(error: unknown): unknown {
  const cause = rootCause(error);
  if (cause instanceof TimeoutFailure)
    return ApplicationFailure.nonRetryable(
      "the rack's worker did not take the call within five minutes. Check the worker, or write from another node.",
      'RackUnavailable',
    );
  return cause instanceof ApplicationFailure ? cause : error;
}

/** What was asked for, else the site's period from now: an extension never falls below it. */
function promisedUntil(state: AllocationState): string {
  return state.retainUntil ?? later((state.plan?.policies.archiveRetentionDays ?? 0) * 86_400);
}

function refuse(message: string | undefined, type = 'Refused'): void {
  if (message !== undefined) throw ApplicationFailure.nonRetryable(message, type);
}
