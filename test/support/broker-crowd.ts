/** A broker among holders that may not be trusted: messages are lost, late and repeated, holders die while they send, clocks drift, the broker is killed. What each may be sending is kept outside of the broker. */
import assert from 'node:assert/strict';
import { type RenewRequest, type ReserveInput, ReserveSchema, type Standing } from '../../model/broker.ts';
import { answerTo, type BrokerChange, type BrokerRequest, changed } from '../../model/broker-planner.ts';
import { type BrokerState, newBrokerState, silenceMs, stageCapacity, sumOf } from '../../model/broker-state.ts';
import { FabricSchema } from '../../model/fabric.ts';

export const CAPACITY = 1_000_000;
export const LEASE_MS = 10_000;
export const fabric = FabricSchema.parse({ capacity: CAPACITY, leaseSeconds: LEASE_MS / 1000, mostReservations: 40 });

export interface Step {
  readonly afterMs: number;
  readonly act: 'reserve' | 'renew' | 'release' | 'late' | 'repeat' | 'pause' | 'resume' | 'tick' | 'kill' | 'stale' | 'resize' | 'outage' | 'answer';
  readonly who: number;
  /** Of the answer; a lost request is a step that was not drawn. */
  readonly isLost: boolean;
  readonly wish: Pick<ReserveInput, 'class' | 'tenant' | 'bytes' | 'leastUsefulRate' | 'mostUsefulRate' | 'atRiskSeconds' | 'stores'> & {
    readonly deadlineMs?: number;
  };
}

export interface Holder {
  readonly id: string;
  readonly isStage: boolean;
  /** Its own clock's seconds in ours. */
  readonly drift: number;
  answer: number;
  epoch: number;
  rate: number;
  validUntilMs: number;
  isOver: boolean;
}

interface Sent {
  readonly holder: Holder;
  readonly atMs: number;
  readonly request: BrokerRequest;
}

export interface Crowd {
  nowMs: number;
  state: BrokerState;
  /** When the site file last gave it another capacity. */
  resizedMs: number;
  readonly holders: Holder[];
  readonly late: Sent[];
  readonly answers: Standing[];
  count: number;
  /** Told what reached the broker, and what it answered. */
  readonly onEvent: (event: BrokerRequest | BrokerChange, answer?: Standing) => void;
}

export const STORES = ['racks', 'hot'] as const;
const storeOf = ({ who }: Step): string => STORES[who % STORES.length] ?? 'racks';

const START_MS = 1_000_000;
export const newCrowd = (onEvent: Crowd['onEvent'] = () => undefined): Crowd => ({
  nowMs: START_MS,
  resizedMs: 0,
  state: { ...newBrokerState(fabric, START_MS), opensAtMs: START_MS },
  holders: [],
  late: [],
  answers: [],
  count: 0,
  onEvent,
});

export const sending = ({ rate, validUntilMs }: Holder, nowMs: number): number => (validUntilMs > nowMs ? rate : 0);

/** @returns the most that holders may be sending now @throws where it is more than the fabric carries, or staging more than its part */
export function requireWithinCapacity({ holders, nowMs, state, resizedMs }: Crowd): number {
  const carries = nowMs > resizedMs + silenceMs(fabric) ? state.fabric : fabric;
  const sent = (some: readonly Holder[]): number => sumOf(some, (each) => sending(each, nowMs));
  const staging = sent(holders.filter(({ isStage }) => isStage));
  assert.ok(sent(holders) <= carries.capacity, `${sent(holders)} bytes/s of ${carries.capacity}`);
  assert.ok(staging <= stageCapacity(carries), `${staging} bytes/s for staging`);
  return sent(holders);
}

