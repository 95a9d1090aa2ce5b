/** Whose turn it is. Each class has a queue and a budget of its own; in it tenants get equal bytes, and a tenant's own requests go by when they are due. Pure. */
import { type BandwidthClass, bandwidthClasses } from './broker.ts';
import { heldBack, mostAtRisk } from './broker-outages.ts';
import { type BrokerState, type ClassClock, classBudget, leastOf, mostRate, type Reservation, sumOf } from './broker-state.ts';

/** In the order that they will be admitted in. What a pause stopped comes first, most work at risk before less. */
export function queueOf(state: BrokerState, kind: BandwidthClass): readonly Reservation[] {
  const inClass = state.reservations.filter((each) => each.class === kind && each.place !== 'admitted' && each.earliestMs <= state.nowMs);
  const interrupted = inClass.filter(({ place }) => place === 'interrupted').sort(mostAtRisk);
  const waiting = inClass.filter(({ place }) => place === 'waiting').sort((a, b) => a.dueMs - b.dueMs || a.epoch - b.epoch);
  const clock = state.clocks[kind];
  const tags = new Map<string, number>();
  const tagged = waiting.map((reservation) => {
    const start = tags.get(reservation.tenant) ?? tenantClock(clock, reservation.tenant);
    tags.set(reservation.tenant, start + reservation.remainingBytes);
    return { reservation, start };
  });
  return [...interrupted, ...tagged.sort((a, b) => a.start - b.start || a.reservation.epoch - b.reservation.epoch).map(({ reservation }) => reservation)];
}

const tenantClock = ({ bytes, tenants }: ClassClock, tenant: string): number => Math.max(bytes, tenants[tenant] ?? 0);

/** Admits from the head of each queue, as long as the floors of its class fit its budget. */
export function admit(state: BrokerState): BrokerState {
  if (state.isPaused || state.nowMs < state.opensAtMs) return state;
  const held = heldBack(state);
  return classesWithRoom(state).reduce((admitted, kind) => admitClass(admitted, kind, held), state);
}

/** Where somebody waits who may fit. One pass, for most events admit nobody, and then there is nothing to put in order. */
function classesWithRoom({ fabric, reservations }: BrokerState): BandwidthClass[] {
  const held = new Map<BandwidthClass, number>();
  const least = new Map<BandwidthClass, number>();
  for (const { class: kind, place, floorBytesPerSecond, leastBytesPerSecond } of reservations) {
    if (place === 'admitted') held.set(kind, (held.get(kind) ?? 0) + floorBytesPerSecond);
    else least.set(kind, Math.min(least.get(kind) ?? Infinity, leastBytesPerSecond));
  }
  return bandwidthClasses.filter((kind) => {
    const budget = classBudget(fabric, kind);
    return least.has(kind) && (held.get(kind) ?? 0) + Math.min(least.get(kind) ?? 0, budget) <= budget;
  });
}

function admitClass(state: BrokerState, kind: BandwidthClass, heldBackIds: ReadonlySet<string>): BrokerState {
  const budget = classBudget(state.fabric, kind);
  let held = sumOf(state.reservations, (each) => (each.class === kind ? each.floorBytesPerSecond : 0));
  let clock = state.clocks[kind];
  const floors = new Map<string, number>();
  for (const reservation of queueOf(state, kind)) {
    if (heldBackIds.has(reservation.requestId)) continue;
    // Nobody overtakes the head: what waits for much room gets it.
    if (held + leastOf(state.fabric, reservation) > budget) break;
    const floor = Math.min(floorOf(state, reservation), budget - held);
    held += floor;
    floors.set(reservation.requestId, floor);
    if (reservation.place === 'waiting') clock = charge(clock, reservation);
  }
  if (floors.size === 0) return state;
  const reservations = state.reservations.map((each): Reservation => {
    const floorBytesPerSecond = floors.get(each.requestId);
    return floorBytesPerSecond === undefined ? each : { ...each, place: 'admitted', floorBytesPerSecond };
  });
  const waiting = new Set(reservations.filter((each) => each.class === kind && each.place === 'waiting').map(({ tenant }) => tenant));
  return { ...state, reservations, clocks: { ...state.clocks, [kind]: pruned(clock, waiting) } };
}

/** At least its least useful rate; with a deadline, what meets it from now on. */
function floorOf({ nowMs, fabric }: BrokerState, reservation: Reservation): number {
  const { deadlineMs, remainingBytes } = reservation;
  const least = leastOf(fabric, reservation);
  if (deadlineMs === null || deadlineMs <= nowMs) return least;
  const needed = Math.ceil((remainingBytes * 1000) / (deadlineMs - nowMs));
  return Math.max(least, Math.min(needed, mostRate(fabric, reservation)));
}

function charge(clock: ClassClock, { tenant, remainingBytes }: Reservation): ClassClock {
  const start = tenantClock(clock, tenant);
  return { bytes: Math.max(clock.bytes, start), tenants: { ...clock.tenants, [tenant]: start + remainingBytes } };
}

/** Where nobody waits, nobody has been passed by, and all begin anew. A clock that is not ahead of its class's is the class's. */
function pruned({ bytes, tenants }: ClassClock, waiting: ReadonlySet<string>): ClassClock {
  if (waiting.size === 0) return { bytes: 0, tenants: {} };
  const ahead = Object.entries(tenants).filter(([, given]) => given > bytes);
  return { bytes, tenants: Object.fromEntries(ahead.sort(([, a], [, b]) => b - a).slice(0, MOST_CLOCKS)) };
}

/** Tenants of one class that are remembered as served ahead of others, the furthest ahead first; 40 bytes each. */
const MOST_CLOCKS = 500;
