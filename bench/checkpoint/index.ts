/** `npm run bench -- checkpoint` */
import type { Bench } from '../harness/bench.ts';
import { runBroker } from './broker.ts';

export const checkpointBench: Bench = {
  name: 'checkpoint',
  summary: 'reservations of bandwidth beside the bare updates of a workflow',
  takes: { full: '2 minutes', quick: '30 s' },
  tools: ['temporal'],
  run: runBroker,
};
