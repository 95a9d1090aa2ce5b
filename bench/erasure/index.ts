/** `npm run bench -- erasure`: throughput.ts as a child; it has no peer yet. */
import { z } from 'zod';
import { nodeCommand } from '../../dev/site/node-process.ts';
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { measure } from '../harness/measure.ts';
import { row } from '../harness/rows.ts';

export const erasureBench: Bench = {
  name: 'erasure',
  summary: 'the erasure code alone, and objects written, read, rebuilt and verified over 20 racks in memory',
  takes: { full: 'a minute', quick: '20 s' },
  tools: [],
  run: runErasure,
};

const MEGABYTES = { full: 2000, quick: 300 };
const rateSchema = z.object({ case: z.string(), megabytesPerSecond: z.number() });

async function runErasure({ options, workspace }: BenchContext): Promise<BenchOutcome> {
  const megabytes = options.quick ? MEGABYTES.quick : MEGABYTES.full;
  const directory = await workspace.directory('/dev/shm');
  const measured = await measure(workspace, nodeCommand('bench/erasure/throughput.ts', [String(megabytes), directory]));
  const rates = measured.stdout
    .trimEnd()
    .split('\n')
    .map((line) => rateSchema.parse(JSON.parse(line)))
    .filter((rate) => options.cases?.test(rate.case) ?? true);
  return {
    rows: [
      ...rates.map((rate) => row({ case: rate.case, metric: 'throughput', unit: 'MB/s', ours: rate.megabytesPerSecond })),
      row({ case: `all, objects of ${megabytes} MB`, metric: 'peak RSS', unit: 'MB', ours: measured.peakRssBytes / 1e6 }),
    ],
    facts: [['racks', '20 directories in memory']],
  };
}
