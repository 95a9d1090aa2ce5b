/** Draining, archiving, releasing: each step once, whichever way the job ended, and everything taken is given back. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import type { NodeActivities } from '../../activities/node.ts';
import type { ReleaseActivities, ReleasedKind } from '../../activities/release.ts';
import type { AssignedNode } from '../../model/allocation.ts';
import { drainWorkflowId } from '../../model/checkpoint.ts';
import { checkpointRetentionWorkflowId, retentionEndsAt } from '../../model/checkpoint-retention.ts';
import { allocationPrefix, CONTROL_QUEUE, nodeQueue } from '../../model/identifiers.ts';
import { formatLocation, type Location } from '../../model/location.ts';
import { formatBytes, formatCount } from '../../model/quantity.ts';
import { archiveLock, type Lock, retentionWorkflowId } from '../../model/retention.ts';
import { archiveLogs } from '../archive-logs.ts';
import { now } from '../clock.ts';
import { withinDeadline } from '../deadline.ts';
import { type DemoteRequest, demote } from '../demote.ts';
import { innerMessageOf } from '../failures.ts';
import { activities } from '../presets.ts';
import { retain } from '../retain.ts';
import { retainCheckpoints } from '../retain-checkpoints.ts';
import { undrained } from './checkpoints.ts';
import type { Desk } from './desk.ts';
import { endFollowing } from './following.ts';
import { type AllocationState, keyOf, ownerOf, planOf, record, show, tagsOf } from './state.ts';

/** What the allocation's own prefix holds besides its output, and stays when the output moves. An output below it may use any name but ours. */
function notOutput(state: AllocationState): string[] {
  const isWhole = planOf(state).data.outputPrefix === allocationPrefix(keyOf(state));
  return ['.penstock/', ...(isWhole ? ['checkpoints/', 'logs/'] : [])];
}

/**
 * Hands the nodes back: logs shipped (unless abandoned), exports and floors revoked, scratch wiped. Whatever does not finish within
 * the deadline is named, and the nodes are handed back all the same: a stuck drain never holds nodes.
 */
