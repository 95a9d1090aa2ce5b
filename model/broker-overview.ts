/** What operators see of a broker: per class how many wait and hold, and what is sent at most. */
import { type BandwidthClass, bandwidthClasses } from './broker.ts';
import { type BrokerState, exposure, type Reservation } from './broker-state.ts';
import { formatBandwidth, formatBytes } from './quantity.ts';

export interface BrokerTotals {
  readonly state: 'beginning' | 'open' | 'paused';
  readonly capacityBytesPerSecond: number;
  /** The most that all holders together may be sending now. */
  readonly heldBytesPerSecond: number;
  readonly classes: readonly ClassTotals[];
}
export interface BrokerOverview extends BrokerTotals {
  /** Those that may send most, and those that wait longest; a few of each. */
  readonly holders: readonly HolderOverview[];
  readonly waiting: readonly HolderOverview[];
}
export interface ClassTotals {
  readonly class: BandwidthClass;
  readonly holding: number;
  readonly waiting: number;
  readonly bytesPerSecond: number;
  readonly remainingBytes: number;
}
export interface HolderOverview {
  readonly requestId: string;
  readonly class: BandwidthClass;
  readonly tenant: string;
  readonly bytesPerSecond: number;
  readonly remainingBytes: number;
  readonly since: string;
}

const SHOWN = 20;

export function overviewOf(state: BrokerState): BrokerOverview {
  const { nowMs, reservations } = state;
  const rate = (each: Reservation): number => exposure(each, nowMs);
  const shown = (each: Reservation): HolderOverview => {
    const { requestId, class: kind, tenant, remainingBytes, startedMs, arrivedMs } = each;
    return { requestId, class: kind, tenant, bytesPerSecond: rate(each), remainingBytes, since: new Date(startedMs ?? arrivedMs).toISOString() };
  };
  const holders = reservations.filter((each) => rate(each) > 0).sort((a, b) => rate(b) - rate(a));
  const waiting = reservations.filter((each) => rate(each) === 0).sort((a, b) => a.arrivedMs - b.arrivedMs);
  return { ...totalsOf(state), holders: holders.slice(0, SHOWN).map(shown), waiting: waiting.slice(0, SHOWN).map(shown) };
}

/** In one pass, for it is shown after each event. */
export function totalsOf({ nowMs, opensAtMs, isPaused, fabric, reservations }: BrokerState): BrokerTotals {
  const classes = new Map(bandwidthClasses.map((kind) => [kind, { class: kind, holding: 0, waiting: 0, bytesPerSecond: 0, remainingBytes: 0 }]));
  let heldBytesPerSecond = 0;
  for (const each of reservations) {
    const ofClass = classes.get(each.class);
    const rate = exposure(each, nowMs);
    heldBytesPerSecond += rate;
    if (!ofClass) continue;
    if (rate > 0) ofClass.holding++;
    else ofClass.waiting++;
    ofClass.bytesPerSecond += rate;
    ofClass.remainingBytes += each.remainingBytes;
  }
  const state = isPaused ? 'paused' : nowMs < opensAtMs ? 'beginning' : 'open';
  return { state, capacityBytesPerSecond: fabric.capacity, heldBytesPerSecond, classes: [...classes.values()] };
}

/** Markdown for the workflow's page. */
export function renderTotals({ state, capacityBytesPerSecond, heldBytesPerSecond, classes }: BrokerTotals): string {
  const used = classes.filter(({ holding, waiting }) => holding + waiting > 0);
  const lines = used.map(
    ({ class: kind, holding, waiting, bytesPerSecond, remainingBytes }) =>
      `- ${kind}: ${holding} at ${formatBandwidth(bytesPerSecond)}, ${waiting} waiting, ${formatBytes(remainingBytes)} to move`,
  );
  return [`**${state}**, ${formatBandwidth(heldBytesPerSecond)} of ${formatBandwidth(capacityBytesPerSecond)} given`, '', ...lines].join('\n');
}
