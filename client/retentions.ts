/** Retentions of archived output: what stands, and what people order of them. */
import type { Client } from '@temporalio/client';
import type * as z from 'zod';
import { type AllocationKey, TenantSchema } from '../model/identifiers.ts';
import { queryNames, updateNames, workflowTypes } from '../model/messages.ts';
import { type DisposeSchema, type HoldOrderSchema, parseRetentionWorkflowId, type RetentionStatus, retentionWorkflowId } from '../model/retention.ts';
import { ask, sendUpdate } from './calls.ts';

export interface Retentions {
  /** Refusal `NotFound` where nothing of the allocation was archived. */
  status(key: AllocationKey): Promise<RetentionStatus>;
  /** Answers when every object is held. Where the store refuses, the hold stands all the same and is tried again: the Refusal says so. */
  placeHold(key: AllocationKey, order: z.input<typeof HoldOrderSchema>): Promise<RetentionStatus>;
  /** What was locked stays locked as long as it was extended to. */
  releaseHold(key: AllocationKey, order: z.input<typeof HoldOrderSchema>): Promise<RetentionStatus>;
  /** Once it is over and a person is asked. */
  dispose(key: AllocationKey, order: z.input<typeof DisposeSchema>): Promise<RetentionStatus>;
  /** All of a tenant, by allocation. From the visibility store, which may lag by some seconds. */
  ofTenant(tenant: string): Promise<RetentionStatus[]>;
}

export function retentionCalls(client: Client): Retentions {
  const handle = (key: AllocationKey) => client.workflow.getHandle(retentionWorkflowId(key));
  const status = (key: AllocationKey): Promise<RetentionStatus> => ask(client, handle(key), queryNames.status);
  const order = (key: AllocationKey, name: string, input: unknown): Promise<RetentionStatus> => sendUpdate(handle(key), name, input);
  return {
    status,
    placeHold: (key, input) => order(key, updateNames.placeHold, input),
    releaseHold: (key, input) => order(key, updateNames.releaseHold, input),
    dispose: (key, input) => order(key, updateNames.disposeRetained, input),
    async ofTenant(tenant) {
      const query = `WorkflowType = '${workflowTypes.retain}' AND tenant = '${TenantSchema.parse(tenant)}' AND ExecutionStatus != 'ContinuedAsNew'`;
      const found: RetentionStatus[] = [];
      for await (const { workflowId } of client.workflow.list({ query })) {
        const key = parseRetentionWorkflowId(workflowId);
        if (key) found.push(await status(key));
      }
      return found.sort((one, other) => (retentionWorkflowId(one) < retentionWorkflowId(other) ? -1 : 1));
    },
  };
}
