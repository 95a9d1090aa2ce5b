/** Checks: a target held to a manifest. */
import type { Client } from '@temporalio/client';
import { type CheckAnswer, type CheckInput, CheckRequestSchema, type CheckResult, checkWorkflowId } from '../model/check.ts';
import { formatIssues, parseInput } from '../model/issues.ts';
import { shortLocation } from '../model/location.ts';
import { queryNames, workflowTypes } from '../model/messages.ts';
import { ask } from './calls.ts';
import { Refusal, toRefusal } from './refusal.ts';
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
      const parsed = parseInput(CheckRequestSchema, input);
      if (!parsed.ok) throw new Refusal('InvalidInput', formatIssues(parsed.issues));
      const request = parsed.value;
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
    wait: async (checkId) => {
      try {
        return await client.workflow.result<() => Promise<CheckResult>>(checkWorkflowId(checkId));
      } catch (error) {
        throw toRefusal(error, checkWorkflowId(checkId));
      }
    },
  };
}
