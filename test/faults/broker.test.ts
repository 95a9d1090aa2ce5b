/** `npm run faults -- broker --seed N --runs M` runs other seeds, and repeats one that failed. */
import { test } from 'node:test';
import { brokerFaultNames } from './broker/plan.ts';
import { brokerFaults } from './broker/suite.ts';
import { passGate } from './harness/gate.ts';

test('whoever dies, comes late or says things twice, a broker gives no more than there is, loses no lease and serves everybody: 300 seeds', (context) =>
  passGate(context, brokerFaults, { runs: 300, faults: brokerFaultNames }));
