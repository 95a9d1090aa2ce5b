/** Copies of the erasure set's objects in that of another site. */
import type { Client } from '@temporalio/client';
import { formatIssues, parseInput } from '../model/issues.ts';
import { queryNames, workflowTypes } from '../model/messages.ts';
import { type ReplicateInput, type ReplicateRequest, ReplicateRequestSchema, type ReplicationCounts, replicateWorkflowId } from '../model/replication.ts';
import { ask } from './calls.ts';
import { Refusal, toRefusal } from './refusal.ts';
import { type Submission, startOrAttach } from './start-or-attach.ts';

export type ReplicationKey = Pick<ReplicateRequest, 'to' | 'replicationId'>;

export interface Replications {
  /** Starts the copying, or attaches to it. */
  start(input: ReplicateInput): Promise<Submission>;
  /** What has been copied so far. */
  status(key: ReplicationKey): Promise<ReplicationCounts>;
  /** Objects that could not be copied are an answer; Refusal where the copying itself was refused, failed or was cancelled. */
  wait(key: ReplicationKey): Promise<ReplicationCounts>;
}

export function replicationCalls(client: Client): Replications {
  return {
    start: async (input) => {
      const parsed = parseInput(ReplicateRequestSchema, input);
      if (!parsed.ok) throw new Refusal('InvalidInput', formatIssues(parsed.issues));
      const request = parsed.value;
      return await startOrAttach(client, workflowTypes.replicate, {
        workflowId: replicateWorkflowId(request),
        input,
        request,
        otherName: 'replicationId',
        summary: `copy to ${request.to}`,
        details: `objects under ${JSON.stringify(request.prefix)} to ${request.to}`,
      });
    },
    status: (key) => ask(client, client.workflow.getHandle(replicateWorkflowId(key)), queryNames.status),
    wait: async (key) => {
      try {
        return await client.workflow.result<() => Promise<ReplicationCounts>>(replicateWorkflowId(key));
      } catch (error) {
        throw toRefusal(error, replicateWorkflowId(key));
      }
    },
  };
}
