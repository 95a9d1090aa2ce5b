/** What happens to a checkpoint while it is written; all of it follows from the seed. */
import { drawsOf } from '../../support/fault-proxy-random.ts';
import type { FaultPlan } from '../harness/suite.ts';

export type CheckpointFault =
  | 'none'
  | 'kill'
  | 'power-cut'
  | 'kill-process'
  | 'ring-full'
  | 'ring-fails'
  | 'rack-full'
  | 'rack-gone'
  | 'slow-rack'
  | 'slow-ring'
  | 'clock-steps';

export interface CheckpointPlan extends FaultPlan {
  readonly seed: number;
  readonly fault: CheckpointFault;
  readonly policy: 'strict' | 'degraded';
  readonly depth: number;
  /** Of each file, in bytes. */
  readonly sizes: readonly number[];
  /** At which durable step, write or acknowledgement it happens. */
  readonly at: number;
}

/** How often each is drawn. */
const weights: readonly (readonly [CheckpointFault, number])[] = [
  ['kill', 36],
  ['power-cut', 18],
  ['kill-process', 3],
  ['ring-full', 4],
  ['ring-fails', 9],
  ['rack-full', 8],
  ['rack-gone', 8],
  ['slow-rack', 4],
  ['slow-ring', 4],
  ['clock-steps', 4],
  ['none', 2],
];

export const checkpointFaultNames: readonly CheckpointFault[] = weights.map(([fault]) => fault);

const CHUNK_BYTES = 4 * 2 ** 20;
const SMALL_BYTES = 20_000;
const MOST_FILES = 5;
/** A process is killed in the midst of many. */
const PROCESS_FILES = 24;

export function planOf(seed: number): CheckpointPlan {
  const [which, policy, depth, count, at, large] = drawsOf('checkpoint', seed);
  const fault = pick(which);
  const files = fault === 'kill-process' ? PROCESS_FILES : 1 + Math.floor(count * MOST_FILES);
  const sizes = Array.from({ length: files }, (_, index) => Math.floor(drawsOf('size', seed, index)[0] * SMALL_BYTES));
  // More than one chunk, at the border of one, and none at all.
  if (large < 0.1) sizes[0] = CHUNK_BYTES + Math.floor(large * 100_000);
  else if (large < 0.15) sizes[0] = CHUNK_BYTES;
  else if (large < 0.3) sizes[0] = 0;
  const steps = fault === 'kill' ? 4 * files + 6 : files + 2;
  return {
    seed,
    fault,
    policy: policy < 0.5 ? 'strict' : 'degraded',
    depth: 2 + Math.floor(depth * 6),
    sizes: fault === 'ring-full' ? [3 * CHUNK_BYTES, 2 * CHUNK_BYTES] : sizes,
    at: Math.floor(at * steps),
  };
}

function pick(draw: number): CheckpointFault {
  let left = draw * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [fault, weight] of weights) {
    left -= weight;
    if (left < 0) return fault;
  }
  return 'none';
}
