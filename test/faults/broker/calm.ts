/** After the faults: senders that keep to the rules, among them one that needs all that its class may hold while small ones keep coming. All are served. */
import assert from 'node:assert/strict';
import { type BandwidthClass, ReserveSchema, type Standing } from '../../../model/broker.ts';
import { answerTo, type BrokerRequest } from '../../../model/broker-planner.ts';
import { classBudget, stageCapacity, sumOf } from '../../../model/broker-state.ts';
import { type Crowd, LEASE_MS } from '../../support/broker-crowd.ts';

const ROUND_MS = LEASE_MS * 0.3;
/** One small sender comes in each of them, and sends for some three. */
const ROUNDS_OF_CROWD = 40;
const LAST_ROUND = ROUNDS_OF_CROWD + 20;
const LARGE_FROM_ROUND = 4;
/** Those before it end, and the others notice, within so many. */
const LARGE_SERVED_WITHIN = 25;
const SMALL_PART = 4;

interface Sender {
  readonly id: string;
  readonly bornRound: number;
  readonly least: number;
  remainingBytes: number;
  rate: number;
  standing?: Extract<Standing, { kind: 'window' | 'queued' }>;
  servedRound?: number;
  isOver: boolean;
}

/** @throws where one is not served in its time, where more is sent than the fabric carries, or where anything is left at the end */
export function requireCalm(crowd: Crowd, kind: BandwidthClass): void {
  const { fabric } = crowd.state;
  const budget = classBudget(fabric, kind);
  const senders: Sender[] = [];
  const come = (id: string, bornRound: number, least: number, rounds: number): void => {
    senders.push({ id, bornRound, least, remainingBytes: Math.ceil((least * rounds * ROUND_MS) / 1000), rate: 0, isOver: false });
  };
  for (let round = 0; round < LAST_ROUND; round += 1) {
    crowd.nowMs += ROUND_MS;
    if (round < ROUNDS_OF_CROWD) come(`small-${round}`, round, Math.max(1, Math.floor(budget / SMALL_PART)), 3);
    if (round === LARGE_FROM_ROUND) come('large', round, budget, 3);
    for (const sender of senders.filter(({ isOver }) => !isOver)) turn(crowd, sender, kind, round);
    const sent = sumOf(senders, ({ rate }) => rate);
    assert.ok(sent <= (kind === 'stage' ? stageCapacity(fabric) : fabric.capacity), `after the faults ${sent} bytes/s are sent`);
  }
  for (const { id, bornRound, servedRound, isOver } of senders) {
    assert.ok(isOver && servedRound !== undefined, `${id} of class ${kind} was never served whole`);
    if (id === 'large') assert.ok(servedRound - bornRound <= LARGE_SERVED_WITHIN, `${id} of class ${kind} waited for ${servedRound - bornRound} rounds`);
  }
}

/** What it has sent since the last round, and what it asks for next. */
function turn(crowd: Crowd, sender: Sender, kind: BandwidthClass, round: number): void {
  sender.remainingBytes = Math.max(0, sender.remainingBytes - Math.floor((sender.rate * ROUND_MS) / 1000));
  const event = requestOf(sender, kind, crowd.nowMs);
  const { state, answer } = answerTo(crowd.state, event);
  crowd.state = state;
  crowd.onEvent(event, answer);
  if (answer.kind === 'released') Object.assign(sender, { isOver: true, rate: 0 });
  if (answer.kind !== 'window' && answer.kind !== 'queued') return;
  sender.standing = answer;
  sender.rate = answer.kind === 'window' ? answer.bytesPerSecond : 0;
  if (sender.rate > 0) sender.servedRound ??= round;
}

function requestOf({ id, least, standing, remainingBytes }: Sender, kind: BandwidthClass, nowMs: number): BrokerRequest {
  if (!standing) {
    const request = ReserveSchema.parse({
      requestId: `calm/${id}`,
      class: kind,
      tenant: 'acme',
      bytes: remainingBytes,
      leastUsefulRate: least,
      mostUsefulRate: least,
    });
    return { kind: 'reserve', nowMs, request };
  }
  const { requestId, epoch, answer } = standing;
  if (remainingBytes === 0) return { kind: 'release', nowMs, request: { requestId, epoch } };
  return { kind: 'renew', nowMs, request: { requestId, epoch, answer, remainingBytes } };
}
