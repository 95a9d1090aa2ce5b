/** Limits of the stores, by the one workflow that keeps them. */
import { type Client, WithStartWorkflowOperation } from '@temporalio/client';
import type * as z from 'zod';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { LIMITS_WORKFLOW_ID, type SetStoreLimitSchema, type StoreLimits } from '../model/limits.ts';
import { updateNames, workflowTypes } from '../model/messages.ts';
import { toRefusal } from './refusal.ts';

export interface Limits {
  /** Movers follow within seconds. Answers all limits there are then. Refusal `InvalidInput` where the site has no such store. */
  set(input: z.input<typeof SetStoreLimitSchema>): Promise<StoreLimits>;
  show(): Promise<StoreLimits>;
}

export function limitCalls(client: Client): Limits {
  // The first to ask starts it.
  const send = async (update: string, args: [] | [unknown]): Promise<StoreLimits> => {
    const startWorkflowOperation = new WithStartWorkflowOperation<() => Promise<void>>(workflowTypes.limits, {
      workflowId: LIMITS_WORKFLOW_ID,
      taskQueue: CONTROL_QUEUE,
      args: [],
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: 'the limits of the stores',
    });
    try {
      return await client.workflow.executeUpdateWithStart(update, {
        args,
        updateId: `${update}-${crypto.randomUUID()}`,
        startWorkflowOperation,
      });
    } catch (error) {
      throw toRefusal(error, LIMITS_WORKFLOW_ID);
    }
  };
  return { set: (input) => send(updateNames.setStoreLimit, [input]), show: () => send(updateNames.storeLimits, []) };
}
