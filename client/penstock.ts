/** The typed client: every call of the scheduler's contract, start-or-attach, and refusals as one kind of error. */
import { createHash } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import type * as z from 'zod';
import {
  type AllocationInput,
  AllocationRequestSchema,
  type AssignNodesSchema,
  type CancelSchema,
  type CommitCheckpointSchema,
  type ExtendRetentionSchema,
  type FinishSchema,
  type RescheduleSchema,
  type ReserveCheckpointSchema,
} from '../model/allocation.ts';
import type { CheckpointReservation, CommittedCheckpoint, RestoreRequest } from '../model/checkpoint.ts';
import { type AllocationKey, allocationWorkflowId, CONTROL_QUEUE } from '../model/identifiers.ts';
import { queryNames, updateNames, workflowTypes } from '../model/messages.ts';
import type { MountPlan } from '../model/mount-plan.ts';
import type { Readiness } from '../model/readiness.ts';
import type { CancelAnswer, FinishAnswer } from '../model/reports.ts';
import { retentionWorkflowId } from '../model/retention.ts';
import { allocationAttributes } from '../model/search-attributes.ts';
import type { AllocationStatus } from '../model/status.ts';
import { type Brokers, brokerCalls } from './brokers.ts';
import { accepted, ask, resultOf, sendUpdate } from './calls.ts';
import { type Checks, checkCalls } from './checks.ts';
import { type DemotionCalls, demotionCalls } from './demotion.ts';
import { type ErasureCalls, erasureCalls } from './erasure.ts';
import { type Limits, limitCalls } from './limits.ts';
import { type AllocationRow, type ListFilter, listAllocations } from './list.ts';
import { withLiveProgress } from './live-progress.ts';
import { type Recalls, recallCalls } from './recalls.ts';
import { Refusal, toRefusal } from './refusal.ts';
import { type Replications, replicationCalls } from './replications.ts';
import { type Retentions, retentionCalls } from './retentions.ts';
import { type Submission, startOrAttach } from './start-or-attach.ts';
import { type Transfers, transferCalls } from './transfers.ts';

export type { Submission } from './start-or-attach.ts';

export interface RestoredCheckpoint {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** Racks whose shards were lost or rotten. */
  readonly degradedRacks: readonly string[];
  /** Racks that others were faster than; nothing is known to be wrong with them. Absent in restores of before 0.3. */
  readonly lateRacks?: readonly string[];
}

export interface Penstock {
  /** Starts the allocation, or attaches to it. Refusal `Conflict` where it was submitted before with other input. */
  submit(input: AllocationInput): Promise<Submission>;
  status(key: AllocationKey): Promise<AllocationStatus>;
  /** Fresh while data moves: the numbers of the moving activities are merged in. */
  readiness(key: AllocationKey): Promise<Readiness>;
  assignNodes(key: AllocationKey, input: z.input<typeof AssignNodesSchema>): Promise<MountPlan>;
  reserveCheckpoint(key: AllocationKey, input: z.input<typeof ReserveCheckpointSchema>): Promise<CheckpointReservation>;
  commitCheckpoint(key: AllocationKey, input: z.input<typeof CommitCheckpointSchema>): Promise<CommittedCheckpoint>;
  /** NotFound where there is no such checkpoint, or it has no such file. */
  restoreCheckpoint(request: RestoreRequest): Promise<RestoredCheckpoint>;
  /** Answers when the nodes may be given to another job. */
  finish(key: AllocationKey, input: z.input<typeof FinishSchema>): Promise<FinishAnswer>;
  cancel(key: AllocationKey, input: z.input<typeof CancelSchema>): Promise<CancelAnswer>;
  reschedule(key: AllocationKey, input: z.input<typeof RescheduleSchema>): Promise<Readiness>;
  extendRetention(key: AllocationKey, input: z.input<typeof ExtendRetentionSchema>): Promise<{ retainUntil: string }>;
  list(filter?: ListFilter): Promise<AllocationRow[]>;
  /** Resolves with the last status when released; Refusal with the reason when failed or cancelled. */
  wait(key: AllocationKey): Promise<AllocationStatus>;
  /** Ad hoc transfers, by operators. */
  readonly transfers: Transfers;
  readonly checks: Checks;
  /** Of the stores; a transfer's own is set at the transfer. */
  readonly limits: Limits;
  readonly replications: Replications;
  /** Archived output, brought back. */
  readonly recalls: Recalls;
  /** Of archived output. */
  readonly retentions: Retentions;
  /** Bandwidth of the site's fabrics. */
  readonly brokers: Brokers;
  /** Scrub and repair of the erasure set. */
  readonly erasure: ErasureCalls;
  /** Rules by which data goes to colder tiers. */
  readonly demotion: DemotionCalls;
  close(): Promise<void>;
}

