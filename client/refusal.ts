import { WorkflowFailedError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';

/** A clear no: the stable type, and a message that says what was found and what would be accepted. */
export class Refusal extends Error {
  /** Such as `InvalidInput`, `NotReady`, `FloorUnavailable`, `Refused`, `NotFound`. */
  readonly type: string;

  constructor(type: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'Refusal';
    this.type = type;
  }
}

/** Temporal wraps refusals in layers; a scheduler wants the innermost. Other errors come back as they are. */
export function toRefusal(error: unknown, workflowId: string): unknown {
  if (error instanceof WorkflowNotFoundError)
    return new Refusal('NotFound', `there is no running ${workflowId}. Submit it first, or list what there is.`, error);
  if (!(error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError)) return error;
  let cause: unknown = error.cause;
  while (cause instanceof Error && !(cause instanceof ApplicationFailure) && cause.cause) cause = cause.cause;
  if (cause instanceof ApplicationFailure) return new Refusal(cause.type ?? 'Refused', cause.message, error);
  return new Refusal('Refused', cause instanceof Error ? cause.message : error.message, error);
}
