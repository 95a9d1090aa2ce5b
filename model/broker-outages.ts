/** Stores that do not answer: who uses one has no window until it does, and then they begin one after the other, those with most work at risk first. Pure. */
import type { BrokerState, Outage, Reservation } from './broker-state.ts';

/** A store that has just come back is used by one, and by twice as many with every second. */
const STEP_MS = 1000;
/** 2^11 are more than a broker has reservations. */
const RETURN_MS = 11 * STEP_MS;

export const mostAtRisk = (a: Reservation, b: Reservation): number => b.atRiskSeconds - a.atRiskSeconds || a.epoch - b.epoch;

const uses = ({ stores = [] }: { readonly stores?: readonly string[] | undefined }, store: string): boolean => stores.includes(store);

export const isOut = (outages: readonly Outage[], reservation: { readonly stores?: readonly string[] | undefined }): boolean =>
  outages.some(({ store, answeredMs }) => answeredMs === null && uses(reservation, store));

/** Its floor is given anew. */
export const stopped = (reservation: Reservation): Reservation => ({ ...reservation, place: 'interrupted', floorBytesPerSecond: 0 });

/** Its users stop at their next renewal, and keep their places; waiting or not, they are all in the order of work at risk from now on. */
export function withOutage(state: BrokerState, store: string, why: string): BrokerState {
  const known = state.outages.find((each) => each.store === store);
  if (known?.answeredMs === null) return state;
  const outage: Outage = { store, why, sinceMs: state.nowMs, answeredMs: null };
  return {
    ...state,
    outages: [...state.outages.filter((each) => each.store !== store), outage],
    reservations: state.reservations.map((each) => (uses(each, store) ? stopped(each) : each)),
  };
}

export function withAnswer(state: BrokerState, store: string): BrokerState {
  const answered = (each: Outage): Outage => (each.store === store && each.answeredMs === null ? { ...each, answeredMs: state.nowMs } : each);
  return { ...state, outages: state.outages.map(answered) };
}

/** Forgets outages whose users have all begun again. */
export function withoutPast(state: BrokerState): BrokerState {
  const isPast = ({ answeredMs }: Outage): boolean => answeredMs !== null && state.nowMs - answeredMs >= RETURN_MS;
  return state.outages.some(isPast) ? { ...state, outages: state.outages.filter((each) => !isPast(each)) } : state;
}

/** Who may not be admitted now, by request id. */
export function heldBack({ outages, reservations, nowMs }: BrokerState): ReadonlySet<string> {
  const held = new Set<string>();
  for (const { store, answeredMs } of outages) {
    const users = reservations.filter((each) => uses(each, store));
    const waiting = users.filter(({ place, earliestMs }) => place !== 'admitted' && earliestMs <= nowMs).sort(mostAtRisk);
    const room = mostAtOnce(answeredMs, nowMs) - users.filter(({ place }) => place === 'admitted').length;
    for (const { requestId } of waiting.slice(Math.max(0, room))) held.add(requestId);
  }
  return held;
}

const mostAtOnce = (answeredMs: number | null, nowMs: number): number => (answeredMs === null ? 0 : 2 ** Math.floor((nowMs - answeredMs) / STEP_MS));
