/** `npm run faults -- NAME --seed N --runs M [--json FILE]`: seeded faults, and what must hold. Exit code 1 where it did not; each failure repeats from its seed. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runSuite } from './harness/run-suite.ts';
import { suites } from './suites.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string', default: '300' }, json: { type: 'string' } },
});
const suite = suites.find(({ name }) => name === positionals[0]);
const [seed, runs] = [Number(values.seed), Number(values.runs)];
if (!suite || !Number.isSafeInteger(seed) || !Number.isSafeInteger(runs) || seed < 0 || runs < 1) {
  process.stdout.write(usage());
  process.exit(2);
}

const report = await runSuite(suite, {
  seed,
  runs,
  onFailure: ({ seed: failed, plan, message }) => process.stderr.write(`seed ${failed} ${JSON.stringify(plan)}\n  ${message}\n`),
});
for (const [end, count] of Object.entries(report.ends)) process.stdout.write(`${String(count).padStart(6)}  ${end}\n`);
process.stdout.write(`${suite.name}: ${runs} runs from seed ${seed} in ${report.seconds.toFixed(1)} s, ${report.failures.length} failed\n`);
// npm runs this in the repository; a relative path means where the caller stands.
if (values.json) await writeFile(resolve(process.env['INIT_CWD'] ?? '.', values.json), `${JSON.stringify(report, undefined, 2)}\n`);
process.exit(report.failures.length > 0 ? 1 : 0);

function usage(): string {
  const names = suites.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`);
  return ['npm run faults -- NAME [--seed N] [--runs M] [--json FILE]', '', ...names, '', 'N: a whole number from 0 on; M: from 1 on', ''].join('\n');
}
