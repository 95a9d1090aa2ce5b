/**
 * Adaptive back-off towards a store that is throttling, away or failing now and then. A step that may be repeated is repeated here, by itself and soon, instead of ending a
 * page of thousands: additive increase, multiplicative decrease of what is in flight, as congestion control does, and a jittered pause before
 * each repeat. What does not heal within {@link MAX_TRIES} is the caller's (Temporal's) to wait for.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type ErrorType, PenstockError } from '../../model/errors.ts';

export interface Patience {
  /** Runs a step that may be repeated. @throws its last error, or the signal's reason, then also at once where it still waits in line */
  run<T>(step: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Steps allowed at once now. */
  window(): number;
}

export interface PatienceOptions {
  /** Steps at once at most. */
  readonly maxWindow: number;
  /** 0 to 1; injected in tests. */
  readonly random?: () => number;
  readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

/** With pauses of 0.1, 0.2, ... 6.4 s at most, half of that on average: some six seconds. */
export const MAX_TRIES = 8;
const FIRST_PAUSE_MS = 100;
/** Damage is no congestion: one repeat tells an accident from a state. */
const TRIES_OF_DAMAGE = 2;
const CONGESTED: ReadonlySet<ErrorType> = new Set<ErrorType>(['StoreThrottled', 'StoreUnavailable']);
const DAMAGED: ReadonlySet<ErrorType> = new Set<ErrorType>(['ChecksumMismatch', 'IoError']);

export function createPatience({ maxWindow, random = Math.random, sleep = abortableSleep }: PatienceOptions): Patience {
  let window = maxWindow;
  let inFlight = 0;
  let goodSinceGrowth = 0;
  const line = new Set<() => void>();

  const enter = (signal: AbortSignal | undefined): Promise<void> | undefined => {
    if (inFlight < Math.floor(window)) {
      inFlight += 1;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const letGo = (): void => {
        line.delete(begin);
        reject(signal?.reason);
      };
      const begin = (): void => {
        signal?.removeEventListener('abort', letGo);
        resolve();
      };
      if (signal?.aborted) return letGo();
      signal?.addEventListener('abort', letGo, { once: true });
      line.add(begin);
    });
  };
  const leave = (): void => {
    inFlight -= 1;
    for (const begin of line) {
      if (inFlight >= Math.floor(window)) return;
      inFlight += 1;
      line.delete(begin);
      begin();
    }
  };
  const grow = (): void => {
    if (window >= maxWindow) return;
    goodSinceGrowth += 1;
    if (goodSinceGrowth < window) return;
    goodSinceGrowth = 0;
    window = Math.min(maxWindow, window + 1);
  };
  const shrink = (): void => {
    goodSinceGrowth = 0;
    window = Math.max(1, window / 2);
  };

  const tryOnce = async <T>(step: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    await enter(signal);
    try {
      signal?.throwIfAborted();
      const result = await step();
      grow();
      return result;
    } finally {
      leave();
    }
  };

  return {
    async run(step, signal) {
      for (let tries = 1; ; tries += 1) {
        try {
          return await tryOnce(step, signal);
        } catch (error) {
          const kind = errorTypeOf(error);
          const allowed = kind && CONGESTED.has(kind) ? MAX_TRIES : kind && DAMAGED.has(kind) ? TRIES_OF_DAMAGE : 1;
          if (kind && CONGESTED.has(kind)) shrink();
          if (tries >= allowed) throw error;
          await sleep(random() * FIRST_PAUSE_MS * 2 ** (tries - 1), signal);
        }
      }
    },
    window: () => Math.floor(window),
  };
}

/** Also through the frame that tells a source's failure from a target's. */
function errorTypeOf(error: unknown): ErrorType | undefined {
  if (error instanceof PenstockError) return error.type;
  return error instanceof Error && error.cause !== undefined ? errorTypeOf(error.cause) : undefined;
}

const abortableSleep = (milliseconds: number, signal: AbortSignal | undefined): Promise<unknown> => pause(milliseconds, undefined, signal ? { signal } : {});
