/** What a seed stands for: which entries there are, and what happens to requests on their way. */
import { type FaultKind, type FaultPlan, faultKinds } from './fault-proxy-plan.ts';
import { contentOf, drawsOf } from './fault-proxy-random.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const LARGEST_BYTES = 20 * MIB;
const MOST_ENTRIES = 12;
const BLOCK_BYTES = 8 * MIB;

/** Mostly small; sometimes around a block's end, where parts begin, and sometimes of several. */
export function seededContents(seed: number): Map<string, Buffer> {
  const [count] = drawsOf(seed, 'entries');
  const entries = Array.from({ length: 1 + Math.floor(count * MOST_ENTRIES) }, (_, index): [string, Buffer] => {
    const path = `${index % 3 === 0 ? 'a b/' : ''}${index}`;
    return [path, contentOf(sizeOf(seed, path), seed, path)];
  });
  return new Map(entries);
}

function sizeOf(seed: number, path: string): number {
  const [choice, size] = drawsOf(seed, 'size', path);
  if (choice < 0.1) return 0;
  if (choice < 0.55) return Math.ceil(size * 64 * KIB);
  if (choice < 0.86) return Math.ceil(size * MIB);
  if (choice < 0.93) return BLOCK_BYTES - 1 + Math.floor(size * 3);
  return BLOCK_BYTES + Math.ceil(size * (LARGEST_BYTES - BLOCK_BYTES));
}

/** Stalls wait for a time limit, which the test has not got often. */
const RARE: ReadonlySet<FaultKind> = new Set<FaultKind>(['stall']);

/** About half of the kinds, each on 2 to 10 of a hundred requests: some faults show only where others are absent. */
export function seededPlan(seed: number): FaultPlan {
  const [strength] = drawsOf(seed, 'strength');
  const chosen = faultKinds.filter((kind) => drawsOf(seed, 'chosen', kind)[0] < 0.5);
  const each = 0.02 + strength * 0.08;
  return { probabilities: Object.fromEntries(chosen.map((kind) => [kind, RARE.has(kind) ? each / 5 : each])), delayMs: 50 };
}
