/** What went wrong, without the layers that Temporal wraps around it. */
import { ActivityFailure, ChildWorkflowFailure } from '@temporalio/workflow';

export function rootCause(error: unknown): unknown {
  const wrapped = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
  return wrapped && error.cause ? rootCause(error.cause) : error;
}

/** For a person. Of an activity what it said, not that it failed. */
export function messageOf(error: unknown): string {
  if (error instanceof ActivityFailure && error.cause) return error.cause.message;
  return error instanceof Error ? error.message : String(error);
}
