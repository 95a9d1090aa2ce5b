/**
 * Timeouts, retries and cancellation of every activity, in one table with the reason for each row. Retries are unlimited in
 * number: infrastructure comes back, and the phase's deadline is what ends the waiting. Fatal errors are non-retryable by type.
 */
import { ActivityCancellationType, type ActivityOptions, proxyActivities } from '@temporalio/workflow';

const backoff = { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' } as const;

const presets = {
  /** A few calls to a management API or small objects. Cancelled work may finish behind our back: all of it is idempotent. */
  control: (heartbeatSeconds: number) => ({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: `${heartbeatSeconds} seconds`,
    retry: backoff,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  }),
  /** Waits inside the activity for space or a floor, so that waiting for days costs no history. */
  waiting: (heartbeatSeconds: number) => ({
    startToCloseTimeout: '1 day',
    heartbeatTimeout: `${heartbeatSeconds} seconds`,
    retry: backoff,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  }),
  /** Moves bytes for minutes. Waits for the cancelled attempt to stop, because what follows may remove what it writes. */
  bulk: (heartbeatSeconds: number) => ({
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: `${heartbeatSeconds} seconds`,
    retry: backoff,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  }),
  /** Runs on a node or rack queue: a dead node is noticed after a minute in the queue, instead of never. */
  local: (heartbeatSeconds: number) => ({
    scheduleToStartTimeout: '1 minute',
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: `${heartbeatSeconds} seconds`,
    retry: backoff,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  }),
} satisfies Record<string, (heartbeatSeconds: number) => ActivityOptions>;

export interface Call {
  readonly queue: string;
  /** One line for the operator: what this call does, to what. */
  readonly summary: string;
  readonly heartbeatSeconds?: number;
}

/** Activities under a preset, on a queue, with a summary: `activities<StagingActivities>('bulk', {...}).transferSegment(...)`. */
export function activities<A extends object>(preset: keyof typeof presets, call: Call) {
  return proxyActivities<A>({
    ...presets[preset](call.heartbeatSeconds ?? 30),
    taskQueue: call.queue,
    summary: call.summary.slice(0, 200),
  });
}
