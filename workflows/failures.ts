/** What went wrong, without the layers that Temporal wraps around it. */
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';
import { messageOf } from '../model/errors.ts';

export function rootCause(error: unknown): unknown {
  const wrapped = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
  return wrapped && error.cause ? rootCause(error.cause) : error;
}

/** What a workflow fails with, so that its starter reads the activity's words and type. A cancellation, and what nobody has foreseen, stays as it is. */
export function failureOf(error: unknown): unknown {
  const cause = rootCause(error);
  return cause instanceof ApplicationFailure ? ApplicationFailure.nonRetryable(cause.message, cause.type) : error;
}

/** Why it ended, for statuses: the code is the failure's type. */
export function reasonOf(error: unknown): { readonly code: string; readonly message: string } {
  const cause = rootCause(error);
  return { code: cause instanceof ApplicationFailure && cause.type ? cause.type : 'Failed', message: messageOf(cause) };
}

/** For a person. Of an activity what it said, not that it failed. */
export const innerMessageOf = (error: unknown): string => messageOf(error instanceof ActivityFailure && error.cause ? error.cause : error);
