/**
 * The frame around every activity: heartbeat by time, cancellation as a signal, and errors mapped once. An activity is one
 * effect through one driver; what is common to all of them is here.
 */
import { ApplicationFailure, CancelledFailure, Context, type Info } from '@temporalio/activity';
import { type ErrorType, PenstockError } from '../model/errors.ts';

const HEARTBEAT_MS = 1000; // throttled by the SDK to 80 % of the heartbeat timeout
/** What was left by attempts before these, the latest of them have collected. */
const SUPERSEDED = 16;
const WAITING_RETRY_MS = 15_000; // a full tier is asked again soon: giving back is what others do all the time

export interface Run {
  /** Aborted on cancellation, pause, timeout and shutdown: stop I/O within a second. */
  readonly signal: AbortSignal;
  /** Unique to this attempt: names its temporary files, so that a zombie attempt cannot touch those of its successor. */
  readonly attempt: string;
  /** The same of this activity's earlier attempts, as far as anything of theirs may be left: they will not go on. */
  readonly superseded: readonly string[];
  /** Shown in the UI and by `penstock allocation readiness` while the activity runs. */
  report(details: unknown): void;
  /** The same for what changes by itself, as a rate falls while nothing moves: asked at every beat, and once more where the activity is cancelled. */
  follow(ask: () => unknown): void;
  /** True when a person or the workflow asked to stop; false for pause, reset, timeout or shutdown, after which the work goes on. */
  cancelRequested(): boolean;
}

export interface EffectOptions {
  /** Types that are answered at once instead of waited for, because the caller can choose otherwise. */
  readonly refuse?: readonly ErrorType[];
}

export async function effect<T>(work: (run: Run) => Promise<T>, options: EffectOptions = {}): Promise<T> {
  const context = Context.current();
  let details: () => unknown = () => undefined;
  const beat = () => context.heartbeat(details());
  // Not at once: most calls are over before the first beat, and each costs the server a synced write.
  const timer = setInterval(beat, HEARTBEAT_MS);
  try {
    return await work({
      signal: context.cancellationSignal,
      attempt: attemptName(context.info, context.info.attempt),
      superseded: Array.from({ length: Math.min(context.info.attempt - 1, SUPERSEDED) }, (_, index) =>
        attemptName(context.info, context.info.attempt - 1 - index),
      ),
      report: (latest) => {
        details = () => latest;
      },
      follow: (ask) => {
        details = ask;
      },
      cancelRequested: () => context.cancellationDetails?.cancelRequested ?? false,
    });
  } catch (error) {
    // A driver reports its abort as its own error; the context knows why it was aborted.
    if (context.cancellationSignal.aborted) throw await context.cancelled.catch((reason: unknown) => withDetails(reason, details()));
    throw toFailure(error, options.refuse);
  } finally {
    clearInterval(timer);
  }
}

/** A cancelled activity has no answer: how far it came goes along with its failure. */
const withDetails = (reason: unknown, details: unknown): unknown =>
  reason instanceof CancelledFailure && details !== undefined ? new CancelledFailure(reason.message, [details], reason.cause) : reason;

/** By the end of the run's id: it begins with the time, which runs that start together share. */
const attemptName = ({ activityId, workflowExecution }: Info, attempt: number): string =>
  `${activityId}-${attempt}-${workflowExecution?.runId.slice(-12) ?? 'none'}`;

export function toFailure(error: unknown, refuse: readonly ErrorType[] = []): unknown {
  if (!(error instanceof PenstockError)) return error;
  return ApplicationFailure.create({
    message: error.message,
    type: error.type,
    nonRetryable: error.errorClass === 'fatal' || refuse.includes(error.type),
    ...(error.errorClass === 'waiting' ? { nextRetryDelay: WAITING_RETRY_MS } : {}),
  });
}