export async function connectPenstock(options: { address: string; namespace?: string }): Promise<Penstock> {
  const connection = await Connection.connect({ address: options.address, connectTimeout: '5 seconds' });
  const client = new Client({ connection, namespace: options.namespace ?? 'default' });
  const handle = (key: AllocationKey) => client.workflow.getHandle(allocationWorkflowId(key));
  const update = <T>(key: AllocationKey, name: string, input: unknown): Promise<T> => sendUpdate<T>(handle(key), name, input);

  return {
    submit: (input) => submit(client, input),
    status: (key) => ask(client, handle(key), queryNames.status),
    readiness: async (key) => withLiveProgress(client, await ask<Readiness>(client, handle(key), queryNames.readiness)),
    assignNodes: (key, input) => update(key, updateNames.assignNodes, input),
    reserveCheckpoint: (key, input) => update(key, updateNames.reserveCheckpoint, input),
    commitCheckpoint: (key, input) => update(key, updateNames.commitCheckpoint, input),
    restoreCheckpoint: (request) => restore(client, request),
    finish: (key, input) => update(key, updateNames.finish, input),
    cancel: (key, input) => update(key, updateNames.cancel, input),
    reschedule: (key, input) => update(key, updateNames.reschedule, input),
    extendRetention: (key, input) => extendRetention(client, key, input),
    list: (filter) => listAllocations(client, filter),
    wait: (key) => resultOf(client, allocationWorkflowId(key), async () => (await ask<AllocationStatus>(client, handle(key), queryNames.status)).reason),
    transfers: transferCalls(client),
    checks: checkCalls(client),
    limits: limitCalls(client),
    replications: replicationCalls(client),
    recalls: recallCalls(client),
    retentions: retentionCalls(client),
    brokers: brokerCalls(client),
    erasure: erasureCalls(client),
    demotion: demotionCalls(client),
    close: () => connection.close(),
  };
}

async function submit(client: Client, input: AllocationInput): Promise<Submission> {
  const request = accepted(AllocationRequestSchema, input);
  return await startOrAttach(client, workflowTypes.allocation, {
    workflowId: allocationWorkflowId(request),
    input,
    request,
    otherName: 'allocationId',
    summary: `${request.tenant}/${request.project}/${request.allocationId}`,
    details: `${request.data.mounts.length} declared mounts, walltime ${request.walltimeSeconds} s, checkpoints ${request.checkpoint}`,
    fairnessKey: request.tenant,
  });
}

/** Once the output is archived, its retention is watched over by a workflow of its own; before, the allocation remembers the wish. */
async function extendRetention(client: Client, key: AllocationKey, input: unknown): Promise<{ retainUntil: string }> {
  try {
    return await sendUpdate<{ retainUntil: string }>(client.workflow.getHandle(retentionWorkflowId(key)), updateNames.extendRetention, input);
  } catch (error) {
    if (!(error instanceof Refusal && error.type === 'NotFound')) throw error;
    return sendUpdate(client.workflow.getHandle(allocationWorkflowId(key)), updateNames.extendRetention, input);
  }
}

async function restore(client: Client, request: RestoreRequest): Promise<RestoredCheckpoint> {
  const { tenant, project, allocationId, checkpointId, file } = request;
  const all = `restore/${tenant}/${project}/${allocationId}/${checkpointId}`;
  const workflowId = file === undefined ? all : `${all}/${createHash('sha256').update(file).digest('hex').slice(0, 16)}`;
  try {
    return await client.workflow.execute<(request: RestoreRequest) => Promise<RestoredCheckpoint>>(workflowTypes.restoreCheckpoint, {
      workflowId,
      taskQueue: CONTROL_QUEUE,
      args: [request],
      workflowIdConflictPolicy: 'USE_EXISTING',
      typedSearchAttributes: allocationAttributes(request),
      staticSummary: `restore checkpoint ${checkpointId} of ${tenant}/${project}/${allocationId}`,
      priority: { fairnessKey: tenant },
    });
  } catch (error) {
    throw toRefusal(error, workflowId);
  }
}
