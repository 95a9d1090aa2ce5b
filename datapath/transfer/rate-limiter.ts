/** A byte token bucket that many streams share: first come, first served, or with equal bytes where they are told apart. Its rate may change while they wait. */

/** What the bucket holds, at an instant. Pure, so that its arithmetic can be tried without waiting. */
export interface Bucket {
  /** May be negative: whoever is first takes a slice as soon as the bucket is not in debt, so that none is too large to pass. */
  readonly tokens: number;
  readonly atMs: number;
  /** Bytes per second; 0 stops, Infinity does not limit. */
  readonly rate: number;
}

/** What may pass at once after idling: enough that timers' coarse ticks do not cost throughput, too little to break a window. */
const BURST_SECONDS = 0.1;

export function refill(bucket: Bucket, nowMs: number): Bucket {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  // Infinity x 0 is no number.
  const gained = elapsedMs === 0 ? 0 : (bucket.rate * elapsedMs) / 1000;
  return { rate: bucket.rate, atMs: Math.max(nowMs, bucket.atMs), tokens: Math.min(bucket.rate * BURST_SECONDS, bucket.tokens + gained) };
}

/** Milliseconds until the bucket is out of debt; 0 where it is, Infinity where it never will be. */
export function waitMs(bucket: Bucket): number {
  if (bucket.rate === Infinity) return 0;
  if (bucket.rate <= 0) return Infinity;
  return bucket.tokens >= 0 ? 0 : Math.ceil((-bucket.tokens * 1000) / bucket.rate);
}

/** What is paid of a large piece before another queue has its turn, in time of the rate, but no fewer bytes than this: whoever asks for small pieces one by one would miss most of his turns. */
const SLICE_SECONDS = 0.02;
const SMALLEST_SLICE_BYTES = 64 * 1024;

export interface RateLimiter {
  /** Resolves once the bytes may pass; rejects with the signal's reason. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
  rate(): number;
}
export interface AdjustableLimiter extends RateLimiter {
  /** Takes effect at once, also for those who wait. */
  setRate(bytesPerSecond: number): void;
}

/** Injected in tests. */
export interface LimiterClock {
  now(): number;
  /** @returns a function that calls the timer off */
  after(milliseconds: number, run: () => void): () => void;
}

export const systemClock: LimiterClock = {
  now: () => performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Longest sleep; a timer takes no more than 2^31 ms. */
const MAX_SLEEP_MS = 60_000;

/**
 * A limiter whose bytes are shared fairly: every queue with somebody in it gets as many as any other, however many wait in each and however large their pieces are. Start-time
 * fair queueing (Goyal, Vin and Cheng, 1996) of slices: a queue's clock runs by the bytes it was given, the one furthest behind is next, and to have been away earns nothing.
 */
export interface FairLimiter {
  /** Of one bucket with all others; the same key is the same queue. */
  queue(key: string): RateLimiter;
  /** Takes effect at once, also for those who wait. */
  setRate(bytesPerSecond: number): void;
  rate(): number;
}

interface Waiter {
  /** Not paid yet. */
  bytes: number;
  readonly pass: () => void;
}
interface Queue {
  readonly waiters: Set<Waiter>;
  /** What it was given, in bytes; never behind the clock of all when somebody joins it. */
  clock: number;
}

export function createRateLimiter(bytesPerSecond: number, clock: LimiterClock = systemClock): AdjustableLimiter {
  const { queue, setRate } = createFairLimiter(bytesPerSecond, clock);
  return { ...queue('all'), setRate };
}

export function createFairLimiter(bytesPerSecond: number, clock: LimiterClock = systemClock): FairLimiter {
  let bucket: Bucket = { tokens: 0, atMs: clock.now(), rate: validRate(bytesPerSecond) };
  /** Whoever has waited longest first. Empty ones stay while their clocks are ahead: who comes back at once is not served twice. */
  const queues = new Map<string, Queue>();
  /** Of all: the clock, when it began to be served, of the queue that was last. */
  let clockOfAll = 0;
  let cancelTimer: (() => void) | undefined;

  const serve = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    bucket = refill(bucket, clock.now());
    for (let first = furthestBehind(queues.values()); first; first = furthestBehind(queues.values())) {
      const wait = waitMs(bucket);
      if (wait > 0) {
        if (wait !== Infinity) cancelTimer = clock.after(Math.min(wait, MAX_SLEEP_MS), serve);
        return;
      }
      const { queue, waiter } = first;
      const slice = Math.min(waiter.bytes, Math.max(SMALLEST_SLICE_BYTES, bucket.rate * SLICE_SECONDS));
      clockOfAll = queue.clock;
      queue.clock += slice;
      if (bucket.rate !== Infinity) bucket = { ...bucket, tokens: bucket.tokens - slice };
      waiter.bytes -= slice;
      if (waiter.bytes > 0) continue;
      queue.waiters.delete(waiter);
      waiter.pass();
    }
  };

  const setRate = (wanted: number): void => {
    const now = refill(bucket, clock.now());
    bucket = refill({ ...now, rate: validRate(wanted), tokens: now.tokens === Infinity ? 0 : now.tokens }, now.atMs);
    serve();
  };

  const join = (key: string): Queue => {
    const known = queues.get(key);
    if (known && known.waiters.size > 0) return known;
    for (const [other, { clock: given, waiters }] of queues) if (waiters.size === 0 && given <= clockOfAll) queues.delete(other);
    const queue: Queue = { waiters: new Set(), clock: Math.max(clockOfAll, known?.clock ?? 0) };
    queues.delete(key);
    queues.set(key, queue);
    return queue;
  };

  const take = (key: string, bytes: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        pass() {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = () => {
        queue.waiters.delete(waiter);
        if (signal) reject(abortReason(signal));
        serve();
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      const isFirst = !furthestBehind(queues.values());
      const queue = join(key);
      queue.waiters.add(waiter);
      // Whoever comes while others wait waits for his turn.
      if (isFirst) serve();
    });
  };

  const rate = (): number => bucket.rate;
  return { queue: (key) => ({ take: (bytes, signal) => take(key, bytes, signal), rate }), setRate, rate };
}

/** Of queues that are equal, the one that came first. */
function furthestBehind(queues: Iterable<Queue>): { queue: Queue; waiter: Waiter } | undefined {
  let found: { queue: Queue; waiter: Waiter } | undefined;
  for (const queue of queues) {
    const [waiter] = queue.waiters;
    if (waiter && (!found || queue.clock < found.queue.clock)) found = { queue, waiter };
  }
  return found;
}

function validRate(rate: number): number {
  if (rate >= 0) return rate;
  throw new RangeError(`a rate is 0 or more bytes per second, not ${rate}`);
}

function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new DOMException('The transfer was cancelled.', 'AbortError');
}
