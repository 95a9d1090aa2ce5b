/**
 * Timeouts, retries and cancellation of every activity, in one table with the reason for each row. Retries are unlimited in
 * number: infrastructure comes back, and the phase's deadline is what ends the waiting. Fatal errors are non-retryable by type.
 */
import { ActivityCancellationType, type ActivityOptions, proxyActivities } from '@temporalio/workflow';

const backoff = { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' } as const;

type Heartbeat = `${number} seconds`;

/** Hours: what counts is the heartbeat, which tells a dead worker within half a minute; a petabyte's segment may take its time. */
const LONG = '12 hours';
/** A file below `largeFile` is moved within one attempt: at 250 kB/s, a lane's part of a slow limit, 16 GiB are 19 hours. */
const MOVING = '7 days';
/** A cancelled attempt that still ran could take what has just been given back: wait for it to stop, which takes it a second. */
const stopped = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;

const presets = {
  /** A few calls to a management API or small objects. */
  control: (heartbeatTimeout: Heartbeat) => ({ startToCloseTimeout: '10 minutes', heartbeatTimeout, retry: backoff, cancellationType: stopped }),
  /** Asks once whether a store answers; a no is an answer. */
  glance: (heartbeatTimeout: Heartbeat) => ({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout,
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  }),
  /** Asks until it does, however long: one history event, for the server repeats it. Nothing follows that it could disturb. */
  probe: (heartbeatTimeout: Heartbeat) => ({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout,
    retry: { ...backoff, maximumInterval: '10 seconds' },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  }),
  /** Waits inside the activity for space or a floor, so that waiting for days costs no history. */
  waiting: (heartbeatTimeout: Heartbeat) => ({ startToCloseTimeout: '7 days', heartbeatTimeout, retry: backoff, cancellationType: stopped }),
  /** Moves bytes. What follows may remove what it writes, so it must have stopped. */
  bulk: (heartbeatTimeout: Heartbeat) => ({ startToCloseTimeout: LONG, heartbeatTimeout, retry: backoff, cancellationType: stopped }),
  /** A unit of a move, or of what is read again; both pass the limits of their stores. */
  moving: (heartbeatTimeout: Heartbeat) => ({ startToCloseTimeout: MOVING, heartbeatTimeout, retry: backoff, cancellationType: stopped }),
  /** Looks at what is retained. A store that has not answered for so long is a finding in itself; the next look comes. */
  attest: (heartbeatTimeout: Heartbeat) => ({
    scheduleToCloseTimeout: '8 days',
    startToCloseTimeout: MOVING,
    heartbeatTimeout,
    retry: backoff,
    cancellationType: stopped,
  }),
  /** Gives back what a move that has ended left. A courtesy, for a sweep finds it too: neither a store nor movers that are away may hold up the end. */
  tidy: (heartbeatTimeout: Heartbeat) => ({
    scheduleToCloseTimeout: '10 minutes',
    heartbeatTimeout,
    retry: { ...backoff, maximumAttempts: 3 },
    cancellationType: stopped,
  }),
  /** On a node's queue: a dead node is noticed after a minute in the queue, instead of never. */
  node: (heartbeatTimeout: Heartbeat) => ({
    scheduleToStartTimeout: '1 minute',
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout,
    retry: backoff,
    cancellationType: stopped,
  }),
  /** Wiping: its deadline must not wait for a disk that hangs; the node is then named as unclean. */
  wipe: (heartbeatTimeout: Heartbeat) => ({
    scheduleToStartTimeout: '1 minute',
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout,
    retry: backoff,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  }),
  /** On a rack's queue for a job that waits: drains share the queue, so it may take minutes, but not for ever. */
  rack: (heartbeatTimeout: Heartbeat) => ({
    scheduleToStartTimeout: '5 minutes',
    startToCloseTimeout: LONG,
    heartbeatTimeout,
    retry: backoff,
    cancellationType: stopped,
  }),
  /** Nobody waits for a sweep: what cannot be reached today is swept tomorrow, and must not hold up the rest. */
  sweep: (heartbeatTimeout: Heartbeat) => ({
    scheduleToStartTimeout: '10 minutes',
    startToCloseTimeout: LONG,
    heartbeatTimeout,
    retry: { ...backoff, maximumAttempts: 3 },
    cancellationType: stopped,
  }),
} satisfies Record<string, (heartbeatTimeout: Heartbeat) => ActivityOptions>;

export interface Call {
  readonly queue: string;
  /** One line for the operator: what this call does, to what. */
  readonly summary: string;
  readonly heartbeatSeconds?: number;
}

/** Activities under a preset, on a queue, with a summary: `activities<StagingActivities>('bulk', {...}).transferSegment(...)`. */
export function activities<A extends object>(preset: keyof typeof presets, call: Call) {
  return proxyActivities<A>({
    ...presets[preset](`${call.heartbeatSeconds ?? 30} seconds`),
    taskQueue: call.queue,
    summary: call.summary.slice(0, 200),
  });
}
