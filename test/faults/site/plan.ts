/** What of a site is killed, and when, while one checkpoint is drained and the next one written, committed and drained. */
import { drawsOf } from '../../support/fault-proxy-random.ts';
import type { FaultPlan } from '../harness/suite.ts';

const moments = ['writing', 'committing', 'draining'] as const;
/** As the site names them; the writer is the node's own process. In turn, so that a few seeds have all of them. */
const victims = ['worker-data', 'temporal', 'writer', 'temporal and worker-data', 'worker-control'] as const;

export interface SitePlan extends FaultPlan {
  readonly seed: number;
  readonly victims: (typeof victims)[number];
  readonly moment: (typeof moments)[number];
  /** While it is written: at which acknowledged chunk. */
  readonly atChunk: number;
  /** Else: how long after the moment began. */
  readonly afterMilliseconds: number;
}

/** Three files, five chunks. */
export const CHECKPOINT_BYTES = [5_000_000, 4_500_000, 100_000] as const;
const CHUNKS = 5;
/** A commit takes about so long, and a drain some seconds. */
const LONGEST_MILLISECONDS = { writing: 0, committing: 300, draining: 2500 } as const;

export function sitePlanOf(seed: number): SitePlan {
  const [when, chunk, after] = drawsOf('site', seed);
  const killed = victims[seed % victims.length] ?? 'writer';
  const moment = killed === 'writer' ? 'writing' : (moments[Math.floor(when * moments.length)] ?? 'draining');
  return {
    seed,
    fault: `kill -9 of ${killed} while ${moment}`,
    victims: killed,
    moment,
    atChunk: 1 + Math.floor(chunk * CHUNKS),
    afterMilliseconds: Math.floor(after * LONGEST_MILLISECONDS[moment]),
  };
}
