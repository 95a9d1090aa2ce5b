import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planOf } from '../../faults/checkpoint/plan.ts';
import { runSuite } from '../../faults/harness/run-suite.ts';
import type { FaultSuite } from '../../faults/harness/suite.ts';

const suiteOf = (run: (seed: number) => Promise<string>): FaultSuite => ({
  name: 'made up',
  summary: 'for this test',
  plan: (seed) => ({ fault: seed % 2 === 0 ? 'even' : 'odd', seed }),
  run: ({ seed }) => run(Number(seed)),
});

describe('a run of seeded faults', () => {
  it('counts how runs ended, and tells each failure with its seed and what follows from it', async () => {
    const told: number[] = [];
    const suite = suiteOf((seed) => (seed === 6 ? Promise.reject(new Error('lost a chunk')) : Promise.resolve('fine')));
    const { seconds, ...report } = await runSuite(suite, { seed: 3, runs: 5, onFailure: ({ seed }) => told.push(seed) });
    assert.deepEqual(report, {
      suite: 'made up',
      seed: 3,
      runs: 5,
      ends: { 'even: fine': 1, 'odd: fine': 3 },
      failures: [{ seed: 6, plan: { fault: 'even', seed: 6 }, message: 'lost a chunk' }],
    });
    assert.ok(seconds >= 0);
    assert.deepEqual(told, [6]);
  });

  it('fails where it does not end', async () => {
    const { failures } = await runSuite(
      suiteOf(() => new Promise(() => undefined)),
      { seed: 1, runs: 1, runLimitMs: 20 },
    );
    assert.match(failures[0]?.message ?? '', /did not end within 20 ms/);
  });

  it('has the same plan for the same seed, and every plan has a file to write', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      assert.deepEqual(planOf(seed), planOf(seed));
      assert.ok(planOf(seed).sizes.length > 0);
    }
  });
});
