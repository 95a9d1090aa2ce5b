/**
 * A limiter whose rate is what a bandwidth broker has granted. It renews in time, shows at once that it has slowed down, and stops by itself where the lease is lost or no
 * answer comes: then nothing passes until there is another window, or at a least rate where somebody waits who must not.
 */
import type { LeaseToken, RenewRequest, ReserveInput, Standing } from '../../model/broker.ts';
import { isFatal, messageOf, PenstockError } from '../../model/errors.ts';
import { createRateLimiter, type LimiterClock, type RateLimiter, systemClock } from './rate-limiter.ts';

/** The broker as a holder sees it. Every call may fail, and may be repeated; a fatal PenstockError says that it would be in vain. */
export interface Lessor {
  reserve(request: ReserveInput): Promise<Standing>;
  renew(request: RenewRequest): Promise<Standing>;
  release(token: LeaseToken): Promise<Standing>;
}

export interface WindowWish extends Omit<ReserveInput, 'requestId' | 'bytes'> {
  readonly bytes: number;
  /** Of this attempt of this process alone: two that used one would send twice. Its reservations are numbered behind it. */
  readonly holder: string;
  readonly signal: AbortSignal;
}

type Held = Extract<Standing, { kind: 'window' | 'queued' }>;

/** As soon as the holder sends at a lower rate, others may send at a higher one. */
const ACKNOWLEDGE_MS = 100;
/** Where the broker does not answer, or has lost the lease. */
const RETRY_MS = 1000;
/** Where it refuses another lease in the middle. */
const REFUSED_MS = 15_000;
/** Who ends does not wait longer for the broker to hear of it: without it, the lease is over in a minute. */
const RELEASE_MS = 2000;

/**
 * Works within a window, and waits for it first. Given back whatever happens.
 * @throws PenstockError WindowUnavailable where there is no room in the queue now, PolicyRefused where the wish can never be met
 */
export async function withinWindow<T>(
  lessor: Lessor,
  { holder, signal, ...wish }: WindowWish,
  work: (limiter: RateLimiter) => Promise<T>,
  clock: LimiterClock = systemClock,
): Promise<T> {
  const lease = openLease(lessor, { holder, wish, clock });
  const called = Promise.withResolvers<never>();
  const callOff = () => called.reject(signal.reason);
  signal.addEventListener('abort', callOff, { once: true });
  try {
    signal.throwIfAborted();
    await Promise.race([lease.opened, called.promise]);
    return await work(lease.limiter);
  } finally {
    signal.removeEventListener('abort', callOff);
    await lease.close();
  }
}

/** For who must not wait: without a window for so long, it goes on at a rate that is its own. */
export interface LeastRate {
  readonly bytesPerSecond: number;
  readonly patienceMilliseconds: number;
  /** Each time that it comes to that, and why. */
  readonly onWithout: (why: string) => void;
}

export interface HeldWindow {
  readonly limiter: RateLimiter;
  /** Given back. May wait for the broker for seconds; nothing passes any more. */
  close(): Promise<void>;
}

/** A window that nobody waits for: bytes wait at the limiter. It is never refused, for then the least rate holds. */
export function holdWindow(
  lessor: Lessor,
  { holder, ...wish }: Omit<WindowWish, 'signal'>,
  leastRate: LeastRate,
  clock: LimiterClock = systemClock,
): HeldWindow {
  const { limiter, close } = openLease(lessor, { holder, wish, clock, leastRate });
  return { limiter, close };
}

interface Leasing {
  readonly holder: string;
  readonly wish: Omit<WindowWish, 'holder' | 'signal'>;
  readonly clock: LimiterClock;
  readonly leastRate?: LeastRate;
}

