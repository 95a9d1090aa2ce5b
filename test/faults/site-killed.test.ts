/** `npm run faults -- site --seed N --runs M` runs other seeds, and repeats one that failed. */
import { test } from 'node:test';
import { passGate } from './harness/gate.ts';
import { sitePlanOf } from './site/plan.ts';
import { siteFaults } from './site/suite.ts';

/** Every process is killed once. */
const SEEDS = [1, 2, 3, 4, 5];

test('kill -9 of a writer, a worker or the Temporal server while checkpoints are written, committed and drained loses nothing, and offers nothing else: 5 seeds', (context) =>
  passGate(context, siteFaults, { runs: SEEDS.length, faults: SEEDS.map((seed) => sitePlanOf(seed).fault) }));
