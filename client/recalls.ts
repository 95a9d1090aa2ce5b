/** Recalls of archived output. */
import type { Client } from '@temporalio/client';
import { shortLocation } from '../model/location.ts';
import { queryNames, workflowTypes } from '../model/messages.ts';
import { type RecallInput, type RecallKey, RecallRequestSchema, type RecallResult, type RecallStatus, recallWorkflowId } from '../model/recall.ts';
import { allocationAttributes } from '../model/search-attributes.ts';
import { accepted, ask, cancelAndWait, resultOf } from './calls.ts';
import { type Submission, startOrAttach } from './start-or-attach.ts';

export interface Recalls {
  /** Starts the recall, or attaches to it. */
  start(input: RecallInput): Promise<Submission>;
  /** What it waits for and since when; also of one that is over. */
  status(key: RecallKey): Promise<RecallStatus>;
  /** Answers when nothing is read any more; Refusal where it was over before. The store goes on restoring what was asked for. */
  cancel(key: RecallKey): Promise<RecallStatus>;
  /** Files that could not be recalled are an answer; Refusal where the recall itself failed or was cancelled. */
  wait(key: RecallKey): Promise<RecallResult>;
}

export function recallCalls(client: Client): Recalls {
  const handle = (key: RecallKey) => client.workflow.getHandle(recallWorkflowId(key));
  const status = (key: RecallKey): Promise<RecallStatus> => ask(client, handle(key), queryNames.status);
  return {
    start: async (input) => {
      const request = accepted(RecallRequestSchema, input);
      const { tenant, project, allocationId, path, tier, target } = request;
      return await startOrAttach(client, workflowTypes.recall, {
        workflowId: recallWorkflowId(request),
        input,
        request,
        otherName: 'recallId',
        summary: `${path || 'all'} of ${tenant}/${project}/${allocationId}`,
        details: `from the cold tier to ${shortLocation(target)}, ${tier}`,
        fairnessKey: tenant,
        attributes: allocationAttributes(request),
      });
    },
    status,
    cancel: (key) => cancelAndWait(handle(key), () => status(key)),
    wait: (key) => resultOf(client, recallWorkflowId(key)),
  };
}
