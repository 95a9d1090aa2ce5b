/** The allocation's state: plain data, so that it can be carried whole into the next run of the same allocation. */
import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { AllocationRequest, AssignedNode, Cancel, Finish } from '../../model/allocation.ts';
import type { CheckpointStatus } from '../../model/checkpoint.ts';
import { type AllocationKey, allocationWorkflowId } from '../../model/identifiers.ts';
import type { Progress } from '../../model/manifest.ts';
import type { MountPlan } from '../../model/mount-plan.ts';
import { holdsNodes, type Phase } from '../../model/phase.ts';
import type { AllocationPlan } from '../../model/plan.ts';
import { addProgress, etaSeconds, type Readiness, type Reason, readinessOf } from '../../model/readiness.ts';
import { identityAttributes, phaseAttribute, rackAttribute } from '../../model/search-attributes.ts';
import { type AllocationStatus, type OutputStatus, renderDetails } from '../../model/status.ts';
import { now } from '../clock.ts';

export interface AllocationState {
  readonly request: AllocationRequest;
  phase: Phase;
  /** ISO instants. */
  since: string;
  deadline?: string | undefined;
  plan?: AllocationPlan;
  expectedStart?: string | undefined;
  staging: StagingState;
  nodes: readonly AssignedNode[];
  mountPlan?: MountPlan;
  checkpoints: CheckpointStatus[];
  drainedCount: number;
  /** All that were ever committed, and of these, superseded; absent in runs begun before 0.3. */
  committedCount?: number;
  supersededCount?: number;
  /** ISO instant of the latest commit that was drained, else of the job's start: the work since then is lost with its rack. */
  safeUntil?: string;
  /** A workflow ships its logs while it runs. */
  followsLogs?: boolean;
  finish?: Finish;
  cancel?: Cancel;
  retainUntil?: string | undefined;
  reason?: Reason | undefined;
  output?: OutputStatus;
  nodesReleasedAt?: string;
  uncleanNodes: readonly string[];
  journal: { at: string; text: string }[];
}

export interface StagingState {
  /** Counts the attempts; each is a child workflow of its own. */
  round: number;
  state: Readiness['state'];
  mounts: Record<string, Progress>;
  reason?: Reason | undefined;
  pinnedUntil?: string | undefined;
}

const JOURNAL_LINES = 40;
const CHECKPOINTS_SHOWN = 20;

export function newState(request: AllocationRequest): AllocationState {
  return {
    request,
    phase: 'queued',
    since: now(),
    expectedStart: request.expectedStart,
    retainUntil: request.retention?.retainUntil,
    staging: { round: 0, state: 'unknown', mounts: {} },
    nodes: [],
    checkpoints: [],
    drainedCount: 0,
    uncleanNodes: [],
    journal: [],
  };
}

export const keyOf = ({ request }: AllocationState): AllocationKey => ({
  tenant: request.tenant,
  project: request.project,
  allocationId: request.allocationId,
});
/** What children and the allocation itself are found by. */
export const tagsOf = (state: AllocationState) => identityAttributes(keyOf(state), state.request.sensitivity);
export const ownerOf = (state: AllocationState): string => allocationWorkflowId(keyOf(state));

/** The id of the current staging round's workflow. */
export const stagingWorkflowId = (state: AllocationState): string =>
  `prestage/${state.request.tenant}/${state.request.project}/${state.request.allocationId}/${state.staging.round}`;

/** Admission comes first; whoever asks for the plan before it has a fault in the order of phases. */
export function planOf(state: AllocationState): AllocationPlan {
  if (!state.plan) throw new TypeError('the allocation has not been admitted');
  return state.plan;
}

/** Enters a phase: visible in search attributes, current details and the status query at once. */
export function enter(state: AllocationState, phase: Phase, deadline?: string): void {
  state.phase = phase;
  state.since = now();
  state.deadline = deadline;
  upsertSearchAttributes([phaseAttribute(phase)]);
  show(state);
}

export function tagRacks(state: AllocationState): void {
  upsertSearchAttributes([rackAttribute([...new Set(state.nodes.map((node) => node.rackId))].sort())]);
}

/** Adds a line to what was done, for the operator who comes later. */
export function record(state: AllocationState, text: string): void {
  state.journal = [...state.journal, { at: now(), text }].slice(-JOURNAL_LINES);
  show(state);
}

/** Time for a new run at once the limit; at twice the limit, checkpoints are turned away until it has begun. */
export function historyIsFull(state: AllocationState, times: 1 | 2): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return (times === 1 && continueAsNewSuggested) || historyLength > planOf(state).policies.eventsPerRun * times;
}

export const show = (state: AllocationState): void => setCurrentDetails(renderDetails(statusOf(state)));

export function readinessState(state: AllocationState): Readiness {
  const progress = addProgress(Object.values(state.staging.mounts));
  // Before the survey nothing is known, and nothing of nothing would look complete.
  const surveyed = Object.keys(state.staging.mounts).length > 0;
  const complete = state.staging.state === 'ready';
  const readiness = complete ? 1 : surveyed && state.staging.state !== 'expired' ? Math.min(0.9999, readinessOf(progress)) : 0;
  const eta = complete ? 0 : surveyed ? etaSeconds(progress) : undefined;
  return {
    readiness,
    state: state.staging.state,
    ...progress,
    ...(eta === undefined ? {} : { etaSeconds: eta }),
    ...(state.staging.reason ? { reason: state.staging.reason } : {}),
    ...(state.staging.round > 0 ? { stagingWorkflowId: stagingWorkflowId(state) } : {}),
    ...(state.staging.pinnedUntil ? { pinnedUntil: state.staging.pinnedUntil } : {}),
  };
}

export function statusOf(state: AllocationState): AllocationStatus {
  const count = (wanted: CheckpointStatus['state']) => state.checkpoints.filter((each) => each.state === wanted).length;
  const superseded = state.supersededCount === undefined ? {} : { superseded: state.supersededCount };
  return {
    workflowId: ownerOf(state),
    phase: state.phase,
    since: state.since,
    readiness: readinessState(state),
    holdsNodes: holdsNodes(state.phase) && !state.nodesReleasedAt,
    nodes: state.nodes.map((node) => node.nodeId),
    checkpoints: state.checkpoints.toReversed().slice(0, CHECKPOINTS_SHOWN),
    checkpointCounts: { reserved: count('reserved'), committed: count('committed'), drained: state.drainedCount, ...superseded },
    journal: state.journal,
    ...(state.deadline ? { deadline: state.deadline } : {}),
    ...(state.expectedStart ? { expectedStart: state.expectedStart } : {}),
    ...(state.finish ? { outcome: state.finish.outcome } : {}),
    ...(state.cancel ? { cancel: state.cancel } : {}),
    ...(state.reason ? { reason: state.reason } : {}),
    ...(state.output ? { output: state.output } : {}),
  };
}
