/**
 * How likely an object is lost within a year: closed formulas. The chain they approximate is durability-chain.ts, the simulation durability-simulation.ts;
 * docs/durability.md has the sources, and what all of them leave out. Pure.
 */

/** Of a Julian year. Backblaze's own calculation counts 365 days. */
export const HOURS_PER_YEAR = 8766;

/**
 * serial: one rack is rebuilt after the other. parallel: all lost racks are rebuilt at once. window: what was lost is whole again at the end of each
 * window as long as a repair takes, as Backblaze calculates.
 */
export const repairs = ['serial', 'parallel', 'window'] as const;
export type Repair = (typeof repairs)[number];

/** Something that takes several racks of a room at once, such as its power. */
export interface RoomEvents {
  /** Of each room. */
  readonly perYear: number;
  /** Part of the room's racks that are lost for good each time, above 0 to 1. */
  readonly share: number;
}

export interface ShardModel {
  /** Shards in each room; their sum is all of an object's shards. */
  readonly shardsPerRoom: readonly number[];
  /** Shards that may be lost. */
  readonly parityShards: number;
  /** Failures of a rack in a year, for good: its AFR. */
  readonly failuresPerYear: number;
  readonly repairHours: number;
  readonly repair: Repair;
  readonly roomEvents?: RoomEvents | undefined;
}

export const shardsOf = ({ shardsPerRoom }: Pick<ShardModel, 'shardsPerRoom'>): number => shardsPerRoom.reduce((sum, shards) => sum + shards, 0);
export const repairsPerYear = ({ repairHours }: Pick<ShardModel, 'repairHours'>): number => HOURS_PER_YEAR / repairHours;

/**
 * Years until an object is lost where repair is much faster than failure, L failures and M repairs a year: M^m / (n (n-1) ... (n-m) L^(m+1)) with serial
 * repair, m! times as long with parallel repair. Room events are not in it.
 */
export function approximateYearsToLoss(model: ShardModel): number {
  const { parityShards, failuresPerYear, repair } = model;
  let losing = 1;
  let mending = 1;
  for (let lost = 0; lost <= parityShards; lost++) {
    losing *= (shardsOf(model) - lost) * failuresPerYear;
    if (lost > 0) mending *= repairsPerYear(model) * (repair === 'parallel' ? lost : 1);
  }
  return mending / losing;
}

/** Of losing an object within some years when the mean time to its loss is known, and repair is much faster than that. */
export const lossWithin = (years: number, yearsToLoss: number): number => -Math.expm1(-years / yearsToLoss);

export const nines = (probability: number): number => -Math.log10(probability);

const WINDOW_YEAR_HOURS = 8760;

export const windowsPerYear = ({ repairHours }: Pick<ShardModel, 'repairHours'>): number => WINDOW_YEAR_HOURS / repairHours;
/** That a rack fails within one window. */
export const failsInWindow = (model: Pick<ShardModel, 'failuresPerYear' | 'repairHours'>): number => model.failuresPerYear / windowsPerYear(model);

/** That more than m of n racks fail within one window: the tail of the binomial distribution. */
export function lossInWindow(model: ShardModel): number {
  const shards = shardsOf(model);
  const fails = failsInWindow(model);
  let tail = 0;
  for (let lost = shards; lost > model.parityShards; lost--) tail += binomial(shards, lost) * fails ** lost * (1 - fails) ** (shards - lost);
  return tail;
}

/** With windows that know nothing of each other. */
export const windowLossWithin = (years: number, model: ShardModel): number => -Math.expm1(years * windowsPerYear(model) * Math.log1p(-lossInWindow(model)));

export function binomial(all: number, chosen: number): number {
  let ways = 1;
  for (let taken = 1; taken <= chosen; taken++) ways = (ways * (all - chosen + taken)) / taken;
  return ways;
}
