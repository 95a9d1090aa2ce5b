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
  if (error instanceof WorkflowNotFoundError) return notFound(error, workflowId);
  if (!(error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError)) return error;
  let cause: unknown = error.cause;
  while (cause instanceof Error && !(cause instanceof ApplicationFailure) && cause.cause) cause = cause.cause;
  if (cause instanceof ApplicationFailure) return new Refusal(cause.type ?? 'Refused', cause.message, error);
  return new Refusal('Refused', cause instanceof Error ? cause.message : error.message, error);
}

/** The server says the same of one that never was and of one that is over and can be told nothing more. */
function notFound(error: WorkflowNotFoundError, workflowId: string): Refusal {
  const [kind = '', ...name] = workflowId.split('/');
  const what = name.length === 0 ? kind : `${kind} ${JSON.stringify(name.join('/'))}`;
  if (/already completed/i.test(error.message))
    return new Refusal('NotFound', `${what} is over, and takes no more orders. Its status says how it ended.`, error);
  const next = LISTED.has(kind) ? `\`penstock ${kind} list\` names those there are` : 'Look at its name, or start it first';
  return new Refusal('NotFound', `there is no ${what}. ${next}.`, error);
}

const LISTED: ReadonlySet<string> = new Set(['allocation', 'transfer']);
