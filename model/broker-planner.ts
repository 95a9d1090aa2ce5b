/**
 * The bandwidth broker as a function: a state and an event in, the next state and the answer out. No clock, no chance, no Temporal: the same events give the same
 * answers. docs/decisions/0026-bandwidth-broker.md argues why the rates that holders may send at never pass the capacity.
 */
import type { LeaseToken, RenewRequest, ReserveRequest, Standing } from './broker.ts';
import { isRepeat, letIn } from './broker-door.ts';
import { isOut, stopped, withAnswer, withOutage, withoutPast } from './broker-outages.ts';
import { admit, queueOf } from './broker-queue.ts';
import { shares } from './broker-shares.ts';
import {
  type BrokerState,
  type Ended,
  exposure,
  isStage,
  leastOf,
  MOST_ENDED,
  nothingTold,
  type Reservation,
  silenceMs,
  stageCapacity,
  sumOf,
} from './broker-state.ts';
import type { FabricConfig } from './fabric.ts';

export type BrokerRequest = { readonly nowMs: number } & (
  | { readonly kind: 'reserve'; readonly request: ReserveRequest }
  | { readonly kind: 'renew'; readonly request: RenewRequest }
  | { readonly kind: 'release'; readonly request: LeaseToken }
);
/** Without a requester. */
export type BrokerChange = { readonly nowMs: number } & (
  | { readonly kind: 'pause' | 'resume' | 'tick' }
  /** A store was asked and did not answer; or it did, after that. */
  | { readonly kind: 'outage'; readonly store: string; readonly why: string }
  | { readonly kind: 'answer'; readonly store: string }
  /** The site file has changed; what was told before holds until it is renewed or over. */
  | { readonly kind: 'configure'; readonly fabric: FabricConfig }
);
export interface Answered {
  readonly state: BrokerState;
  readonly answer: Standing;
}

export function answerTo(before: BrokerState, event: BrokerRequest): Answered {
  const state = at(before, event.nowMs);
  switch (event.kind) {
    case 'reserve':
      return reserve(state, event.request);
    case 'renew':
      return renew(state, event.request);
    case 'release':
      return release(state, event.request);
    default:
      return event satisfies never;
  }
}

export function changed(before: BrokerState, event: BrokerChange): BrokerState {
  const state = at(before, event.nowMs);
  switch (event.kind) {
    case 'pause':
      return interrupted(state.isPaused ? state : { ...state, isPaused: true, pausedSinceMs: state.nowMs });
    case 'resume':
      return admit({ ...state, isPaused: false });
    case 'outage':
      return withOutage(state, event.store, event.why);
    case 'answer':
      return admit(withAnswer(state, event.store));
    case 'configure':
      return isSameFabric(state.fabric, event.fabric) ? admit(state) : admit(interrupted({ ...state, fabric: event.fabric }));
    case 'tick':
      return admit(state);
    default:
      return event satisfies never;
  }
}

const at = (before: BrokerState, nowMs: number): BrokerState => withoutPast(expire({ ...before, nowMs: Math.max(before.nowMs, nowMs) }));

/** The next moment at which time alone changes something; undefined where nothing is reserved. */
export function wakeAtMs({ reservations }: BrokerState): number | undefined {
  return reservations.length === 0 ? undefined : Math.min(...reservations.map(({ renewByMs }) => renewByMs));
}

function reserve(state: BrokerState, request: ReserveRequest): Answered {
  const { requestId } = request;
  const known = state.reservations.find((each) => each.requestId === requestId);
  if (known) return isRepeat(state, known, request) ? tell(admit(state), known) : { state, answer: idUsed(requestId, 'is of another reservation') };
  const over = state.ended.find((each) => each.requestId === requestId);
  if (over) return { state, answer: idUsed(requestId, `was ${over.how}`) };
  const entered = letIn(state, request);
  return 'refused' in entered ? { state, answer: entered.refused } : tell(admit(entered.state), entered.reservation);
}

function idUsed(requestId: string, how: string): Standing {
  return { kind: 'refused', requestId, reason: 'RequestIdUsed', message: `${requestId} ${how}.`, nextStep: 'Reserve under a new id.' };
}

function renew(state: BrokerState, request: RenewRequest): Answered {
  const known = heldBy(state, request);
  if (!known) return { state, answer: lost(state, request) };
  const remainingBytes = Math.min(known.remainingBytes, request.remainingBytes ?? known.remainingBytes);
  // Only the last answer says what is sent at from now on: whoever has an older one may never see those after it.
  const renewed: Reservation = {
    ...known,
    ...usedSince(state, known, remainingBytes),
    remainingBytes,
    before: request.answer === known.answer ? nothingTold : known.before,
  };
  return tell(admit(replace(state, renewed)), renewed);
}

function usedSince({ nowMs, fabric }: BrokerState, known: Reservation, remainingBytes: number): Pick<Reservation, 'usedBytesPerSecond'> {
  const elapsedMs = nowMs - (known.renewByMs - silenceMs(fabric));
  return elapsedMs > 0 ? { usedBytesPerSecond: Math.round(((known.remainingBytes - remainingBytes) * 1000) / elapsedMs) } : {};
}

function release(state: BrokerState, request: LeaseToken): Answered {
  const { requestId, epoch } = request;
  const known = heldBy(state, request);
  if (known) return { state: admit(end(state, [known], 'released')), answer: { kind: 'released', requestId } };
  const wasReleased = state.ended.some((each) => each.requestId === requestId && each.epoch === epoch && each.how === 'released');
  return { state, answer: wasReleased ? { kind: 'released', requestId } : lost(state, request) };
}

