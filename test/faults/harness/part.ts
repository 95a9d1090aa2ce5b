/** `node part.ts NAME SEED RUNS EVERY`: the part of a suite that one process runs. SIGTERM ends it after the run under way. */
import { writeSync } from 'node:fs';
import { findSuite, suiteNames } from '../suites.ts';
import type { PartLine } from './run-parts.ts';
import { runSuite } from './run-suite.ts';

const [name, ...numbers] = process.argv.slice(2);
const [seed = 0, runs = 0, every = 1] = numbers.map(Number);
const suite = await findSuite(name);
if (!suite) throw new Error(`suite: found ${name}; accepted: ${suiteNames.join(', ')}`);

const say = (line: PartLine): void => void writeSync(1, `${JSON.stringify(line)}\n`);
let isOver = false;
process.on('SIGTERM', () => {
  isOver = true;
});
const { ends } = await runSuite(suite, {
  seed,
  runs,
  every,
  isOver: () => isOver,
  onFailure: (failure) => say({ kind: 'failure', failure }),
});
say({ kind: 'ends', ends });
// A writer that was called dead still waits for its stores.
process.exit();
