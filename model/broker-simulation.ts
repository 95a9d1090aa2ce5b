/** Senders that keep to a broker's rules, played against its planner without waiting: for tests of fairness, and for the picture of a storm that becomes a drain. */
import type { BandwidthClass, ReserveRequest, Standing } from './broker.ts';
import { answerTo } from './broker-planner.ts';
import { type BrokerState, newBrokerState } from './broker-state.ts';
import type { FabricConfig } from './fabric.ts';

export interface SimulatedSender {
  readonly arrivesMs: number;
  readonly request: ReserveRequest;
}

export interface SimulatedEnd {
  readonly requestId: string;
  /** When its first window began; undefined where it was refused. */
  readonly servedMs?: number;
  readonly endMs: number;
}

export interface Simulated {
  readonly ends: readonly SimulatedEnd[];
  /** What is sent from then on, whenever it changes. */
  readonly rates: readonly { readonly atMs: number; readonly bytesPerSecond: Readonly<Record<BandwidthClass, number>> }[];
}

interface Sender {
  readonly request: ReserveRequest;
  nextMs: number;
  sinceMs: number;
  remainingBytes: number;
  rate: number;
  servedMs?: number;
  lease?: Extract<Standing, { kind: 'window' | 'queued' }>;
}

/** From an empty broker that is open at 0. */
export function simulate(fabric: FabricConfig, senders: readonly SimulatedSender[]): Simulated {
  let state: BrokerState = { ...newBrokerState(fabric, 0), nextEpoch: 1, opensAtMs: 0 };
  const open = new Set(
    senders.map(({ arrivesMs, request }): Sender => ({ request, nextMs: arrivesMs, sinceMs: arrivesMs, remainingBytes: request.bytes, rate: 0 })),
  );
  const ends: SimulatedEnd[] = [];
  const rates: { atMs: number; bytesPerSecond: Record<BandwidthClass, number> }[] = [];
  for (let sender = nextOf(open); sender; sender = nextOf(open)) {
    const nowMs = sender.nextMs;
    const { state: next, answer } = turn(state, sender, nowMs);
    state = next;
    if (answer.kind === 'window' || answer.kind === 'queued') follow(sender, answer, nowMs);
    else {
      sender.rate = 0;
      open.delete(sender);
      ends.push({ requestId: sender.request.requestId, endMs: nowMs, ...(sender.servedMs === undefined ? {} : { servedMs: sender.servedMs }) });
    }
    rates.push({ atMs: nowMs, bytesPerSecond: sumsOf(open) });
  }
  return { ends, rates };
}

function nextOf(open: ReadonlySet<Sender>): Sender | undefined {
  let first: Sender | undefined;
  for (const sender of open) if (!first || sender.nextMs < first.nextMs) first = sender;
  return first;
}

function turn(state: BrokerState, sender: Sender, nowMs: number): { state: BrokerState; answer: Standing } {
  const { lease, request } = sender;
  sender.remainingBytes = Math.max(0, sender.remainingBytes - Math.ceil((sender.rate * (nowMs - sender.sinceMs)) / 1000));
  sender.sinceMs = nowMs;
  if (!lease) return answerTo(state, { kind: 'reserve', nowMs, request });
  const { requestId, epoch, answer } = lease;
  if (sender.remainingBytes === 0) return answerTo(state, { kind: 'release', nowMs, request: { requestId, epoch } });
  return answerTo(state, { kind: 'renew', nowMs, request: { requestId, epoch, answer, remainingBytes: sender.remainingBytes } });
}

/** It shows at once that it has slowed down; else it asks when it is asked to, or is done. */
function follow(sender: Sender, answer: Extract<Standing, { kind: 'window' | 'queued' }>, nowMs: number): void {
  const rate = answer.kind === 'window' ? answer.bytesPerSecond : 0;
  const renewAt = nowMs + (rate < sender.rate ? ACKNOWLEDGE_MS : answer.renewMilliseconds);
  sender.lease = answer;
  sender.rate = rate;
  if (rate > 0) sender.servedMs ??= nowMs;
  sender.nextMs = rate > 0 ? Math.min(renewAt, nowMs + Math.max(1, Math.ceil((sender.remainingBytes * 1000) / rate))) : renewAt;
}

const ACKNOWLEDGE_MS = 100;

function sumsOf(open: Iterable<Sender>): Record<BandwidthClass, number> {
  const sums = { inference: 0, checkpoint: 0, drain: 0, stage: 0, scrub: 0 };
  for (const { request, rate } of open) sums[request.class] += rate;
  return sums;
}
