/** A fabric's broker among holders that die, lose messages, come late and say things twice: never over capacity, no lease lost or doubled, everybody served in the end. */
import assert from 'node:assert/strict';
import { bandwidthClasses } from '../../../model/broker.ts';
import { answerTo, type BrokerChange, type BrokerRequest, changed } from '../../../model/broker-planner.ts';
import { type BrokerState, silenceMs } from '../../../model/broker-state.ts';
import { pagesOf, stateOf } from '../../../workflows/broker/pages.ts';
import { type Crowd, fabric, newCrowd, play, requireWithinCapacity } from '../../support/broker-crowd.ts';
import type { FaultSuite } from '../harness/suite.ts';
import { requireCalm } from './calm.ts';
import { type BrokerOracle, createBrokerOracle } from './oracle.ts';
import { type BrokerPlan, type BrokerStep, brokerPlanOf, stepOf } from './plan.ts';

export const brokerFaults: FaultSuite<BrokerPlan> = {
  name: 'broker',
  summary: 'holders of bandwidth that die, lose messages, renew late and release twice, and a broker that is continued, replayed and ended',
  processes: 2,
  runLimitSeconds: 20,
  plan: brokerPlanOf,
  run: async (plan) => run(plan),
};

/** One run of the broker's workflow: what it began with, and its history. */
interface History {
  begun: BrokerState;
  events: (BrokerRequest | BrokerChange)[];
}

function run(plan: BrokerPlan): string {
  const oracle = createBrokerOracle();
  const history: History = { begun: newCrowd().state, events: [] };
  const crowd = newCrowd((event, answer) => {
    history.events.push(event);
    oracle.heard(event, answer);
  });
  const dead = new Set<string>();
  for (let index = 0; index < plan.steps; index += 1) {
    take(crowd, stepOf(plan, index), { oracle, history, dead });
    requireWithinCapacity(crowd);
    requireKnown(crowd, oracle);
  }
  const met = crowd.answers.filter(({ kind }) => kind === 'window').length;
  settle(crowd);
  requireCalm(crowd, bandwidthClasses[plan.seed % bandwidthClasses.length] ?? 'drain');
  requireNothingHeld(crowd);
  return met > 0 ? 'windows were held' : 'no window was given';
}

function take(crowd: Crowd, step: BrokerStep, { oracle, history, dead }: { oracle: BrokerOracle; history: History; dead: Set<string> }): void {
  const { act } = step;
  const holder = crowd.holders[step.who % Math.max(1, crowd.holders.length)];
  switch (act) {
    case 'die':
      // What it was told it may send at, its last packets may still be sent at.
      if (holder) dead.add(holder.id);
      return;
    case 'continue':
      crowd.state = continued(crowd.state);
      begin(history, crowd.state);
      return;
    case 'replay':
      assert.deepEqual(replayed(history), JSON.parse(JSON.stringify(crowd.state)), 'the same history comes to another state');
      return;
    default:
      if (holder && dead.has(holder.id) && act !== 'reserve' && act !== 'late' && act !== 'kill') return;
      play(crowd, { ...step, act });
      if (act !== 'kill') return;
      oracle.ended();
      begin(history, crowd.state);
  }
}

/** As the arguments of the next run, which are JSON. */
function continued(state: BrokerState): BrokerState {
  const next = stateOf(JSON.parse(JSON.stringify(pagesOf(state))));
  assert.ok(next, 'the next run has no state');
  return next;
}

function begin(history: History, state: BrokerState): void {
  history.begun = state;
  history.events = [];
}

function replayed({ begun, events }: History): unknown {
  let state = begun;
  for (const event of events) {
    state = event.kind === 'reserve' || event.kind === 'renew' || event.kind === 'release' ? answerTo(state, event).state : changed(state, event);
  }
  return JSON.parse(JSON.stringify(state));
}

/** Each lease that was acknowledged and neither given back nor lapsed is there once, and no other. */
function requireKnown({ state, nowMs }: Crowd, oracle: BrokerOracle): void {
  const alive = state.reservations.filter(({ renewByMs }) => renewByMs > nowMs).map(({ requestId }) => requestId);
  assert.deepEqual(alive.toSorted(), oracle.held(nowMs).toSorted(), 'the leases that the broker knows are not those that it gave');
}

/** Nobody says anything any more, the fabric is as large as ever, and every lease is over. */
function settle(crowd: Crowd): void {
  crowd.nowMs += 2 * silenceMs(fabric);
  const { nowMs } = crowd;
  for (const event of [{ kind: 'configure', nowMs, fabric } as const, { kind: 'resume', nowMs } as const]) {
    crowd.state = changed(crowd.state, event);
    crowd.onEvent(event);
  }
  requireNothingHeld(crowd);
}

function requireNothingHeld({ state }: Crowd): void {
  assert.deepEqual(
    state.reservations.map(({ requestId }) => requestId),
    [],
    'of dead holders is still held',
  );
}
