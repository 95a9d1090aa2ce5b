/** `npm run bench -- NAME [--quick] [--json FILE] [--case REGEX] [--runs N] [--only CLIENT,...]`; without a name it lists the benchmarks. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../model/errors.ts';
import type { BenchOptions } from './harness/bench.ts';
import { machineFacts } from './harness/machine.ts';
import { renderReport } from './harness/report.ts';
import type { Row } from './harness/rows.ts';
import { createWorkspace } from './harness/workspace.ts';
import { benches } from './registry.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    case: { type: 'string' },
    runs: { type: 'string' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
const bench = benches.find(({ name }) => name === positionals[0]);
const log = (line: string): void => void process.stderr.write(`${line}\n`);

if (!bench || values.help) {
  process.stdout.write(usage());
  process.exit(positionals.length > 0 && !values.help ? 1 : 0);
}
const workspace = createWorkspace();
try {
  const startedAt = Date.now();
  const machine = await machineFacts(bench.tools);
  const { rows, facts } = await bench.run({ options: readOptions(), workspace, log, keep });
  const took = `${((Date.now() - startedAt) / 1000).toFixed(0)} s`;
  process.stdout.write(renderReport([...machine, ...facts, ['took', took]], rows));
  await keep(rows);
} catch (error) {
  log(messageOf(error));
  process.exitCode = 1;
} finally {
  await workspace.leave();
}

async function keep(rows: readonly Row[]): Promise<void> {
  // npm runs this in the repository; a relative path means where the caller stands.
  if (values.json) await writeFile(resolve(process.env['INIT_CWD'] ?? '.', values.json), `${JSON.stringify(rows, undefined, 2)}\n`);
}

function readOptions(): BenchOptions {
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) throw new Error(`--runs ${values.runs}: a whole number from 1 on`);
  return {
    quick: values.quick,
    only: values.only.split(',').filter((name) => name !== ''),
    ...(values.case === undefined ? {} : { cases: new RegExp(values.case) }),
    ...(runs === undefined ? {} : { runs }),
  };
}

function usage(): string {
  const lines = benches.map(({ name, summary, takes }) => `  ${name.padEnd(10)} ${summary} (${takes.full}; --quick ${takes.quick})`);
  return [
    'npm run bench -- NAME [--quick] [--json FILE] [--case REGEX] [--runs N] [--only CLIENT,...]',
    '',
    ...lines,
    '',
    '--quick   smaller volumes, fewer runs, the same clients and goals',
    '--json    also writes the figures there, as a list of rows',
    '--case    only cases whose name it matches, such as "memory/http/up/64x"; also chooses from those that a full run leaves out',
    '--runs    of each case; the figures are medians',
    '--only    only these clients: ours, rclone, s5cmd',
    '',
  ].join('\n');
}