export function play(crowd: Crowd, step: Step): void {
  crowd.nowMs += step.afterMs;
  const { nowMs } = crowd;
  const holder = crowd.holders[step.who % Math.max(1, crowd.holders.length)];
  switch (step.act) {
    case 'pause':
    case 'resume':
    case 'tick':
      change(crowd, { kind: step.act, nowMs });
      return;
    case 'outage':
      crowd.state = changed(crowd.state, { kind: 'outage', nowMs, store: storeOf(step), why: 'it is silent' });
      return;
    case 'answer':
      crowd.state = changed(crowd.state, { kind: 'answer', nowMs, store: storeOf(step) });
      return;
    case 'kill':
      crowd.nowMs += 1000;
      crowd.state = newBrokerState(crowd.state.fabric, crowd.nowMs);
      return;
    case 'resize':
      crowd.resizedMs = nowMs;
      change(crowd, { kind: 'configure', nowMs, fabric: { ...fabric, capacity: step.who % 2 === 0 ? CAPACITY : CAPACITY / 2 } });
      return;
    case 'reserve':
      begin(crowd, step);
      return;
    case 'late': {
      const [sent] = crowd.late.splice(step.who % Math.max(1, crowd.late.length), 1);
      if (sent) deliver(crowd, sent, false);
      return;
    }
    default:
      if (holder && holder.epoch > 0) speak(crowd, holder, step);
  }
}

function change(crowd: Crowd, event: BrokerChange): void {
  crowd.state = changed(crowd.state, event);
  crowd.onEvent(event);
}

function begin(crowd: Crowd, { who, isLost, wish: { deadlineMs, ...wish } }: Step): void {
  const id = `holder-${crowd.count++}`;
  const holder = { id, isStage: wish.class === 'stage', drift: 0.92 + (who % 16) / 100, answer: 0, epoch: 0, rate: 0, validUntilMs: 0, isOver: false };
  crowd.holders.push(holder);
  const deadline = deadlineMs === undefined ? {} : { deadline: new Date(crowd.nowMs + deadlineMs).toISOString() };
  const request = ReserveSchema.parse({ ...wish, ...deadline, requestId: id });
  const sent: Sent = { holder, atMs: crowd.nowMs, request: { kind: 'reserve', nowMs: crowd.nowMs, request } };
  deliver(crowd, sent, isLost);
  if (isLost) crowd.late.push(sent); // it asks again, as a client does
}

function speak(crowd: Crowd, holder: Holder, { act, isLost, who }: Step): void {
  const { nowMs } = crowd;
  const token = { requestId: holder.id, epoch: act === 'stale' ? holder.epoch - 1 - (who % 3) : holder.epoch };
  if (act === 'release') Object.assign(holder, { rate: 0, isOver: true }); // it has stopped before it says so
  const renewal: RenewRequest = { ...token, answer: holder.answer };
  const isRelease = act === 'release' || (act === 'stale' && who % 2 === 0);
  if (token.epoch <= 0) return;
  const sent: Sent = { holder, atMs: nowMs, request: isRelease ? { kind: 'release', nowMs, request: token } : { kind: 'renew', nowMs, request: renewal } };
  if (act === 'repeat') crowd.late.push(sent);
  deliver(crowd, sent, isLost);
}

function deliver(crowd: Crowd, { holder, atMs, request }: Sent, isLost: boolean): void {
  const event = { ...request, nowMs: crowd.nowMs };
  const { state, answer } = answerTo(crowd.state, event);
  crowd.state = state;
  crowd.answers.push(answer);
  crowd.onEvent(event, answer);
  if (isLost || holder.isOver) return;
  if (answer.kind === 'window' || answer.kind === 'queued') {
    if (answer.answer <= holder.answer && answer.epoch === holder.epoch) return;
    const rate = answer.kind === 'window' ? answer.bytesPerSecond : 0;
    const validUntilMs = answer.kind === 'window' ? atMs + answer.validMilliseconds * holder.drift : 0;
    Object.assign(holder, { answer: answer.answer, epoch: answer.epoch, rate, validUntilMs });
  }
  if (answer.kind === 'lost' && request.kind !== 'reserve' && request.request.epoch === holder.epoch) Object.assign(holder, { rate: 0, isOver: true });
}
