/**
 * Durability by Monte Carlo, seeded. Losses of 1e-11 a year are never met by chance, so failures are biased and each run is weighted by how much likelier
 * the bias made it: balanced failure biasing over regenerative cycles (Shahabuddin, Management Science 40:3, 1994; Goyal et al., IEEE Trans. Computers
 * 41:1, 1992). Nothing here knows the chain's solution. Pure.
 */
import { failsInWindow, lossWithin, type ShardModel, shardsOf, windowsPerYear } from './durability.ts';
import { type Chain, LOST, type Transition } from './durability-chain.ts';

export interface Simulated {
  /** Of losing an object within the years asked for. */
  readonly probability: number;
  /** 95 % confidence. */
  readonly low: number;
  readonly high: number;
  readonly runs: number;
  /** Runs that ended in a loss. */
  readonly losses: number;
}
export interface SimulationOptions {
  readonly years: number;
  readonly runs: number;
  readonly seed: number;
}

const CONFIDENCE_95 = 1.96;
/** Of a failure before the next repair, in place of a chance that is nearly none. */
const FAILURE_BIAS = 0.5;

/** Cycles from whole to whole again: the mean time to loss is the mean length of a cycle by the chance that it ends in a loss. */
export function simulateBiased(chain: Chain, { years, runs, seed }: SimulationOptions): Simulated {
  const random = seededRandom(seed);
  const length = accumulator();
  const loss = accumulator();
  for (let run = 0; run < runs; run++) {
    length.add(cycle(chain, random, inProportion).years);
    const { isLost, weight } = cycle(chain, random, balanced);
    loss.add(isLost ? weight : 0);
  }
  const hazard = loss.mean() / length.mean();
  const error = hazard * Math.hypot(loss.relativeError(), length.relativeError());
  const within = (perYear: number): number => (perYear > 0 ? lossWithin(years, 1 / perYear) : 0);
  return {
    probability: within(hazard),
    low: within(hazard - CONFIDENCE_95 * error),
    high: within(hazard + CONFIDENCE_95 * error),
    runs,
    losses: loss.nonZero(),
  };
}

/** Lives of so many years each, as they come: of use where losses are not rare. */
export function simulatePlain(chain: Chain, { years, runs, seed }: SimulationOptions): Simulated {
  const random = seededRandom(seed);
  let losses = 0;
  for (let run = 0; run < runs; run++) {
    let state = 0;
    for (let now = 0; state !== LOST; ) {
      const transitions = chain[state] ?? [];
      now -= Math.log(random()) / totalRate(transitions);
      if (now > years) break;
      state = inProportion(transitions, random).transition.to;
    }
    if (state === LOST) losses++;
  }
  return { ...wilson(losses, runs), runs, losses };
}

/** Windows in which each rack fails as often as makes m + 1 failures usual, weighted back. */
export function simulateWindows(model: ShardModel, { years, runs, seed }: SimulationOptions): Simulated {
  const random = seededRandom(seed);
  const shards = shardsOf(model);
  const fails = failsInWindow(model);
  const biased = Math.max(fails, (model.parityShards + 1) / shards);
  const loss = accumulator();
  for (let run = 0; run < runs; run++) {
    let failed = 0;
    for (let shard = 0; shard < shards; shard++) if (random() < biased) failed++;
    loss.add(failed > model.parityShards ? (fails / biased) ** failed * ((1 - fails) / (1 - biased)) ** (shards - failed) : 0);
  }
  const within = (inWindow: number): number => (inWindow > 0 ? -Math.expm1(years * windowsPerYear(model) * Math.log1p(-inWindow)) : 0);
  const mean = loss.mean();
  const error = CONFIDENCE_95 * mean * loss.relativeError();
  return { probability: within(mean), low: within(mean - error), high: within(mean + error), runs, losses: loss.nonZero() };
}

interface Choice {
  readonly transition: Transition;
  /** How much likelier it was made than it is, inverted. */
  readonly weight: number;
}
type Choose = (transitions: readonly Transition[], random: () => number) => Choice;

function cycle(chain: Chain, random: () => number, choose: Choose): { years: number; isLost: boolean; weight: number } {
  let state = 0;
  let years = 0;
  let weight = 1;
  do {
    const transitions = chain[state] ?? [];
    // The mean stay instead of a drawn one: the same expectation with less noise.
    years += 1 / totalRate(transitions);
    const chosen = choose(transitions, random);
    weight *= chosen.weight;
    state = chosen.transition.to;
  } while (state > 0);
  return { years, isLost: state === LOST, weight };
}

const totalRate = (transitions: readonly Transition[]): number => transitions.reduce((sum, { rate }) => sum + rate, 0);

const inProportion: Choose = (transitions, random) => ({ transition: drawn(transitions, random), weight: 1 });

/** A failure as often as a repair, and every kind of failure as often as every other, however rare. */
const balanced: Choose = (transitions, random) => {
  const mends = transitions.filter(({ isRepair }) => isRepair);
  const failures = transitions.filter(({ isRepair }) => !isRepair);
  const bias = mends.length > 0 ? FAILURE_BIAS : 1;
  if (random() >= bias) return { transition: drawn(mends, random), weight: totalRate(mends) / totalRate(transitions) / (1 - bias) };
  const transition = failures[Math.floor(random() * failures.length)];
  if (!transition) throw new TypeError('a state in which nothing fails');
  return { transition, weight: (transition.rate / totalRate(transitions)) * (failures.length / bias) };
};

function drawn(transitions: readonly Transition[], random: () => number): Transition {
  let left = random() * totalRate(transitions);
  for (const transition of transitions) {
    left -= transition.rate;
    if (left < 0) return transition;
  }
  const last = transitions.at(-1);
  if (!last) throw new TypeError('a state that nothing leads out of');
  return last;
}

function accumulator() {
  let count = 0;
  let sum = 0;
  let squares = 0;
  let others = 0;
  return {
    add(value: number): void {
      count++;
      sum += value;
      squares += value * value;
      if (value !== 0) others++;
    },
    nonZero: (): number => others,
    mean: (): number => sum / count,
    /** The standard error of the mean, by the mean. */
    relativeError: (): number => (sum === 0 ? 0 : Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2) / count) / (sum / count)),
  };
}

/** Wilson's interval: it holds where nothing was lost, too. */
function wilson(losses: number, runs: number): Pick<Simulated, 'probability' | 'low' | 'high'> {
  const share = losses / runs;
  const z = CONFIDENCE_95 ** 2;
  const centre = (share + z / (2 * runs)) / (1 + z / runs);
  const half = (CONFIDENCE_95 / (1 + z / runs)) * Math.sqrt((share * (1 - share)) / runs + z / (4 * runs * runs));
  return { probability: share, low: losses === 0 ? 0 : centre - half, high: centre + half };
}

/** In (0, 1), the same for a seed everywhere: xoshiro128** (Blackman, Vigna 2018), its state filled by splitmix32. */
export function seededRandom(seed: number): () => number {
  let filler = seed >>> 0;
  const fill = (): number => {
    filler = (filler + 0x9e3779b9) | 0;
    let mixed = Math.imul(filler ^ (filler >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
  let [a, b, c, d] = [fill(), fill(), fill(), fill()];
  const next = (): number => {
    const scrambled = Math.imul(rotated(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotated(d, 11);
    return scrambled >>> 0;
  };
  return () => ((next() >>> 6) * 2 ** 26 + (next() >>> 6) + 0.5) / 2 ** 52;
}

const rotated = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
