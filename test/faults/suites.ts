/** Every suite of seeded faults by its name; `npm run faults -- NAME` finds it here. One that is not run is not loaded: a suite's processes are many, and one of them has a whole site in its imports. */
import type { FaultSuite } from './harness/suite.ts';

const loaders = new Map<string, () => Promise<FaultSuite>>([
  ['checkpoint', async () => (await import('./checkpoint/suite.ts')).checkpointFaults],
  ['broker', async () => (await import('./broker/suite.ts')).brokerFaults],
  ['site', async () => (await import('./site/suite.ts')).siteFaults],
]);

export const suiteNames: readonly string[] = [...loaders.keys()];

/** Undefined where there is none of the name. */
export const findSuite = (name: string | undefined): Promise<FaultSuite | undefined> => loaders.get(name ?? '')?.() ?? Promise.resolve(undefined);
