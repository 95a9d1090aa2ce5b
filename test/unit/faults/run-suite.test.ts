import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planOf } from '../../faults/checkpoint/plan.ts';
import { runParts } from '../../faults/harness/run-parts.ts';
import { runSuite } from '../../faults/harness/run-suite.ts';
import type { FaultSuite } from '../../faults/harness/suite.ts';

const suiteOf = (run: (seed: number) => Promise<string>, runLimitSeconds = 60): FaultSuite => ({
  name: 'made up',
  summary: 'for this test',
  processes: 1,
  runLimitSeconds,
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
      suiteOf(() => new Promise(() => undefined), 0.02),
      { seed: 1, runs: 1 },
    );
    assert.match(failures[0]?.message ?? '', /did not end within 0.02 s/);
  });

  it('takes every second seed where it is one of two processes, and ends where it is told to', async () => {
    const ran: number[] = [];
    const suite = suiteOf(async (seed) => {
      ran.push(seed);
      throw new Error('lost a chunk');
    });
    await runSuite(suite, { seed: 2, runs: 9, every: 2, isOver: (failures) => failures.length === 3 });
    assert.deepEqual(ran, [2, 4, 6]);
  });

  it('says more than that a process ended where it could not begin', async () => {
    await assert.rejects(
      runParts({ name: 'none', processes: 1 }, { seed: 1, runs: 1 }),
      /a process of the suite none ended before its runs did \(exit code 1\)/,
    );
  });

  it('has the same plan for the same seed, and every plan has a file to write', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      assert.deepEqual(planOf(seed), planOf(seed));
      assert.ok(planOf(seed).sizes.length > 0);
    }
  });
});
