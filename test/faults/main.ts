/** `npm run faults -- NAME --seed N --runs M [--json FILE]`: seeded faults, and what must hold. Exit code 1 where it did not; each failure repeats from its seed. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runParts } from './harness/run-parts.ts';
import type { FaultFailure, FaultReport } from './harness/suite.ts';
import { tryPlants } from './planted/try-plants.ts';
import { findSuite, suiteNames } from './suites.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '300' },
    json: { type: 'string' },
    'until-failure': { type: 'boolean', default: false },
    plans: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

process.exit(values.planted ? await tryPlants({ named: positionals, say }) : await runNamed());

async function runNamed(): Promise<number> {
  const suite = await findSuite(positionals[0]);
  const [seed, runs] = [Number(values.seed), Number(values.runs)];
  if (!suite || !Number.isSafeInteger(seed) || !Number.isSafeInteger(runs) || seed < 0 || runs < 1) {
    const [name] = positionals;
    if (name !== undefined && !suite) process.stderr.write(`there is no suite ${JSON.stringify(name)}; there are ${suiteNames.join(', ')}\n`);
    process.stdout.write(await usage());
    return 2;
  }
  if (values.plans) {
    for (let each = seed; each < seed + runs; each += 1) say(JSON.stringify(suite.plan(each)));
    return 0;
  }
  const report = await runParts(suite, { seed, runs, untilFailure: values['until-failure'], onFailure: tell });
  await tellEnds(report);
  return report.failures.length > 0 ? 1 : 0;
}

function tell({ seed, plan, message }: FaultFailure): void {
  process.stderr.write(`seed ${seed} ${JSON.stringify(plan)}\n  ${message}\n`);
}

async function tellEnds(report: FaultReport): Promise<void> {
  const { suite, seed, runs, seconds, ends, failures } = report;
  for (const [end, count] of Object.entries(ends)) say(`${String(count).padStart(6)}  ${end}`);
  say(`${suite}: ${runs} runs from seed ${seed} in ${seconds.toFixed(1)} s, ${failures.length} failed`);
  // npm runs this in the repository; a relative path means where the caller stands.
  if (values.json) await writeFile(resolve(process.env['INIT_CWD'] ?? '.', values.json), `${JSON.stringify(report, undefined, 2)}\n`);
}

async function usage(): Promise<string> {
  const suites = await Promise.all(suiteNames.map(findSuite));
  const names = suites.flatMap((suite) => (suite ? [`  ${suite.name.padEnd(12)} ${suite.summary}`] : []));
  return [
    'npm run faults -- NAME [--seed N] [--runs M] [--until-failure] [--json FILE]',
    'npm run faults -- NAME --plans',
    'npm run faults -- --planted [NAME...]',
    '',
    ...names,
    '',
    'N: a whole number from 0 on; M: from 1 on. --plans says what each seed meets, and runs none. --planted puts known bugs into a copy of the code, one after the other, and says by which seed each is found',
    '',
  ].join('\n');
}
