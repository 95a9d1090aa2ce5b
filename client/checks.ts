/** Checks: a target held to a manifest. */
import type { Client } from '@temporalio/client';
import { type CheckInput, type CheckProgress, CheckRequestSchema, type CheckResult, type CheckStatus, checkWorkflowId } from '../model/check.ts';
import { shortLocation } from '../model/location.ts';
import { queryNames, workflowTypes } from '../model/messages.ts';
import { accepted, ask, cancelAndWait, resultOf } from './calls.ts';
import { withLiveCheck } from './live-check.ts';
import { type Submission, startOrAttach } from './start-or-attach.ts';

export interface Checks {
  /** Starts the check, or attaches to it. */
  start(input: CheckInput): Promise<Submission>;
  /** What has been found so far, fresh while it is compared; also of one that is over. */
  status(checkId: string): Promise<CheckStatus>;
  /** Answers when nothing is read any more; Refusal where it was over before. */
  cancel(checkId: string): Promise<CheckStatus>;
  /** Differences are an answer; Refusal where the check itself failed or was cancelled. */
  wait(checkId: string): Promise<CheckResult>;
}

export function checkCalls(client: Client): Checks {
  const handle = (checkId: string) => client.workflow.getHandle(checkWorkflowId(checkId));
  const status = async (checkId: string): Promise<CheckStatus> =>
    withLiveCheck(client, checkId, await ask<CheckProgress>(client, handle(checkId), queryNames.status));
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
    status,
    cancel: (checkId) => cancelAndWait(handle(checkId), () => status(checkId)),
    wait: (checkId) => resultOf(client, checkWorkflowId(checkId)),
  };
}
