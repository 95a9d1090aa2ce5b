/** `npm run bench -- erasure`: the code alone against its peers, then objects over racks. Each part brings its rows; `--case` picks them by name. */
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { endToEndPart } from './end-to-end.ts';
import { kernelPart } from './kernel.ts';

/** In the order of the report. */
const parts: readonly Pick<Bench, 'tools' | 'run'>[] = [kernelPart, endToEndPart];

export const erasureBench: Bench = {
  name: 'erasure',
  summary: 'the erasure code against ISA-L in C and klauspost/reedsolomon, and objects into 18 racks and back, beside a plain copy by rclone',
  takes: { full: '15 minutes', quick: '25 to 45 s' },
  tools: parts.flatMap(({ tools }) => tools),
  run: runErasure,
};

/** One after another: what runs beside a measurement belongs to it. */
async function runErasure(context: BenchContext): Promise<BenchOutcome> {
  const outcomes: BenchOutcome[] = [];
  for (const part of parts) outcomes.push(await part.run(context));
  return { rows: outcomes.flatMap(({ rows }) => rows), facts: outcomes.flatMap(({ facts }) => facts) };
}
