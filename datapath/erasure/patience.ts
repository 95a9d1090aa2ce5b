/** Waiting for a rack has an end: no rack may hold an object's write or read for longer than this. */
import { PenstockError } from '../../model/errors.ts';
import type { RackMemory } from './rack-memory.ts';

export interface Patience {
  /** A small request: probing, a manifest, a header. */
  readonly requestMilliseconds: number;
  /** A rack that takes or gives nothing at all. */
  readonly stallMilliseconds: number;
  /** What one rack may hold up a write that all others are ready to go on with; {@link lagOf}. */
  readonly lagMilliseconds?: number;
  /** What is remembered of racks that do not answer; this process's own where absent. */
  readonly memory?: RackMemory | undefined;
  /** Only racks that were silent since this instant, by the memory's clock, are passed over; all that are remembered where absent. */
  readonly believedFrom?: number | undefined;
}

/** Retryable. The rack was waited for, and did not answer in time. */
export class RackSilent extends PenstockError {}

export const defaultPatience: Patience = { requestMilliseconds: 10_000, stallMilliseconds: 30_000 };

/** Disks pause for a second or two now and then; longer is a rack to do without, for what it misses is repaired. */
const LAG_MILLISECONDS = 3_000;

export const lagOf = ({ lagMilliseconds, stallMilliseconds }: Patience): number => Math.min(lagMilliseconds ?? LAG_MILLISECONDS, stallMilliseconds);

/**
 * {@link RackSilent}, naming the rack, where the work takes longer; its signal is aborted then, and its late outcome ignored.
 * Rejects with the outer signal's reason at once when that is aborted.
 */
export async function within<T>(
  limitMilliseconds: number,
  rack: string,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = (reason: unknown) => {
    reject(reason);
    controller.abort(reason);
  };
  let isOver = false;
  const timer = setTimeout(() => {
    // Behind the answers that came in while this process was busy.
    setImmediate(() => {
      if (!isOver) cancel(new RackSilent('StoreUnavailable', `${what} took longer than ${limitMilliseconds / 1000} s.`, { store: rack }));
    });
  }, limitMilliseconds);
  const onAbort = () => cancel(outer?.reason);
  outer?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(controller.signal), promise]);
  } finally {
    isOver = true;
    clearTimeout(timer);
    outer?.removeEventListener('abort', onAbort);
  }
}

/** Racks that say nothing are not waited for where enough others answered: so many times what those took, and at least this. */
const GRACE_MULTIPLE = 4;
const LEAST_GRACE_MILLISECONDS = 250;

/** All results; but once `enough` of them are answers, only those that come within a grace. Undefined for each that did not. Rejects where one does before. */
export async function mostOf<T>(works: readonly Promise<T>[], enough: number, isAnswer: (result: T) => boolean): Promise<(T | undefined)[]> {
  const started = performance.now();
  const results: (T | undefined)[] = works.map(() => undefined);
  const isLate = Promise.withResolvers<void>();
  let answers = 0;
  let grace: NodeJS.Timeout | undefined;
  const all = works.map(async (work, index) => {
    const result = await work;
    results[index] = result;
    if (isAnswer(result)) answers++;
    if (answers >= enough) grace ??= setTimeout(isLate.resolve, Math.max(LEAST_GRACE_MILLISECONDS, GRACE_MULTIPLE * (performance.now() - started)));
  });
  try {
    await Promise.race([Promise.all(all), isLate.promise]);
    return [...results];
  } finally {
    clearTimeout(grace);
  }
}

/** Resolves when the work has settled or the time is up, whichever is first. */
export async function atMost(limitMilliseconds: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, limitMilliseconds);
  await Promise.race([
    promise,
    work.then(
      () => resolve(),
      () => resolve(),
    ),
  ]);
  clearTimeout(timer);
}