const heldBy = ({ reservations }: BrokerState, { requestId, epoch }: LeaseToken): Reservation | undefined =>
  reservations.find((each) => each.requestId === requestId && each.epoch === epoch);

function lost({ ended }: BrokerState, { requestId, epoch }: LeaseToken): Standing {
  const over = ended.find((each) => each.requestId === requestId && each.epoch === epoch);
  const message = over ? `the lease of ${requestId} was ${over.how}.` : `${requestId} holds no lease of epoch ${epoch}.`;
  return { kind: 'lost', requestId, message, nextStep: 'Stop sending; reserve under a new id.' };
}

/** Tells one holder its rate. A rise is given only from what all others have left for certain. */
function tell(state: BrokerState, known: Reservation): Answered {
  const asking = state.reservations.find(({ requestId }) => requestId === known.requestId) ?? known;
  const { nowMs, fabric } = state;
  const bytesPerSecond = rateFor(state, asking);
  const renewByMs = nowMs + silenceMs(fabric);
  const next: Reservation = {
    ...asking,
    answer: asking.answer + 1,
    startedMs: asking.startedMs ?? (bytesPerSecond > 0 ? nowMs : null),
    before: { bytesPerSecond: exposure(asking, nowMs), untilMs: Math.max(asking.told.untilMs, asking.before.untilMs) },
    told: { bytesPerSecond, untilMs: renewByMs },
    renewByMs,
  };
  return { state: replace(state, next), answer: standingOf(state, next) };
}

function rateFor(state: BrokerState, asking: Reservation): number {
  if (asking.place !== 'admitted' || state.isPaused) return 0;
  const { fabric, nowMs } = state;
  const others = state.reservations.filter((each) => each !== asking);
  const sent = (each: Reservation): number => exposure(each, nowMs);
  const room = Math.min(fabric.capacity - sumOf(others, sent), isStage(asking) ? stageCapacity(fabric) - sumOf(others.filter(isStage), sent) : Infinity);
  const admitted = state.reservations.filter(({ place }) => place === 'admitted');
  const rate = Math.min(room, shares(admitted, fabric).get(asking.requestId) ?? 0);
  return rate < leastOf(fabric, asking) ? 0 : rate;
}

function standingOf(state: BrokerState, { requestId, epoch, answer: number, told, startedMs, remainingBytes, ...known }: Reservation): Standing {
  const { nowMs, fabric } = state;
  const { bytesPerSecond } = told;
  const lease = { requestId, epoch, answer: number };
  const renewMilliseconds = fabric.leaseSeconds * RENEW_SHARE_MS;
  if (bytesPerSecond > 0) {
    const startAt = new Date(startedMs ?? nowMs).toISOString();
    const endAt = new Date(nowMs + Math.min(LONGEST_MS, Math.ceil((remainingBytes * 1000) / bytesPerSecond))).toISOString();
    return { kind: 'window', ...lease, bytesPerSecond, startAt, endAt, validMilliseconds: fabric.leaseSeconds * 1000, renewMilliseconds };
  }
  const inQueue = (): number => {
    const queue = queueOf(state, known.class).map((each) => each.requestId);
    return 1 + (queue.includes(requestId) ? queue.indexOf(requestId) : queue.length);
  };
  if (state.isPaused) return { kind: 'queued', ...lease, position: inQueue(), reason: 'the fabric is paused', renewMilliseconds };
  if (nowMs < state.opensAtMs) return { kind: 'queued', ...lease, position: inQueue(), reason: 'the broker has just begun', renewMilliseconds };
  if (isOut(state.outages, known)) return { kind: 'queued', ...lease, position: inQueue(), reason: 'a store does not answer', renewMilliseconds };
  if (known.place === 'admitted') return { kind: 'queued', ...lease, position: 0, reason: 'others still send', renewMilliseconds };
  const reason = known.earliestMs > nowMs ? 'not before its earliest' : 'earlier requests';
  return { kind: 'queued', ...lease, position: inQueue(), reason, renewMilliseconds };
}

/** Twice in a lease a renewal may be lost. */
const RENEW_SHARE_MS = 300;
/** An end that lies further off is not worth a date. */
const LONGEST_MS = 10 * 365 * 86_400_000;

/** Floors are given anew, out of what there is then. */
function interrupted(state: BrokerState): BrokerState {
  return { ...state, reservations: state.reservations.map((each) => (each.place === 'admitted' ? stopped(each) : each)) };
}

/** Both come from one schema, so their fields are in one order. */
const isSameFabric = (one: FabricConfig, other: FabricConfig): boolean => JSON.stringify(one) === JSON.stringify(other);

function replace(state: BrokerState, next: Reservation): BrokerState {
  return { ...state, reservations: state.reservations.map((each) => (each.requestId === next.requestId ? next : each)) };
}

function expire(state: BrokerState): BrokerState {
  const silent = state.reservations.filter(({ renewByMs }) => renewByMs <= state.nowMs);
  return silent.length === 0 ? state : end(state, silent, 'expired');
}

function end(state: BrokerState, over: readonly Reservation[], how: Ended['how']): BrokerState {
  const gone = new Set(over);
  const ended = [...state.ended, ...over.map(({ requestId, epoch }) => ({ requestId, epoch, how }))].slice(-MOST_ENDED);
  return { ...state, ended, reservations: state.reservations.filter((each) => !gone.has(each)) };
}
