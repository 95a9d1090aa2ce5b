/** Waiting for a rack has an end: no rack may hold an object's write or read for longer than this. */
import { PenstockError } from '../../model/errors.ts';

export interface Patience {
  /** A small request: probing, a manifest, a header. */
  readonly requestMilliseconds: number;
  /** A shard's stream that takes or gives nothing at all; the slowest rack otherwise sets the pace. */
  readonly stallMilliseconds: number;
}

export const defaultPatience: Patience = { requestMilliseconds: 10_000, stallMilliseconds: 30_000 };

/**
 * StoreUnavailable, naming the rack, where the work takes longer; its signal is aborted then, and its late outcome ignored.
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
  const timer = setTimeout(() => {
    cancel(new PenstockError('StoreUnavailable', `${what} took longer than ${limitMilliseconds / 1000} s.`, { store: rack }));
  }, limitMilliseconds);
  const onAbort = () => cancel(outer?.reason);
  outer?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(controller.signal), promise]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onAbort);
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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function isType(error: unknown, type: PenstockError['type']): boolean {
  return error instanceof PenstockError && error.type === type;
}
