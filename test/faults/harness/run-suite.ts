/** Runs a suite in this process, seed by seed. */
import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { messageOf } from '../../../model/errors.ts';
import type { FaultFailure, FaultPlan, FaultReport, FaultSuite } from './suite.ts';

export interface RunSuite {
  readonly seed: number;
  readonly runs: number;
  /** Only every n-th seed, from the first on; default 1. */
  readonly every?: number;
  /** Asked after each run. */
  readonly isOver?: (failures: readonly FaultFailure[]) => boolean;
  readonly onFailure?: (failure: FaultFailure) => void;
}

export async function runSuite<Plan extends FaultPlan>(
  suite: FaultSuite<Plan>,
  { seed, runs, every = 1, isOver = () => false, onFailure }: RunSuite,
): Promise<FaultReport> {
  const began = performance.now();
  const ends = new Map<string, number>();
  const failures: FaultFailure[] = [];
  for (let each = seed; each < seed + runs && !isOver(failures); each += every) {
    // A run without a pause would else keep whoever ends it from being heard.
    await turn();
    const plan = suite.plan(each);
    try {
      const end = `${plan.fault}: ${await within(suite.runLimitSeconds, suite.run(plan))}`;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    } catch (error) {
      const failure = { seed: each, plan, message: messageOf(error) };
      failures.push(failure);
      onFailure?.(failure);
    }
  }
  await suite.end?.();
  return { suite: suite.name, seed, runs, seconds: secondsSince(began), ends: inOrder(ends), failures };
}

export const secondsSince = (began: number): number => (performance.now() - began) / 1000;
export const inOrder = (ends: ReadonlyMap<string, number>): Record<string, number> => Object.fromEntries([...ends].sort(([a], [b]) => (a < b ? -1 : 1)));

async function within<T>(limitSeconds: number, run: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the run did not end within ${limitSeconds} s`)), limitSeconds * 1000);
  try {
    return await Promise.race([run, promise]);
  } finally {
    clearTimeout(timer);
  }
}
