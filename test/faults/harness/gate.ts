/** The gate of each build: so many seeds of a suite from the first on, none of which breaks a promise, and every fault met. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { runParts } from './run-parts.ts';
import type { FaultSuite } from './suite.ts';

export async function passGate(context: TestContext, suite: FaultSuite, { runs, faults }: { runs: number; faults: readonly string[] }): Promise<void> {
  const { failures, ends, seconds } = await runParts(suite, { seed: 1, runs });
  context.diagnostic(`${runs} seeds in ${seconds.toFixed(1)} s`);
  assert.deepEqual(failures, []);
  const met = new Set(Object.keys(ends).map((end) => end.split(':')[0]));
  assert.deepEqual(
    faults.filter((fault) => !met.has(fault)),
    [],
    'every fault was met',
  );
}
