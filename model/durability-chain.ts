/**
 * The Markov chain of one object: a state is how many of its shards are lost in each room. Its mean time to loss is solved exactly, and what may happen in
 * a state is told to the simulation. Pure.
 */
import { binomial, lossWithin, repairsPerYear, type ShardModel } from './durability.ts';

export const LOST = -1;

export interface Transition {
  /** A year. */
  readonly rate: number;
  /** A state's number, or LOST. */
  readonly to: number;
  readonly isRepair: boolean;
}
/** By state; state 0 has nothing lost. */
export type Chain = readonly (readonly Transition[])[];

/** What is solved within a second; eight rooms with four parity shards have 495. */
export const MAX_STATES = 500;

/** @returns undefined where there are more states than are solved: then there is only the simulation */
export function buildChain(model: ShardModel): Chain | undefined {
  // Without room events it does not matter which room a shard is in.
  const sizes = model.roomEvents ? model.shardsPerRoom.filter((size) => size > 0) : [model.shardsPerRoom.reduce((sum, size) => sum + size, 0)];
  if (binomial(model.parityShards + sizes.length, sizes.length) > MAX_STATES) return undefined;
  const states = statesOf(sizes, model.parityShards);
  const numbers = new Map(states.map((state, number) => [state.join(), number]));
  return states.map((state) =>
    stepsFrom(state, sizes, model)
      .map(({ rate, lost, isRepair }) => ({ rate, isRepair, to: numbers.get(lost.join()) ?? LOST }))
      .filter(({ rate }) => rate > 0),
  );
}

/** Every way to lose at most so many shards; none lost is the first. */
function statesOf(sizes: readonly number[], most: number): number[][] {
  const [size, ...rest] = sizes;
  if (size === undefined) return [[]];
  return Array.from({ length: Math.min(size, most) + 1 }, (_, lost) => statesOf(rest, most - lost).map((others) => [lost, ...others])).flat();
}

interface Step {
  readonly rate: number;
  readonly lost: readonly number[];
  readonly isRepair: boolean;
}

function stepsFrom(state: readonly number[], sizes: readonly number[], model: ShardModel): Step[] {
  const all = state.reduce((sum, lost) => sum + lost, 0);
  const repairRate = model.repair === 'parallel' ? repairsPerYear(model) : repairsPerYear(model) / Math.max(1, all);
  const events = model.roomEvents;
  return sizes.flatMap((size, room): Step[] => {
    const lost = state[room] ?? 0;
    const sound = size - lost;
    const change = (by: number): number[] => state.map((each, index) => (index === room ? each + by : each));
    return [
      ...(lost > 0 ? [{ rate: lost * repairRate, lost: change(-1), isRepair: true }] : []),
      { rate: sound * model.failuresPerYear, lost: change(1), isRepair: false },
      ...(events
        ? Array.from({ length: sound }, (_, index) => ({
            rate: events.perYear * takes(index + 1, sound, events.share),
            lost: change(index + 1),
            isRepair: false,
          }))
        : []),
    ];
  });
}

const takes = (taken: number, sound: number, share: number): number => binomial(sound, taken) * share ** taken * (1 - share) ** (sound - taken);

/**
 * Years until loss from state 0, by taking the states out one by one (Grassmann, Taksar, Heyman 1985): only sums, products and quotients of positive
 * numbers, so that a loss of 1e-13 a year is as exact as one of 0.1.
 */
export function yearsToLoss(chain: Chain): number {
  const rates = chain.map((transitions) => {
    const row = new Map<number, number>();
    for (const { rate, to } of transitions) row.set(to, (row.get(to) ?? 0) + rate);
    return row;
  });
  const time = rates.map(() => 1);
  for (let gone = rates.length - 1; gone > 0; gone--) {
    const out = [...(rates[gone] ?? [])].filter(([to]) => to < gone);
    const leaving = out.reduce((sum, [, rate]) => sum + rate, 0);
    for (const [from, row] of rates.slice(0, gone).entries()) {
      const into = row.get(gone);
      if (into === undefined) continue;
      row.delete(gone);
      for (const [to, rate] of out) if (to !== from) row.set(to, (row.get(to) ?? 0) + (into * rate) / leaving);
      time[from] = (time[from] ?? 0) + (into * (time[gone] ?? 0)) / leaving;
    }
  }
  return (time[0] ?? 0) / (rates[0]?.get(LOST) ?? 0);
}

const MAX_MEAN_STEPS = 1_000_000;

/** Of loss within some years from state 0, the beginning included, by uniformisation (Jensen 1953): again only positive numbers. */
export function lossFromStart(chain: Chain, years: number): number {
  const leaving = chain.map((transitions) => transitions.reduce((sum, { rate }) => sum + rate, 0));
  const pace = Math.max(...leaving);
  const mean = pace * years;
  // Repair that is so fast leaves no beginning to speak of.
  if (mean > MAX_MEAN_STEPS) return lossWithin(years, yearsToLoss(chain));
  const last = Math.ceil(mean + 12 * Math.sqrt(mean) + 60);
  let weight = -mean; // the logarithm of the Poisson distribution's term
  let at = chain.map((_, state): number => (state === 0 ? 1 : 0));
  let lost = 0;
  let sum = 0;
  for (let step = 1; step <= last; step++) {
    const next = at.map((probability, state) => probability * (1 - (leaving[state] ?? 0) / pace));
    for (const [state, transitions] of chain.entries()) {
      const here = at[state] ?? 0;
      for (const { rate, to } of transitions) {
        if (to === LOST) lost += (here * rate) / pace;
        else next[to] = (next[to] ?? 0) + (here * rate) / pace;
      }
    }
    at = next;
    weight += Math.log(mean / step);
    sum += Math.exp(weight) * lost;
  }
  return sum;
}
