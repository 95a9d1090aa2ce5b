/** A run of the demotion policy: what goes between its workflow, its activities and whoever asks. References and counts, never lists of files. */
import type { UpperTier } from './demotion-rules.ts';
import { type StayReason, stayReasons } from './demotion-verdict.ts';
import type { Location } from './location.ts';
import type { ManifestRef } from './manifest.ts';
import type { Counts } from './transfer.ts';

/** The schedule's id; the workflows that it starts have it at the beginning of theirs. */
export const DEMOTION_SCHEDULE_ID = 'demotion-policy';

/** Where the listing goes on: in the order of tiers, buckets and paths. */
export interface DemotionCursor {
  readonly tier: UpperTier;
  /** Absent: the tier's first. */
  readonly bucket?: string;
  readonly after?: string;
}

export interface ListDemotionRequest {
  readonly cursor: DemotionCursor;
  /** ISO instant that ages are counted to: the run's beginning. */
  readonly now: string;
  /** Counted from 0: names what is listed. */
  readonly part: number;
}

/** What goes from one place to another. */
export interface DemotionMove {
  readonly manifest: ManifestRef;
  readonly source: Location;
  readonly target: Location;
}

export interface ListedDemotion {
  /** One for each tier that something goes to. */
  readonly moves: readonly DemotionMove[];
  readonly looked: Counts;
  /** Files that stay, by reason; those that are merely young or without a rule too. */
  readonly stayed: Readonly<Partial<Record<StayReason, number>>>;
  /** Absent at the end. */
  readonly next?: DemotionCursor;
}

/** A file that was to move and stays. */
export interface Kept {
  /** "TIER: BUCKET/PATH". */
  readonly file: string;
  readonly reason: string;
}

export interface RemovedAnswer {
  readonly removed: Counts;
  readonly keptCount: number;
  /** The first {@link KEPT_SHOWN}. */
  readonly kept: readonly Kept[];
}

export const KEPT_SHOWN = 20;

export interface DemotionResult {
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly looked: Counts;
  readonly moved: Counts;
  readonly stayed: ListedDemotion['stayed'];
  /** Files that a rule took and that stay all the same: changed, in use by then, refused by a store. */
  readonly keptCount: number;
  readonly kept: readonly Kept[];
}

export const emptyResult = (startedAt: string): DemotionResult => ({
  startedAt,
  looked: nothing,
  moved: nothing,
  stayed: {},
  keptCount: 0,
  kept: [],
});

export const nothing: Counts = { files: 0, bytes: 0 };

export const plus = (one: Counts, { files, bytes }: Counts): Counts => ({ files: one.files + files, bytes: one.bytes + bytes });

export const withListed = (result: DemotionResult, { looked, stayed }: Pick<ListedDemotion, 'looked' | 'stayed'>): DemotionResult => ({
  ...result,
  looked: plus(result.looked, looked),
  stayed: addStayed(result.stayed, stayed),
});

export const withMoved = (result: DemotionResult, { removed, keptCount, kept }: RemovedAnswer): DemotionResult => ({
  ...result,
  moved: plus(result.moved, removed),
  keptCount: result.keptCount + keptCount,
  kept: [...result.kept, ...kept].slice(0, KEPT_SHOWN),
});

export function addStayed(one: ListedDemotion['stayed'], other: ListedDemotion['stayed']): ListedDemotion['stayed'] {
  const sum: Partial<Record<StayReason, number>> = { ...one };
  for (const reason of stayReasons) {
    const count = (one[reason] ?? 0) + (other[reason] ?? 0);
    if (count > 0) sum[reason] = count;
  }
  return sum;
}

/** The allocations that may hold data, by Temporal's visibility. */
export const RUNNING_ALLOCATIONS = "WorkflowType = 'allocation' AND ExecutionStatus = 'Running'";