export async function releaseNodes(state: AllocationState, desk: Desk, options: { shipLogs: boolean }): Promise<void> {
  if (state.nodesReleasedAt || state.nodes.length === 0) return;
  const { deadlines } = planOf(state).policies;
  const unclean = new Set(state.nodes.map((node) => node.nodeId));
  try {
    await withinDeadline('draining', deadlines.drainingMinutes * 60_000, async () => {
      if (state.followsLogs) await endFollowing(state);
      await settleCheckpoints(desk, (deadlines.drainingMinutes * 60_000) / 3);
      if (options.shipLogs) await shipLogs(state);
      await Promise.all([
        releaseHoldings(state, ['exports', 'scratch']),
        ...state.nodes.map(async (node) => {
          if (await wipeNode(state, node)) unclean.delete(node.nodeId);
        }),
      ]);
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
    record(state, `handing the nodes back was cut short: ${innerMessageOf(error)}`);
  }
  state.uncleanNodes = [...unclean].sort();
  state.nodesReleasedAt = now();
  record(
    state,
    state.uncleanNodes.length === 0 ? 'nodes handed back, clean' : `nodes handed back; to be cleaned by their agents: ${state.uncleanNodes.join(', ')}`,
  );
}

function wipeNode(state: AllocationState, node: AssignedNode): Promise<boolean> {
  return attempt(state, `wiping ${node.nodeId}`, () =>
    activities<NodeActivities>('wipe', {
      queue: nodeQueue(node.nodeId),
      heartbeatSeconds: planOf(state).policies.heartbeatSeconds,
      summary: `wipe scratch, logs and checkpoint copies on ${node.nodeId}`,
    }).wipeNode({ ...keyOf(state), node }),
  );
}

/** A refused start leaves nothing behind: what it had taken goes back, also from nodes that were prepared already. */
export async function undoStart(state: AllocationState): Promise<void> {
  await Promise.all([releaseHoldings(state, ['exports', 'snapshots', 'scratch']), ...state.nodes.map((node) => wipeNode(state, node))]);
}

async function shipLogs(state: AllocationState): Promise<void> {
  await attempt(state, 'archiving logs', async () => {
    const logs = await executeChild(archiveLogs, {
      workflowId: `logs/${ownerOf(state).slice('allocation/'.length)}`,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      typedSearchAttributes: tagsOf(state),
      staticSummary: `archive the logs of ${ownerOf(state)}`,
      args: [{ ...keyOf(state), nodes: state.nodes, heartbeatSeconds: planOf(state).policies.heartbeatSeconds }],
    });
    record(
      state,
      `logs archived: ${formatCount(logs.chunks, 'chunk')}, ${formatBytes(logs.bytes)}${logs.missingNodes.length > 0 ? `; missing: ${logs.missingNodes.join(', ')}` : ''}`,
    );
  });
}

/** Output hot -> warm, whole and verified before the hot copy goes. */
export async function publishOutput(state: AllocationState): Promise<void> {
  const target = outputAt(state, 'warm');
  const { files, bytes } = await move(state, outputAt(state, 'hot'), target);
  state.output = { files, bytes, locations: [formatLocation(target)] };
  record(state, `output published: ${formatCount(files, 'file')}, ${formatBytes(bytes)} in ${formatLocation(target)}`);
}

/** Output warm -> cold under Object Lock until an absolute instant, and someone who watches over it until then. */
export async function archiveOutput(state: AllocationState): Promise<void> {
  if (!state.output || state.output.files === 0) return;
  const { policies } = planOf(state);
  const { attestDays, heartbeatSeconds, retention: terms } = policies;
  const lock = archiveLock(policies, { mode: state.request.retention?.mode, retainUntil: state.retainUntil }, Date.now());
  const { retainUntil } = lock;
  const target = outputAt(state, 'cold');
  const { files, bytes, manifest, output } = await move(state, outputAt(state, 'warm'), target, lock);
  state.retainUntil = retainUntil;
  state.output = { files, bytes, locations: [formatLocation(target)], retainUntil };
  await CancellationScope.nonCancellable(() =>
    startChild(retain, {
      workflowId: retentionWorkflowId(keyOf(state)),
      parentClosePolicy: ParentClosePolicy.ABANDON, // years longer than its parent, on purpose
      typedSearchAttributes: tagsOf(state),
      staticSummary: `retention of ${ownerOf(state)} until ${retainUntil}`,
      args: [{ ...keyOf(state), manifest, ...(output ? { output } : {}), target, ...lock, attestDays, heartbeatSeconds, ...(terms ? { terms } : {}) }],
    }),
  );
  record(state, `output archived in ${formatLocation(target)}, locked until ${retainUntil}`);
}

async function move(state: AllocationState, source: Location, target: Location, retention?: Lock) {
  return executeChild(demote, {
    workflowId: `demote/${ownerOf(state).slice('allocation/'.length)}/${source.store}-to-${target.store}`,
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    typedSearchAttributes: tagsOf(state),
    staticSummary: `output of ${ownerOf(state)}, ${source.store} -> ${target.store}`,
    args: [
      {
        ...keyOf(state),
        source,
        target,
        exclude: notOutput(state),
        outcome: state.finish?.outcome ?? 'unknown',
        heartbeatSeconds: planOf(state).policies.heartbeatSeconds,
        ...(retention ? { retention } : {}),
        ...archiveOf(state, target),
      },
    ],
  });
}

/** Absent in plans of histories that were recorded before. */
function archiveOf(state: AllocationState, target: Location): Pick<DemoteRequest, 'archive'> {
  const { archive } = planOf(state);
  return archive && target.store === 'cold' ? { archive } : {};
}

/** Waits for the checkpoints still draining; past the deadline they go on detached and are named. */
export async function awaitDrains(state: AllocationState): Promise<void> {
  if (undrained(state).length === 0) return;
  const hours = planOf(state).policies.deadlines.checkpointDrainHours;
  const done = await condition(() => undrained(state).length === 0, hours * 3_600_000, { summary: 'checkpoints still draining' });
  if (!done)
    record(
      state,
      `still draining, detached: ${undrained(state)
        .map((each) => drainWorkflowId({ ...keyOf(state), checkpointId: each.checkpointId }))
        .join(', ')}`,
    );
}

export async function abandonDrains(state: AllocationState): Promise<void> {
  for (const checkpoint of undrained(state)) {
    const drain = getExternalWorkflowHandle(drainWorkflowId({ ...keyOf(state), checkpointId: checkpoint.checkpointId }));
    await attempt(state, `abandoning ${checkpoint.checkpointId}`, () => drain.cancel());
  }
}

/** Reads back what the tier says we hold and gives all of it back; repeating it is harmless. */
export async function releaseHoldings(state: AllocationState, kinds: readonly ReleasedKind[]): Promise<void> {
  await activities<ReleaseActivities>('control', {
    queue: CONTROL_QUEUE,
    heartbeatSeconds: planOf(state).policies.heartbeatSeconds,
    summary: `give back ${kinds.join(', ')}`,
  }).releaseHoldings({
    ...keyOf(state),
    kinds,
  });
}

/** Commits under way may end well for a while; then they are cancelled, and nothing is acknowledged any more. */
export async function settleCheckpoints(desk: Desk, patienceMs: number): Promise<void> {
  const idle = () => desk.checkpointsInFlight === 0;
  if (idle() || (await condition(idle, Math.max(1, patienceMs), { summary: 'checkpoints under way' }))) return;
  desk.checkpoints.cancel();
  await condition(idle);
}

export async function dropUncommitted(state: AllocationState): Promise<void> {
  const open = state.checkpoints.filter((each) => each.state === 'reserved');
  if (open.length === 0) return;
  await activities<ReleaseActivities>('control', {
    queue: CONTROL_QUEUE,
    summary: `drop ${open.length} checkpoints that were never committed`,
  }).dropUncommitted({ ...keyOf(state), checkpoints: open.map(({ checkpointId, rackId, nodeId }) => ({ checkpointId, rackId, nodeId })) });
  state.checkpoints = state.checkpoints.filter((each) => each.state !== 'reserved');
}

/** Somebody who removes, days later, what is not kept of what was drained. Nothing in histories from before 0.3 asks for it: their plans have no such terms. */
export async function leaveCheckpoints(state: AllocationState): Promise<void> {
  const terms = planOf(state).checkpoints;
  if (!terms || !state.committedCount) return;
  const endedAt = now();
  try {
    await startChild(retainCheckpoints, {
      workflowId: checkpointRetentionWorkflowId(keyOf(state)),
      workflowIdReusePolicy: 'ALLOW_DUPLICATE', // an allocation that failed may be submitted again, long after
      parentClosePolicy: ParentClosePolicy.ABANDON, // days longer than its parent, on purpose
      typedSearchAttributes: tagsOf(state),
      staticSummary: `checkpoints of ${ownerOf(state)}`,
      args: [{ ...keyOf(state), endedAt, lookAt: retentionEndsAt(endedAt, terms), heartbeatSeconds: planOf(state).policies.heartbeatSeconds }],
    });
  } catch (error) {
    // That of an earlier allocation of this name: it asks when the last one has ended.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** A step whose failure must not stop the steps after it; it is written down, and cancellation passes through. */
async function attempt(state: AllocationState, what: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    record(state, `${what} failed: ${innerMessageOf(error)}`.slice(0, 300));
    show(state);
    return false;
  }
}

function outputAt(state: AllocationState, store: Location['store']): Location {
  return { store, bucket: state.request.tenant, prefix: planOf(state).data.outputPrefix };
}
