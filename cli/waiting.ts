/** Waiting with progress on stderr and a way out. */
import { CliError } from './cli-error.ts';
import type { Session } from './session.ts';

export const POLL_MS = 1000;

export interface Patience {
  /** For ever where absent. */
  readonly timeoutMs: number | undefined;
  /** What is said when it has passed, such as "transfer x was not over". */
  readonly late: string;
  /** What is said to a person who leaves before: that it goes on, and how it is ended. */
  readonly left: string;
}

/** @throws CliError waitedTooLong, or interrupted */
export async function withinTime<T>(session: Session, { timeoutMs, late, left }: Patience, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const attempts = [work(over.signal), untilInterrupted(session, left, over.signal)];
  if (timeoutMs !== undefined) attempts.push(giveUpAfter(session, timeoutMs, late, over.signal));
  try {
    return await Promise.race(attempts);
  } finally {
    over.abort();
    await Promise.allSettled(attempts.slice(1));
  }
}

/** The result comes by a long poll; progress is a courtesy beside it, and may fail where no worker answers. */
export async function besideProgress<T>(signal: AbortSignal, result: () => Promise<T>, show: (signal: AbortSignal) => Promise<unknown>): Promise<T> {
  const over = new AbortController();
  const showing = show(AbortSignal.any([signal, over.signal])).catch(() => undefined);
  try {
    return await result();
  } finally {
    over.abort();
    await showing;
  }
}

/** Settles with the end of the wait. */
function untilInterrupted(session: Session, left: string, signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const forget = session.io.onInterrupt?.(() => reject(new CliError('interrupted', left, { type: 'Interrupted' })));
    signal.addEventListener('abort', () => {
      forget?.();
      reject(new CliError('interrupted', left));
    });
  });
}

async function giveUpAfter(session: Session, timeoutMs: number, late: string, signal: AbortSignal): Promise<never> {
  await session.io.delay(timeoutMs, signal);
  throw new CliError('waitedTooLong', `${late} after ${timeoutMs / 1000} s; it goes on by itself.`, { type: 'WaitedTooLong' });
}
