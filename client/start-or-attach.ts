/** Starting under a name of the caller's choice: a second time attaches, and other input under the same name is refused. */
import { createHash } from 'node:crypto';
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { SearchAttributePair } from '@temporalio/common';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { Refusal } from './refusal.ts';

export interface Submission {
  readonly workflowId: string;
  readonly runId: string;
  /** True where it existed already, running or done. */
  readonly attached: boolean;
  /** ISO instant; where it was over before, so that nothing runs because of this call. */
  readonly endedAt?: string;
}

export interface Start {
  readonly workflowId: string;
  /** As it was given; the workflow parses it again, for any client may start it. */
  readonly input: unknown;
  /** The same, parsed: what tells two submissions apart. */
  readonly request: unknown;
  /** The field that names it. */
  readonly otherName: string;
  readonly summary: string;
  readonly details: string;
  readonly fairnessKey?: string | undefined;
  /** Where the workflow does not tell them itself. */
  readonly attributes?: SearchAttributePair[];
}

/** @throws Refusal Conflict where it was started before with other input */
export async function startOrAttach(client: Client, workflowType: string, start: Start): Promise<Submission> {
  const { workflowId, fairnessKey, attributes } = start;
  const requestDigest = createHash('sha256').update(JSON.stringify(start.request)).digest('hex');
  try {
    const started = await client.workflow.start(workflowType, {
      workflowId,
      taskQueue: CONTROL_QUEUE,
      args: [start.input],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY', // failed and cancelled ones may be tried again, others are done
      memo: { requestDigest },
      staticSummary: start.summary,
      staticDetails: start.details,
      ...(attributes === undefined ? {} : { typedSearchAttributes: attributes }),
      ...(fairnessKey === undefined ? {} : { priority: { fairnessKey } }),
    });
    return { workflowId, runId: started.firstExecutionRunId, attached: false };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const known = await client.workflow.getHandle(workflowId).describe();
    if (known.memo?.['requestDigest'] !== undefined && known.memo['requestDigest'] !== requestDigest) {
      throw new Refusal(
        'Conflict',
        `${workflowId} was submitted before with other input. Submit the same input to attach, or choose another ${start.otherName}.`,
      );
    }
    return { workflowId, runId: known.runId, attached: true, ...(known.closeTime ? { endedAt: known.closeTime.toISOString() } : {}) };
  }
}
