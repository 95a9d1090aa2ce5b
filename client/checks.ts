/** Checks: a target held to a manifest. */
import type { Client } from '@temporalio/client';
import { type CheckAnswer, type CheckInput, CheckRequestSchema, type CheckResult, checkWorkflowId } from '../model/check.ts';
import { shortLocation } from '../model/location.ts';
import { queryNames, workflowTypes } from '../model/messages.ts';
import { accepted, ask, resultOf } from './calls.ts';
import { type Submission, startOrAttach } from './start-or-attach.ts';

export interface Checks {
  /** Starts the check, or attaches to it. */
  start(input: CheckInput): Promise<Submission>;
  /** What has been found so far. */
  status(checkId: string): Promise<CheckAnswer>;
  /** Differences are an answer; Refusal where the check itself failed or was cancelled. */
  wait(checkId: string): Promise<CheckResult>;
}

export function checkCalls(client: Client): Checks {
  return {
    start: async (input) => {
      const request = accepted(CheckRequestSchema, input);
      return await startOrAttach(client, workflowTypes.check, {
        workflowId: checkWorkflowId(request.checkId),
        input,
        request,
        otherName: 'checkId',
        summary: request.checkId,
        details: `${shortLocation(request.target)} against ${shortLocation(request.manifest)}, reading ${request.read}`,
      });
    },
    status: (checkId) => ask(client, client.workflow.getHandle(checkWorkflowId(checkId)), queryNames.status),
    wait: (checkId) => resultOf(client, checkWorkflowId(checkId)),
  };
}
