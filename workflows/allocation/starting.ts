/** Starting: everything the job needs is taken, each with its undo already known to release. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { NodeActivities } from '../../activities/node.ts';
import type { StartingActivities } from '../../activities/starting.ts';
import type { AssignedNode } from '../../model/allocation.ts';
import { messageOf } from '../../model/errors.ts';
import { CONTROL_QUEUE, nodeQueue } from '../../model/identifiers.ts';
import type { MountPlan, PlannedMount } from '../../model/mount-plan.ts';
import { later } from '../clock.ts';
import { allOrNone } from '../deadline.ts';
import { rootCause } from '../failures.ts';
import { activities } from '../presets.ts';
import { type AllocationState, keyOf, planOf } from './state.ts';

export async function prepare(state: AllocationState, nodes: readonly AssignedNode[]): Promise<MountPlan> {
  const { data, policies } = planOf(state);
  const key = keyOf(state);
  const control = (summary: string) =>
    activities<StartingActivities>('control', { queue: CONTROL_QUEUE, heartbeatSeconds: policies.heartbeatSeconds, summary });
  const expiresAt = later(state.request.walltimeSeconds + policies.leaseGraceSeconds);

  // Prefixes first: the home directory must exist before it can be exported.
  const prefixes = await control('create output, checkpoint and home directories').preparePrefixes({ ...key, data, nodes });
  // Floors next: they are what can be refused, and the rest need not be undone then.
  const mounts = await control(`export ${data.mounts.length} mounts with their bandwidth floors`).openExports({
    ...key,
    mounts: data.mounts,
    clients: nodes.map((node) => node.nodeId),
    expiresAt,
  });
  // Data that is still arriving is snapshotted when it is whole; see snapshotLate.
  const snapshots = state.staging.state === 'ready' ? await takeSnapshots(state) : [];
  const scratch = await allOrNone(
    nodes.map(
      (node) => () =>
        activities<NodeActivities>('node', {
          queue: nodeQueue(node.nodeId),
          heartbeatSeconds: policies.heartbeatSeconds,
          summary: `make scratch on ${node.nodeId}`,
        }).prepareNode({ ...key, node, scratchBytes: data.scratchBytesPerNode, expiresAt }),
    ),
  );
  return {
    mounts: withSnapshots(mounts, snapshots),
    ...prefixes,
    scratch,
    expiresAt,
  };
}

/** Snapshot ids by mount, for reproducibility: the read-only data as it was when the job had all of it. */
function takeSnapshots(state: AllocationState): Promise<(string | null)[]> {
  const { data, policies } = planOf(state);
  return activities<StartingActivities>('bulk', {
    queue: CONTROL_QUEUE,
    heartbeatSeconds: policies.heartbeatSeconds,
    summary: 'snapshot the read-only data for reproducibility',
  }).takeSnapshots({
    ...keyOf(state),
    mounts: data.mounts,
    expiresAt: later(policies.snapshotHours * 3600),
  });
}

/** For a job that started before its data was whole. */
export async function snapshotLate(state: AllocationState): Promise<void> {
  const snapshots = await takeSnapshots(state);
  if (state.mountPlan) state.mountPlan = { ...state.mountPlan, mounts: withSnapshots(state.mountPlan.mounts, snapshots) };
}

const withSnapshots = (mounts: readonly PlannedMount[], snapshots: readonly (string | null)[]): PlannedMount[] =>
  mounts.map((mount, index) => ({ ...mount, ...(snapshots[index] ? { snapshotId: snapshots[index] } : {}) }));

const refusals: ReadonlySet<string> = new Set(['FloorUnavailable', 'OutOfSpace', 'DeadlineExceeded', 'NodeUnavailable']);

/** Refusals a scheduler can answer by waiting or choosing other nodes; the allocation goes back to ready. */
export const isRefusal = (failure: ApplicationFailure): boolean => refusals.has(failure.type ?? '');

export function startFailure(error: unknown): ApplicationFailure {
  const cause = rootCause(error);
  if (cause instanceof ApplicationFailure) return cause;
  if (cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START') {
    const queue = error instanceof ActivityFailure ? error.activityType : 'a node';
    return ApplicationFailure.nonRetryable(
      `a node's worker did not take ${queue} within a minute. Check the node's worker, or assign other nodes.`,
      'NodeUnavailable',
    );
  }
  return ApplicationFailure.nonRetryable(messageOf(cause), 'StartFailed');
}
