import { ApplicationFailure, CancellationScope, sleep } from '@temporalio/workflow';

/**
 * Runs a phase under its deadline. When it passes, the work is cancelled, waited for, and a DeadlineExceeded failure tells
 * which phase was overrun; a cancellation from outside stays a cancellation, for a timeout is not a cancel.
 */
export async function withinDeadline<T>(phase: string, deadlineMs: number, work: () => Promise<T>): Promise<T> {
  let expired = false;
  const working = new CancellationScope();
  const timer = new CancellationScope();
  const watch = timer
    .run(() => sleep(Math.max(1, deadlineMs), { summary: `deadline of ${phase}` }))
    .then(
      () => {
        expired = true;
        working.cancel();
      },
      () => undefined, // the work ended first and cancelled the timer
    );
  try {
    return await working.run(work);
  } catch (error) {
    if (expired) throw deadlineExceeded(phase, deadlineMs);
    throw error;
  } finally {
    timer.cancel();
    await watch;
  }
}

export function deadlineExceeded(phase: string, deadlineMs: number): ApplicationFailure {
  const hours = Math.round(deadlineMs / 360_000) / 10;
  return ApplicationFailure.nonRetryable(`phase ${phase} passed its deadline of ${hours} h`, 'DeadlineExceeded');
}

/** All results, or the first error once every other call has stopped: an undo must not run beside what it undoes. */
export async function allOrNone<T>(works: readonly (() => Promise<T>)[]): Promise<T[]> {
  const scope = new CancellationScope();
  const running = works.map((work) => scope.run(work));
  try {
    return await Promise.all(running);
  } catch (error) {
    scope.cancel();
    await Promise.allSettled(running);
    throw error;
  }
}
