/** Logs are shipped while the job runs, by a workflow that the allocation begins and ends; without it nothing is lost, for what it has not shipped is shipped at the end. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { getExternalWorkflowHandle, isCancellation, ParentClosePolicy, startChild } from '@temporalio/workflow';
import { followLogsWorkflowId } from '../../model/identifiers.ts';
import { innerMessageOf } from '../failures.ts';
import { followLogs } from '../follow-logs.ts';
import { type AllocationState, keyOf, ownerOf, planOf, record, tagsOf } from './state.ts';

export async function beginFollowing(state: AllocationState): Promise<void> {
  try {
    await startChild(followLogs, {
      workflowId: followLogsWorkflowId(keyOf(state)),
      workflowIdReusePolicy: 'ALLOW_DUPLICATE', // an allocation that failed may be submitted again
      parentClosePolicy: ParentClosePolicy.ABANDON, // a run that continues as new is closed, too
      typedSearchAttributes: tagsOf(state),
      staticSummary: `follow the logs of ${ownerOf(state)}`,
      args: [
        {
          ...keyOf(state),
          nodes: state.nodes.map((node) => node.nodeId),
          until: state.deadline ?? state.since,
          heartbeatSeconds: planOf(state).policies.heartbeatSeconds,
        },
      ],
    });
    state.followsLogs = true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    // That of an earlier allocation of this name, still ending.
    record(
      state,
      `logs are shipped at the end only: ${error instanceof WorkflowExecutionAlreadyStartedError ? 'they are followed already' : innerMessageOf(error)}`,
    );
  }
}

/** Not waited for: whoever ships first has shipped, and the other goes on behind that. */
export async function endFollowing(state: AllocationState): Promise<void> {
  state.followsLogs = false;
  try {
    await getExternalWorkflowHandle(followLogsWorkflowId(keyOf(state))).cancel();
  } catch (error) {
    if (isCancellation(error)) throw error;
    // It is over by now.
  }
}
