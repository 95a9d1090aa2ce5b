/** Every suite of seeded faults by its name; `npm run faults -- NAME` finds it here. */
import { brokerFaults } from './broker/suite.ts';
import { checkpointFaults } from './checkpoint/suite.ts';
import type { FaultSuite } from './harness/suite.ts';
import { siteFaults } from './site/suite.ts';

export const suites: readonly FaultSuite[] = [checkpointFaults, brokerFaults, siteFaults];
