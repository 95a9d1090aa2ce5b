/** Runs a suite seed by seed. */
import { performance } from 'node:perf_hooks';
import type { FaultFailure, FaultPlan, FaultReport, FaultSuite } from './suite.ts';

const RUN_LIMIT_MS = 20_000;

export interface RunSuite {
  readonly seed: number;
  readonly runs: number;
  /** A run that goes on for longer is not alive. */
  readonly runLimitMs?: number;
  readonly onFailure?: (failure: FaultFailure) => void;
}

export async function runSuite<Plan extends FaultPlan>(
  suite: FaultSuite<Plan>,
  { seed, runs, runLimitMs = RUN_LIMIT_MS, onFailure }: RunSuite,
): Promise<FaultReport> {
  const began = performance.now();
  const ends = new Map<string, number>();
  const failures: FaultFailure[] = [];
  for (let each = seed; each < seed + runs; each += 1) {
    const plan = suite.plan(each);
    try {
      const end = `${plan.fault}: ${await within(runLimitMs, suite.run(plan))}`;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    } catch (error) {
      const failure = { seed: each, plan, message: error instanceof Error ? error.message : String(error) };
      failures.push(failure);
      onFailure?.(failure);
    }
  }
  const seconds = (performance.now() - began) / 1000;
  return { suite: suite.name, seed, runs, seconds, ends: Object.fromEntries([...ends].sort(([a], [b]) => (a < b ? -1 : 1))), failures };
}

async function within<T>(limitMs: number, run: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the run did not end within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([run, promise]);
  } finally {
    clearTimeout(timer);
  }
}
