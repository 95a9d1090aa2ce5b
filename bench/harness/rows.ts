/** What a benchmark says: a figure of ours, a peer's, how they compare and whether that is the goal. */

export interface Row {
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly ours: number | null;
  readonly peer: number | null;
  readonly peerName: string | null;
  /** ours / peer. */
  readonly ratio: number | null;
  /** Such as ">= 1.5" for the ratio or "<= 200 MB" for ours alone; null where the row only informs. */
  readonly goal: string | null;
  readonly met: boolean | null;
}

/** Without a unit it is held to the ratio, with one to our own figure. */
export interface Goal {
  readonly comparison: '>=' | '<=';
  readonly limit: number;
  readonly unit?: string;
}

/** What a process may hold at any size of data. */
export const PEAK_RSS_GOAL: Goal = { comparison: '<=', limit: 200, unit: 'MB' };

export function row(figures: Pick<Row, 'case' | 'metric' | 'unit'> & { ours?: number; peer?: number; peerName?: string; goal?: Goal }): Row {
  const { ours, peer, goal } = figures;
  const ratio = ours === undefined || peer === undefined || peer === 0 ? undefined : ours / peer;
  const held = goal?.unit === undefined ? ratio : ours;
  return {
    case: figures.case,
    metric: figures.metric,
    unit: figures.unit,
    ours: rounded(ours),
    peer: rounded(peer),
    peerName: figures.peerName ?? null,
    ratio: rounded(ratio),
    goal: goal ? [goal.comparison, goal.limit, ...(goal.unit ? [goal.unit] : [])].join(' ') : null,
    met: goal && held !== undefined ? (goal.comparison === '>=' ? held >= goal.limit : held <= goal.limit) : null,
  };
}

/** @throws where there is none */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new Error('no median of nothing');
  return (low + high) / 2;
}

/** Four digits say more than any of these measurements can hold. */
const rounded = (value: number | undefined): number | null => (value === undefined ? null : Number(value.toPrecision(4)));
