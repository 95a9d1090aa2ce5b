/** What a broker knows between two events. Plain JSON, for it goes from one run of its workflow to the next. */
import { type BandwidthClass, bandwidthClasses, type ReserveRequest } from './broker.ts';
import type { FabricConfig } from './fabric.ts';

/** A rate that the holder was told, and until when it may send at it without another answer. */
export interface Told {
  readonly bytesPerSecond: number;
  readonly untilMs: number;
}

export interface Reservation {
  readonly requestId: string;
  readonly epoch: number;
  readonly class: BandwidthClass;
  readonly tenant: string;
  readonly bytes: number;
  readonly remainingBytes: number;
  readonly leastBytesPerSecond: number;
  /** Null where the requester named none. */
  readonly mostBytesPerSecond: number | null;
  readonly earliestMs: number;
  readonly deadlineMs: number | null;
  readonly atRiskSeconds: number;
  /** What it reads and writes; absent where the requester did not say. */
  readonly stores?: readonly string[];
  /** Between its last two renewals; absent before. */
  readonly usedBytesPerSecond?: number;
  readonly arrivedMs: number;
  /** Where it stands among its tenant's own. */
  readonly dueMs: number;
  /** interrupted: admitted once, and stopped by a pause of the fabric; or of a store that did not answer. These go by work at risk, before all others. */
  readonly place: 'waiting' | 'interrupted' | 'admitted';
  /** What is held for it as long as it is admitted; 0 before. */
  readonly floorBytesPerSecond: number;
  /** When it was first told a rate. */
  readonly startedMs: number | null;
  readonly answer: number;
  /** The last answer's. */
  readonly told: Told;
  /** The most of the answers before it that the holder has not yet shown to have left behind. */
  readonly before: Told;
  /** Silent past this, it is gone. */
  readonly renewByMs: number;
}

/** A reservation that is over; remembered so that a late repeat does not begin it anew. */
export interface Ended {
  readonly requestId: string;
  readonly epoch: number;
  readonly how: 'released' | 'expired';
}

/** A store that does not answer, or has just begun to. */
export interface Outage {
  readonly store: string;
  /** As the store's probe said. */
  readonly why: string;
  readonly sinceMs: number;
  /** Null until it answers again. */
  readonly answeredMs: number | null;
}

export interface BrokerState {
  readonly fabric: FabricConfig;
  readonly nowMs: number;
  /** Larger than any given before, also by an earlier broker of the fabric: it begins at the milliseconds since 1970. */
  readonly nextEpoch: number;
  /** Nothing is granted before: holders of an earlier broker may still send. */
  readonly opensAtMs: number;
  readonly isPaused: boolean;
  /** Where an operator has paused it; unknown where an earlier version did. */
  readonly pausedSinceMs?: number;
  readonly outages: readonly Outage[];
  readonly reservations: readonly Reservation[];
  readonly ended: readonly Ended[];
  /** Start-time fair queueing among the tenants of each class: bytes given, never behind the class's own clock. */
  readonly clocks: Readonly<Record<BandwidthClass, ClassClock>>;
}

export interface ClassClock {
  readonly bytes: number;
  readonly tenants: Readonly<Record<string, number>>;
}

/** Ids that are over and remembered: about half an hour of a fabric where one ends every two seconds, at some 100 bytes each. */
export const MOST_ENDED = 1000;

const noClocks = (): Record<BandwidthClass, ClassClock> => ({
  inference: { bytes: 0, tenants: {} },
  checkpoint: { bytes: 0, tenants: {} },
  drain: { bytes: 0, tenants: {} },
  stage: { bytes: 0, tenants: {} },
  scrub: { bytes: 0, tenants: {} },
});

export const nothingTold: Told = { bytesPerSecond: 0, untilMs: 0 };

/** A tenth more than holders are told, for clocks do not run alike: a holder has stopped before the broker counts on it. */
export const silenceMs = ({ leaseSeconds }: FabricConfig): number => leaseSeconds * 1100;

export function newBrokerState(fabric: FabricConfig, nowMs: number): BrokerState {
  return {
    fabric,
    nowMs,
    nextEpoch: nowMs,
    opensAtMs: nowMs + silenceMs(fabric),
    isPaused: false,
    outages: [],
    reservations: [],
    ended: [],
    clocks: noClocks(),
  };
}

/** What it could be given if it were alone. */
export const mostRate = (fabric: FabricConfig, { class: kind, mostBytesPerSecond }: Pick<Reservation, 'class' | 'mostBytesPerSecond'>): number =>
  Math.min(mostBytesPerSecond ?? Infinity, classCapacity(fabric, kind));

/** Less is of no use to it. What a smaller fabric can no longer hold for anybody is not waited for. */
export const leastOf = (fabric: FabricConfig, { class: kind, leastBytesPerSecond }: Pick<Reservation, 'class' | 'leastBytesPerSecond'>): number =>
  Math.min(leastBytesPerSecond, classBudget(fabric, kind));

export const isStage = ({ class: kind }: Pick<Reservation, 'class'>): boolean => kind === 'stage';
export const stageCapacity = ({ capacity, stagingShare }: FabricConfig): number => Math.floor(capacity * stagingShare);
export const classCapacity = (fabric: FabricConfig, kind: BandwidthClass): number => (kind === 'stage' ? stageCapacity(fabric) : fabric.capacity);

/** What a class may hold as floors: its share of the capacity by weight, so that no class waits for another one to end. */
export function classBudget(fabric: FabricConfig, kind: BandwidthClass): number {
  const weights = bandwidthClasses.reduce((sum, each) => sum + fabric.weights[each], 0);
  return Math.max(1, Math.min(Math.floor((fabric.capacity * fabric.weights[kind]) / weights), classCapacity(fabric, kind)));
}

/** The most that its holder may be sending at now, whichever of the answers have reached it. */
export function exposure({ told, before }: Pick<Reservation, 'told' | 'before'>, nowMs: number): number {
  return Math.max(told.untilMs > nowMs ? told.bytesPerSecond : 0, before.untilMs > nowMs ? before.bytesPerSecond : 0);
}

export const sumOf = <T>(items: readonly T[], value: (item: T) => number): number => items.reduce((sum, item) => sum + value(item), 0);

/** Of the capacity, where nobody says what is still useful: some fifty drains at once, each at a speed that ends it. */
const LEAST_SHARE = 1 / 400;

export function leastRate(fabric: FabricConfig, { class: kind, leastUsefulRate, mostUsefulRate = Infinity }: ReserveRequest): number {
  return leastUsefulRate ?? Math.max(1, Math.min(Math.floor(fabric.capacity * LEAST_SHARE), classBudget(fabric, kind), mostUsefulRate));
}
