/** The gate of each build: 300 seeds. `npm run faults -- checkpoint --seed N --runs M` runs others, and repeats one that failed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkpointFaultNames } from './checkpoint/plan.ts';
import { checkpointFaults } from './checkpoint/suite.ts';
import { runSuite } from './harness/run-suite.ts';

test('whatever happens while a checkpoint is written, what was acknowledged can be read, and nothing else is offered: 300 seeds', async () => {
  const { failures, ends } = await runSuite(checkpointFaults, { seed: 1, runs: 300 });
  assert.deepEqual(failures, []);
  const met = new Set(Object.keys(ends).map((end) => end.split(':')[0]));
  assert.deepEqual(
    checkpointFaultNames.filter((fault) => !met.has(fault)),
    [],
    'every fault was met',
  );
});
