/** What happens to a checkpoint while it is written; all of it follows from the seed. */
import { CHUNK_BYTES } from '../../../datapath/checkpoint/ring-format.ts';
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
  | 'clock-steps'
  | 'bit-rot';

export interface CheckpointPlan extends FaultPlan {
  readonly seed: number;
  readonly fault: CheckpointFault;
  readonly policy: 'strict' | 'degraded';
  readonly depth: number;
  /** Of each file, in bytes. */
  readonly sizes: readonly number[];
  /** At which durable step, write, acknowledgement or byte it happens; of a full rack the pages that are free. */
  readonly at: number;
  /** The older checkpoint is drained before the next one is written, so that the ring lets go of it. */
  readonly isDrained: boolean;
  /** A checkpoint that never came to be is written again under its id. */
  readonly isAgain: boolean;
  /** On the temporary directory's file system in place of memory. */
  readonly isOnDisk: boolean;
}

/** How often each is drawn. */
const weights: readonly (readonly [CheckpointFault, number])[] = [
  ['kill', 36],
  ['power-cut', 18],
  ['kill-process', 3],
  ['ring-full', 4],
  ['ring-fails', 9],
  ['rack-full', 8],
  ['rack-gone', 6],
  ['slow-rack', 3],
  ['slow-ring', 3],
  ['clock-steps', 3],
  ['bit-rot', 6],
  ['none', 1],
];

export const checkpointFaultNames: readonly CheckpointFault[] = weights.map(([fault]) => fault);

const SMALL_BYTES = 20_000;
const MOST_FILES = 5;
/** Five of the six records of the smallest ring: behind it there is no room for a chunk. */
export const RING_FILLING_SIZES: readonly number[] = [3 * CHUNK_BYTES, 2 * CHUNK_BYTES];
/** A process is killed in the midst of many. */
const PROCESS_FILES = 24;
export const PAGE_BYTES = 4096;

export function planOf(seed: number): CheckpointPlan {
  const [which, policy, depth, count, at, large, drained, again] = drawsOf('checkpoint', seed);
  const fault = pick(which);
  const files = fault === 'kill-process' ? PROCESS_FILES : 1 + Math.floor(count * MOST_FILES);
  const sizes = fault === 'ring-full' ? [CHUNK_BYTES] : sizesOf(seed, files, large);
  return {
    seed,
    fault,
    policy: policy < 0.5 ? 'strict' : 'degraded',
    depth: 2 + Math.floor(depth * 6),
    sizes,
    at: Math.floor(at * stepsOf(fault, sizes)),
    isDrained: fault === 'ring-full' || drained < 0.25,
    isAgain: again < 0.5,
    isOnDisk: fault === 'kill-process' && again < 0.3,
  };
}

/** A few with more than one chunk, at the border of one, and none at all. */
function sizesOf(seed: number, files: number, large: number): number[] {
  const sizes = Array.from({ length: files }, (_, index) => Math.floor(drawsOf('size', seed, index)[0] * SMALL_BYTES));
  if (large < 0.1) sizes[0] = CHUNK_BYTES + Math.floor(large * 100_000);
  else if (large < 0.15) sizes[0] = CHUNK_BYTES;
  else if (large < 0.3) sizes[0] = 0;
  return sizes;
}

function stepsOf(fault: CheckpointFault, sizes: readonly number[]): number {
  switch (fault) {
    case 'kill':
      return 4 * sizes.length + 6;
    case 'rack-full':
      return pagesOf(sizes) + 3;
    case 'bit-rot':
      return sizes.reduce((sum, bytes) => sum + bytes, 0);
    default:
      return sizes.length + 2;
  }
}

/** What a rack needs for it: its files, and the record. */
export const pagesOf = (sizes: readonly number[]): number => sizes.reduce((sum, bytes) => sum + Math.ceil(bytes / PAGE_BYTES), 1);

/** Whether there are so many writes to one store: all chunks, an empty file's too, and the record. */
export const isReached = ({ at, sizes }: Pick<CheckpointPlan, 'at' | 'sizes'>): boolean =>
  at <= sizes.reduce((sum, bytes) => sum + Math.max(1, Math.ceil(bytes / CHUNK_BYTES)), 0);

function pick(draw: number): CheckpointFault {
  let left = draw * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [fault, weight] of weights) {
    left -= weight;
    if (left < 0) return fault;
  }
  return 'none';
}
