/** Running: checkpoints are reserved, committed on two copies in the rack, and drained by a child that outlives the job. */
import { ApplicationFailure, CancellationScope, getExternalWorkflowHandle, ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { CheckpointActivities } from '../../activities/checkpoint.ts';
import type { ReserveCheckpoint } from '../../model/allocation.ts';
import { type CheckpointReservation, type CheckpointStatus, type CommittedCheckpoint, drainWorkflowId } from '../../model/checkpoint.ts';
import { keptAsNumber } from '../../model/checkpoint-retention.ts';
import { rackQueue } from '../../model/identifiers.ts';
import { signalNames } from '../../model/messages.ts';
import { formatBytes } from '../../model/quantity.ts';
import type { DrainReport, Superseding } from '../../model/reports.ts';
import { rackAttribute } from '../../model/search-attributes.ts';
import { drainCheckpoint } from '../drain-checkpoint.ts';
import { activities } from '../presets.ts';
import { type AllocationState, keyOf, ownerOf, planOf, record, tagsOf } from './state.ts';

const OUTSTANDING_LIMIT = 100; // each is a child and a row of the state: 100 rows are about 20 KiB, carried at continue-as-new
const SETTLED_SHOWN = 20;

export function refuseReservation(state: AllocationState, request: ReserveCheckpoint): string | undefined {
  if (state.phase !== 'running') return `checkpoints need a running job; the phase is ${state.phase}`;
  if (state.request.checkpoint === 'none') return 'the allocation was submitted with checkpoint: none';
  if (request.nodeId && !state.nodes.some((node) => node.nodeId === request.nodeId)) {
    return `nodeId: found ${request.nodeId}; accepted: ${state.nodes.map((node) => node.nodeId).join(', ')}`;
  }
  if (outstanding(state).length >= OUTSTANDING_LIMIT) return `${OUTSTANDING_LIMIT} checkpoints are reserved or still draining; wait for one to be drained`;
  const known = find(state, request.checkpointId);
  return known && known.state !== 'reserved' ? `checkpoint ${request.checkpointId} is already ${known.state}; choose another id` : undefined;
}

export async function reserveCheckpoint(state: AllocationState, request: ReserveCheckpoint): Promise<CheckpointReservation> {
  const node = state.nodes.find((each) => each.nodeId === request.nodeId) ?? state.nodes[0];
  if (!node) throw new TypeError('a running allocation has nodes');
  const reservation = await activities<CheckpointActivities>('rack', {
    queue: rackQueue(node.rackId),
    summary: `make room for checkpoint ${request.checkpointId}, ${formatBytes(request.bytes)}`,
  }).prepareCheckpoint({
    ...keyOf(state),
    checkpointId: request.checkpointId,
    bytes: request.bytes,
    nodeId: node.nodeId,
    rackId: node.rackId,
    expiresAt: state.mountPlan?.expiresAt ?? state.since,
  });
  if (!find(state, request.checkpointId)) {
    const { checkpointId, bytes } = request;
    const keep = request.keep ? { keep: 'named to be kept when it was reserved' } : {};
    state.checkpoints.push({ checkpointId, state: 'reserved', rackId: node.rackId, nodeId: node.nodeId, bytes, files: 0, ...keep });
  }
  state.safeUntil ??= state.since; // the job runs, or this would have been refused: since then
  return reservation;
}

export function refuseCommit(state: AllocationState, checkpointId: string): string | undefined {
  const known = find(state, checkpointId);
  if (!known)
    return `checkpointId: found ${checkpointId}; accepted: a reserved checkpoint (${
      outstanding(state)
        .map((each) => each.checkpointId)
        .join(', ') || 'none is'
    })`;
  return state.nodesReleasedAt && known.state === 'reserved' ? 'the nodes have been given back; what was not committed by then is incomplete' : undefined;
}

/** Answers when both copies are proven equal and synced: from then on the checkpoint is acknowledged. */
export async function commitCheckpoint(state: AllocationState, checkpointId: string): Promise<CommittedCheckpoint> {
  const { checkpointCopies, checkpoints: terms, policies } = planOf(state);
  const { heartbeatSeconds } = policies;
  const known = find(state, checkpointId);
  if (!known) throw new TypeError('the validator admits known checkpoints only');
  const committed = await activities<CheckpointActivities>('rack', {
    queue: rackQueue(known.rackId),
    heartbeatSeconds,
    summary: `commit checkpoint ${checkpointId}: compare and sync both copies`,
  }).commitCheckpoint({ ...keyOf(state), checkpointId, nodeId: known.nodeId, rackId: known.rackId });
  const now = find(state, checkpointId);
  if (!now)
    throw ApplicationFailure.nonRetryable(`checkpoint ${checkpointId} was given up while it was committed; it is not acknowledged`, 'CheckpointIncomplete');
  if (now.state !== 'reserved') return committed;
  const key = { ...keyOf(state), checkpointId };
  state.committedCount = (state.committedCount ?? 0) + 1;
  const keep = known.keep ?? keptAsNumber(state.committedCount, { keepEvery: terms?.keepEvery });
  const kept = keep === undefined ? {} : { keep };
  // Acknowledged only with its drain under way. Not cancellable with its parent: only abandon, which names it, may stop that drain.
  await CancellationScope.nonCancellable(() =>
    startChild(drainCheckpoint, {
      workflowId: drainWorkflowId(key),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: [...tagsOf(state), rackAttribute([known.rackId])],
      staticSummary: `drain checkpoint ${checkpointId} of ${ownerOf(state)}`,
      args: [
        {
          ...key,
          rackId: known.rackId,
          nodeId: known.nodeId,
          bytes: committed.bytes,
          allocation: ownerOf(state),
          heartbeatSeconds,
          ...(checkpointCopies ? { copies: checkpointCopies } : {}),
          ...(state.safeUntil === undefined ? {} : { safeUntil: state.safeUntil }),
          ...(terms?.supersede === 'undrained' ? { maySupersede: true } : {}),
          ...kept,
        },
      ],
    }),
  );
  const { bytes, files, committedAt } = committed;
  const older = undrained(state).filter((each) => each.nodeId === known.nodeId && each.keep === undefined && (each.committedAt ?? '') < committedAt);
  replace(state, { ...known, state: 'committed', bytes, files, committedAt, ...kept });
  const degraded = committed.secondCopy === 'global' ? ', degraded: its second copy is in the global tier, for the ring failed' : '';
  record(state, `checkpoint ${checkpointId} committed, ${formatBytes(committed.bytes)}${degraded}; draining`);
  // Nothing in histories from before 0.3 asks for it: their plans have no such terms.
  if (terms?.supersede === 'undrained') await CancellationScope.nonCancellable(() => supersede(state, older, checkpointId));
  return committed;
}

/** Each one's drain decides: one that has begun goes on. It tells what became of it as a drain does. */
async function supersede(state: AllocationState, older: readonly CheckpointStatus[], by: string): Promise<void> {
  await Promise.all(
    older.map(async ({ checkpointId }) => {
      try {
        await getExternalWorkflowHandle(drainWorkflowId({ ...keyOf(state), checkpointId })).signal<[Superseding]>(signalNames.checkpointSuperseded, { by });
      } catch {
        // That drain is over by now.
      }
    }),
  );
}

export function noteDrain(state: AllocationState, report: DrainReport): void {
  const known = find(state, report.checkpointId);
  if (!known || known.state === 'drained') return;
  replace(state, { ...known, state: report.state, ...(report.reason ? { reason: report.reason } : {}) });
  if (report.state === 'drained') {
    state.drainedCount += 1;
    if (known.committedAt !== undefined && Date.parse(known.committedAt) > Date.parse(state.safeUntil ?? known.committedAt))
      state.safeUntil = known.committedAt;
  }
  if (report.state === 'superseded') state.supersededCount = (state.supersededCount ?? 0) + 1;
  const settled = state.checkpoints.filter((each) => each.state === 'drained' || each.state === 'superseded').slice(0, -SETTLED_SHOWN);
  state.checkpoints = state.checkpoints.filter((each) => !settled.includes(each));
  record(state, `checkpoint ${report.checkpointId} ${report.state}${report.state === 'superseded' ? ` ${report.reason}` : ''}`);
}

export const undrained = (state: AllocationState): CheckpointStatus[] => state.checkpoints.filter((each) => each.state === 'committed');

const outstanding = (state: AllocationState) => state.checkpoints.filter((each) => each.state === 'reserved' || each.state === 'committed');
const find = (state: AllocationState, checkpointId: string) => state.checkpoints.find((each) => each.checkpointId === checkpointId);
function replace(state: AllocationState, checkpoint: CheckpointStatus): void {
  state.checkpoints = state.checkpoints.map((each) => (each.checkpointId === checkpoint.checkpointId ? checkpoint : each));
}
