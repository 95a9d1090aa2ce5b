/** `npm run faults -- checkpoint --seed N --runs M` runs other seeds, and repeats one that failed. */
import { test } from 'node:test';
import { checkpointFaultNames } from './checkpoint/plan.ts';
import { checkpointFaults } from './checkpoint/suite.ts';
import { passGate } from './harness/gate.ts';

test('whatever happens while a checkpoint is written, what was acknowledged can be read, and nothing else is offered: 300 seeds', (context) =>
  passGate(context, checkpointFaults, { runs: 300, faults: checkpointFaultNames }));
