/** Copies of the erasure set's objects in that of another site. */
import type { Client, WorkflowExecutionInfo, WorkflowHandle } from '@temporalio/client';
import { queryNames, workflowTypes } from '../model/messages.ts';
import {
  addReplications,
  parseReplicateWorkflowId,
  type ReplicateInput,
  type ReplicateRequest,
  ReplicateRequestSchema,
  type ReplicationCounts,
  ReplicationCountsSchema,
  replicateWorkflowId,
} from '../model/replication.ts';
import { accepted, ask, resultOf } from './calls.ts';
import { heartbeatOf, typeOf } from './pending-activities.ts';
import { toRefusal } from './refusal.ts';
import { type Submission, startOrAttach } from './start-or-attach.ts';

export type ReplicationKey = Pick<ReplicateRequest, 'to' | 'replicationId'>;

export interface ReplicationRow extends ReplicationKey {
  /** As Temporal says it: running, completed, failed, canceled, terminated, timed_out. */
  readonly state: string;
  readonly startedAt: string;
  readonly closedAt?: string;
  /** Of one under way or completed; absent where nobody answers for it. */
  readonly counts?: ReplicationCounts;
}

export interface Replications {
  /** Starts the copying, or attaches to it. */
  start(input: ReplicateInput): Promise<Submission>;
  /** What has been copied so far, the part under way included. */
  status(key: ReplicationKey): Promise<ReplicationCounts>;
  /** Objects that could not be copied are an answer; Refusal where the copying itself was refused, failed or was cancelled. */
  wait(key: ReplicationKey): Promise<ReplicationCounts>;
  /** So many, the newest first, those after drains too. From the visibility store, which may lag by some seconds. */
  recent(limit: number): Promise<ReplicationRow[]>;
}

export function replicationCalls(client: Client): Replications {
  return {
    start: async (input) => {
      const request = accepted(ReplicateRequestSchema, input);
      return await startOrAttach(client, workflowTypes.replicate, {
        workflowId: replicateWorkflowId(request),
        input,
        request,
        otherName: 'replicationId',
        summary: `copy to ${request.to}`,
        details: `objects under ${JSON.stringify(request.prefix)} to ${request.to}`,
      });
    },
    status: (key) => countsNow(client, client.workflow.getHandle(replicateWorkflowId(key))),
    wait: (key) => resultOf(client, replicateWorkflowId(key)),
    recent: (limit) => recent(client, limit),
  };
}

async function recent(client: Client, limit: number): Promise<ReplicationRow[]> {
  const rows: Promise<ReplicationRow>[] = [];
  for await (const run of client.workflow.list({ query: "WorkflowType = 'replicate'" })) {
    const key = parseReplicateWorkflowId(run.workflowId);
    // A run that continued as new is a chapter of one that is listed itself.
    if (!key || run.status.name === 'CONTINUED_AS_NEW') continue;
    const row = {
      ...key,
      state: run.status.name.toLowerCase(),
      startedAt: run.startTime.toISOString(),
      ...(run.closeTime ? { closedAt: run.closeTime.toISOString() } : {}),
    };
    rows.push(countsOf(client, run).then((counts) => ({ ...row, ...(counts ? { counts } : {}) })));
    if (rows.length >= limit) break;
  }
  return await Promise.all(rows);
}

async function countsOf(client: Client, { workflowId, runId, status }: WorkflowExecutionInfo): Promise<ReplicationCounts | undefined> {
  const handle = client.workflow.getHandle<() => Promise<ReplicationCounts>>(workflowId, runId);
  if (status.name === 'COMPLETED') return await handle.result().catch(() => undefined);
  return status.name === 'RUNNING' ? await countsNow(client, handle).catch(() => undefined) : undefined;
}

/** With what the part under way has copied so far, by its last heartbeat: the workflow is told of it at its end, which takes minutes. */
async function countsNow(client: Client, handle: WorkflowHandle): Promise<ReplicationCounts> {
  const counts = await ask<ReplicationCounts>(client, handle, queryNames.status);
  const { raw } = await handle.describe().catch((error: unknown) => {
    throw toRefusal(error, handle.workflowId);
  });
  const parts = (raw.pendingActivities ?? []).filter((pending) => typeOf(pending) === 'replicatePart');
  return parts.flatMap((part) => ReplicationCountsSchema.safeParse(heartbeatOf(part)).data ?? []).reduce(addReplications, counts);
}