function openLease(lessor: Lessor, { holder, wish, clock, leastRate }: Leasing) {
  const { deadline: _, ...wishOnceBegun } = wish;
  const limiter = createRateLimiter(0, clock);
  const opened = Promise.withResolvers<void>();
  // Whoever closes before it is opened does not wait for it.
  opened.promise.catch(() => undefined);
  let remainingBytes = wish.bytes;
  let reservations = 1;
  let held: Held | undefined;
  let isOpen = false;
  let isClosed = false;
  let cancelStop: (() => void) | undefined;
  let cancelAsk: (() => void) | undefined;
  let asking: Promise<void> = Promise.resolve();
  /** While nothing passes: until it goes on at the least rate. */
  let cancelPatience: (() => void) | undefined;
  let isWithout = false;
  let why = 'the broker does not answer';

  const stop = (): void => {
    cancelStop?.();
    if (isWithout && !isClosed) return;
    limiter.setRate(0);
    if (leastRate && !isClosed) cancelPatience ??= clock.after(leastRate.patienceMilliseconds, () => goOnWithout(leastRate));
  };
  const goOnWithout = ({ bytesPerSecond, onWithout }: LeastRate): void => {
    isWithout = true;
    limiter.setRate(bytesPerSecond);
    onWithout(why);
  };
  const askAfter = (milliseconds: number): void => {
    if (isClosed) return;
    cancelAsk = clock.after(milliseconds, () => {
      asking = ask();
    });
  };
  const ask = async (): Promise<void> => {
    const sentAt = clock.now();
    try {
      const answer = held
        ? await lessor.renew({ requestId: held.requestId, epoch: held.epoch, answer: held.answer, remainingBytes: Math.max(0, Math.ceil(remainingBytes)) })
        : // What has begun goes on, though a lease was lost and the deadline with it.
          await lessor.reserve({ ...(isOpen ? wishOnceBegun : wish), bytes: Math.max(1, Math.ceil(remainingBytes)), requestId: `${holder}/${reservations}` });
      follow(answer, sentAt);
    } catch (error) {
      why = `the broker does not answer: ${messageOf(error)}`;
      // What was granted holds until its end; by then the broker may be back.
      if (isOpen || leastRate || !isFatal(error)) askAfter(RETRY_MS);
      else opened.reject(error);
    }
  };
  const follow = (answer: Standing, sentAt: number): void => {
    if (answer.kind === 'window') {
      held = answer;
      if (!isClosed) send(answer, sentAt);
      return;
    }
    why = answer.kind === 'queued' ? `the broker let it wait: ${answer.reason}` : `the broker gave none: ${'message' in answer ? answer.message : answer.kind}`;
    stop();
    if (answer.kind === 'queued') {
      held = answer;
      askAfter(answer.renewMilliseconds);
    } else if (answer.kind === 'refused' && !isOpen && !leastRate) opened.reject(refusalOf(answer));
    else askAgain(answer.kind === 'refused' ? REFUSED_MS : RETRY_MS);
  };
  const askAgain = (milliseconds: number): void => {
    held = undefined;
    reservations += 1;
    askAfter(milliseconds);
  };
  const send = ({ bytesPerSecond, validMilliseconds, renewMilliseconds }: Extract<Standing, { kind: 'window' }>, sentAt: number): void => {
    const left = sentAt + validMilliseconds - clock.now();
    const isSlower = bytesPerSecond < limiter.rate() && !isWithout;
    isWithout = false;
    stop();
    if (left <= 0) {
      askAfter(ACKNOWLEDGE_MS);
      return;
    }
    why = 'the broker does not answer';
    cancelPatience?.();
    cancelPatience = undefined;
    cancelStop = clock.after(left, stop);
    limiter.setRate(bytesPerSecond);
    isOpen = true;
    opened.resolve();
    askAfter(isSlower ? ACKNOWLEDGE_MS : Math.max(ACKNOWLEDGE_MS, sentAt + renewMilliseconds - clock.now()));
  };

  stop();
  asking = ask();
  return {
    opened: opened.promise,
    limiter: {
      async take(bytes: number, signal?: AbortSignal): Promise<void> {
        await limiter.take(bytes, signal);
        remainingBytes -= bytes;
      },
      rate: () => limiter.rate(),
    },
    async close(): Promise<void> {
      isClosed = true;
      cancelPatience?.();
      stop();
      cancelAsk?.();
      const release = async (): Promise<void> => {
        await asking;
        if (held) await lessor.release({ requestId: held.requestId, epoch: held.epoch });
      };
      const late = Promise.withResolvers<void>();
      const cancelLate = clock.after(RELEASE_MS, late.resolve);
      await Promise.race([release().catch(() => undefined), late.promise]);
      cancelLate();
    },
  };
}

/** What another moment may allow waits; what never will be is for a person. */
function refusalOf({ reason, message, nextStep }: Extract<Standing, { kind: 'refused' }>): PenstockError {
  const isNever = reason === 'DeadlineInfeasible' || reason === 'LeastRateTooHigh';
  return new PenstockError(isNever ? 'PolicyRefused' : 'WindowUnavailable', message, { nextStep });
}
