/** `npm run bench -- checkpoint`: what a checkpoint costs while the job waits. */
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { runBroker } from './broker.ts';
import { benchCommit } from './commit.ts';

/** One after the other; each is measured against a peer of its own. */
const parts: readonly ((context: BenchContext) => Promise<BenchOutcome>)[] = [benchCommit, runBroker];

export const checkpointBench: Bench = {
  name: 'checkpoint',
  summary: 'the commit of checkpoints to ring and rack, against fio; reservations of bandwidth, against the bare updates of a workflow',
  takes: { full: '5 minutes', quick: '50 s' },
  tools: ['fio', 'temporal'],
  async run(context) {
    const outcomes: BenchOutcome[] = [];
    for (const part of parts) {
      outcomes.push(await part(context));
      await context.keep(outcomes.flatMap(({ rows }) => rows));
    }
    return { rows: outcomes.flatMap(({ rows }) => rows), facts: outcomes.flatMap(({ facts }) => facts) };
  },
};
