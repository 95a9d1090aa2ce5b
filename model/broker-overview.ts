/** What operators see of a broker: per class and tenant what is reserved, granted, used and waited for, and what holds it up. */
import { type BandwidthClass, bandwidthClasses } from './broker.ts';
import { type BrokerState, exposure, type Outage, type Reservation } from './broker-state.ts';
import { formatBandwidth, formatBytes } from './quantity.ts';

/** What is optional, a broker of an earlier version does not tell. */
export interface BrokerTotals {
  readonly state: 'beginning' | 'open' | 'paused';
  /** Of a pause by an operator. */
  readonly pausedSince?: string;
  readonly capacityBytesPerSecond: number;
  /** The most that all holders together may be sending now. */
  readonly heldBytesPerSecond: number;
  /** Stores that do not answer, or have just begun to: their users wait, or begin one after the other. */
  readonly outages?: readonly OutageOverview[];
  readonly classes: readonly ClassTotals[];
}
export interface BrokerOverview extends BrokerTotals {
  /** Those that may send most first; so many at most as are worth a screen. */
  readonly tenants?: readonly TenantTotals[];
  /** Those that may send most, and those that wait longest; a few of each. */
  readonly holders: readonly HolderOverview[];
  readonly waiting: readonly HolderOverview[];
}
export interface Totals {
  readonly holding: number;
  readonly waiting: number;
  /** The most that they may be sending now. */
  readonly bytesPerSecond: number;
  /** What is held for them until they end, whatever comes. */
  readonly reservedBytesPerSecond?: number;
  /** What they have sent, by their last renewals. */
  readonly usedBytesPerSecond?: number;
  readonly remainingBytes: number;
  /** Since when the one that has waited longest waits; absent where none does. */
  readonly oldestWaiter?: string;
}
export interface ClassTotals extends Totals {
  readonly class: BandwidthClass;
}
export interface TenantTotals extends ClassTotals {
  readonly tenant: string;
}
export interface OutageOverview {
  readonly store: string;
  readonly why: string;
  readonly since: string;
  /** Absent while it does not answer. */
  readonly answersSince?: string;
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
const TENANTS_SHOWN = 50;

export function overviewOf(state: BrokerState): BrokerOverview {
  const { nowMs, reservations } = state;
  const rate = (each: Reservation): number => exposure(each, nowMs);
  const shown = (each: Reservation): HolderOverview => {
    const { requestId, class: kind, tenant, remainingBytes, startedMs, arrivedMs } = each;
    return { requestId, class: kind, tenant, bytesPerSecond: rate(each), remainingBytes, since: instant(startedMs ?? arrivedMs) };
  };
  const holders = reservations.filter((each) => rate(each) > 0).sort((a, b) => rate(b) - rate(a));
  const waiting = reservations.filter((each) => rate(each) === 0).sort((a, b) => a.arrivedMs - b.arrivedMs);
  const tenants = tenantTotals(state).slice(0, TENANTS_SHOWN);
  return { ...totalsOf(state), tenants, holders: holders.slice(0, SHOWN).map(shown), waiting: waiting.slice(0, SHOWN).map(shown) };
}

/** In one pass, for it is shown after each event. */
export function totalsOf(state: BrokerState): BrokerTotals {
  const { nowMs, opensAtMs, isPaused, pausedSinceMs, fabric, reservations, outages } = state;
  const sums = new Map(bandwidthClasses.map((kind) => [kind, newSum()]));
  for (const each of reservations) add(sums.get(each.class), each, nowMs);
  return {
    state: isPaused ? 'paused' : nowMs < opensAtMs ? 'beginning' : 'open',
    ...(isPaused && pausedSinceMs !== undefined ? { pausedSince: instant(pausedSinceMs) } : {}),
    capacityBytesPerSecond: fabric.capacity,
    heldBytesPerSecond: [...sums.values()].reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0),
    outages: outages.map(outageOverview),
    classes: [...sums].map(([kind, sum]) => ({ class: kind, ...totals(sum) })),
  };
}

/** Of every tenant, class by class. */
export function tenantTotals({ nowMs, reservations }: BrokerState): TenantTotals[] {
  const groups = Map.groupBy(reservations, (each) => `${each.class} ${each.tenant}`);
  const found = [...groups.values()].flatMap((ofTenant) => {
    const [first] = ofTenant;
    const sum = newSum();
    for (const each of ofTenant) add(sum, each, nowMs);
    return first ? [{ class: first.class, tenant: first.tenant, ...totals(sum) }] : [];
  });
  return found.sort((a, b) => b.bytesPerSecond - a.bytesPerSecond || b.waiting - a.waiting);
}

interface Sum {
  holding: number;
  waiting: number;
  bytesPerSecond: number;
  reservedBytesPerSecond: number;
  usedBytesPerSecond: number;
  remainingBytes: number;
  oldestMs: number;
}

const newSum = (): Sum => ({
  holding: 0,
  waiting: 0,
  bytesPerSecond: 0,
  reservedBytesPerSecond: 0,
  usedBytesPerSecond: 0,
  remainingBytes: 0,
  oldestMs: Infinity,
});

function add(sum: Sum | undefined, each: Reservation, nowMs: number): void {
  if (!sum) return;
  const rate = exposure(each, nowMs);
  if (rate > 0) sum.holding++;
  else {
    sum.waiting++;
    sum.oldestMs = Math.min(sum.oldestMs, each.arrivedMs);
  }
  sum.bytesPerSecond += rate;
  sum.reservedBytesPerSecond += each.floorBytesPerSecond;
  sum.usedBytesPerSecond += each.usedBytesPerSecond ?? 0;
  sum.remainingBytes += each.remainingBytes;
}

const totals = ({ oldestMs, ...sum }: Sum): Totals => ({ ...sum, ...(oldestMs === Infinity ? {} : { oldestWaiter: instant(oldestMs) }) });

const outageOverview = ({ store, why, sinceMs, answeredMs }: Outage): OutageOverview => ({
  store,
  why,
  since: instant(sinceMs),
  ...(answeredMs === null ? {} : { answersSince: instant(answeredMs) }),
});

const instant = (ms: number): string => new Date(ms).toISOString();

/** Markdown for the workflow's page. */
export function renderTotals({ state, pausedSince, capacityBytesPerSecond, heldBytesPerSecond, outages = [], classes }: BrokerTotals): string {
  const used = classes.filter(({ holding, waiting }) => holding + waiting > 0);
  const lines = used.map(
    ({ class: kind, holding, waiting, bytesPerSecond, remainingBytes }) =>
      `- ${kind}: ${holding} at ${formatBandwidth(bytesPerSecond)}, ${waiting} waiting, ${formatBytes(remainingBytes)} to move`,
  );
  const since = pausedSince === undefined ? '' : ` since ${pausedSince}`;
  const given = `**${state}**${since}, ${formatBandwidth(heldBytesPerSecond)} of ${formatBandwidth(capacityBytesPerSecond)} given`;
  return [given, '', ...outages.map(renderOutage), ...lines].join('\n');
}

export const renderOutage = ({ store, why, since, answersSince }: OutageOverview): string =>
  answersSince === undefined
    ? `- **${store} does not answer** since ${since}; its windows wait until it does: ${why}`
    : `- ${store} answers again since ${answersSince}; its windows begin one after the other`;
