/** Stores that stop answering and come back, among holders that reserve, renew and fall silent: who uses one waits, and begins again by work at risk and not at once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ReserveInput, ReserveSchema, type Standing } from '../../../../model/broker.ts';
import { overviewOf } from '../../../../model/broker-overview.ts';
import { answerTo, changed } from '../../../../model/broker-planner.ts';
import { type BrokerState, classBudget, newBrokerState } from '../../../../model/broker-state.ts';
import { FabricSchema } from '../../../../model/fabric.ts';

const fabric = FabricSchema.parse({ capacity: 1_000_000, leaseSeconds: 60 });
const opened = (): BrokerState => ({ ...newBrokerState(fabric, 1_000_000), opensAtMs: 0 });

/** A broker whose holders all ask at the same moments. */
function brokerAt(state = opened()) {
  const broker = {
    state,
    /** Of every holder that has not ended. */
    standings: new Map<string, Standing>(),
    after(seconds: number): void {
      broker.state = { ...broker.state, nowMs: broker.state.nowMs + seconds * 1000 };
    },
    reserve(requestId: string, more: Partial<ReserveInput> = {}): Standing {
      const request = ReserveSchema.parse({ requestId, bytes: '1TB', class: 'drain', tenant: 'acme', stores: ['racks'], ...more });
      return broker.ask({ kind: 'reserve', nowMs: broker.state.nowMs, request });
    },
    ask(request: Parameters<typeof answerTo>[1]): Standing {
      const answered = answerTo(broker.state, request);
      broker.state = answered.state;
      broker.standings.set(answered.answer.requestId, answered.answer);
      return answered.answer;
    },
    renew(requestId: string): Standing | undefined {
      const known = broker.standings.get(requestId);
      if (known?.kind !== 'window' && known?.kind !== 'queued') return known;
      const { epoch, answer } = known;
      return broker.ask({ kind: 'renew', nowMs: broker.state.nowMs, request: { requestId, epoch, answer } });
    },
    renewAll(): void {
      for (const requestId of [...broker.standings.keys()]) broker.renew(requestId);
    },
    change(kind: 'outage' | 'answer' | 'pause' | 'resume' | 'tick', store = 'racks'): void {
      const nowMs = broker.state.nowMs;
      broker.state = changed(
        broker.state,
        kind === 'outage' ? { kind, nowMs, store, why: 'refused' } : kind === 'answer' ? { kind, nowMs, store } : { kind, nowMs },
      );
    },
    sending: () => [...broker.standings.values()].flatMap((each) => (each.kind === 'window' ? [each.requestId] : [])),
  };
  return broker;
}

describe('a store that does not answer', () => {
  it('stops who uses it at the next renewal, who keeps its place and hears why; others go on', () => {
    const broker = brokerAt();
    broker.reserve('drain-1');
    broker.reserve('stage-1', { class: 'stage', stores: ['warm', 'hot'] });
    broker.renewAll();
    broker.renewAll();
    assert.deepEqual(broker.sending().sort(), ['drain-1', 'stage-1']);
    broker.after(10);
    broker.change('outage');
    broker.renewAll();
    assert.deepEqual(broker.sending(), ['stage-1']);
    const waiting = broker.standings.get('drain-1');
    assert.ok(waiting?.kind === 'queued' && waiting.reason === 'a store does not answer', JSON.stringify(waiting));
    const { outages, state } = overviewOf(broker.state);
    assert.deepEqual([state, outages], ['open', [{ store: 'racks', why: 'refused', since: new Date(1_010_000).toISOString() }]]);
    broker.change('answer');
    broker.renewAll();
    broker.renewAll();
    assert.deepEqual(broker.sending().sort(), ['drain-1', 'stage-1']);
    assert.equal(overviewOf(broker.state).outages?.[0]?.answersSince, new Date(1_010_000).toISOString());
    broker.after(11);
    broker.change('tick');
    assert.deepEqual(overviewOf(broker.state).outages, []);
  });

  it('lets those that came meanwhile stand among the others by their work at risk', () => {
    const broker = brokerAt();
    broker.reserve('early', { atRiskSeconds: 100 });
    broker.change('outage');
    broker.reserve('little', { atRiskSeconds: 10, tenant: 'globex' });
    broker.reserve('much', { atRiskSeconds: 1000, tenant: 'initech' });
    broker.renewAll();
    assert.deepEqual(broker.sending(), []);
    broker.change('answer');
    const order: string[] = [];
    for (let step = 0; step < 5; step++) {
      const admitted = broker.state.reservations.filter(({ place }) => place === 'admitted').map(({ requestId }) => requestId);
      order.push(...admitted.filter((each) => !order.includes(each)));
      broker.after(1);
      broker.change('tick');
    }
    assert.deepEqual(order, ['much', 'early', 'little']);
  });

  it('is waited for in that order too where few of them fit at once', () => {
    const broker = brokerAt();
    const leastUsefulRate = classBudget(fabric, 'drain');
    broker.reserve('early', { atRiskSeconds: 100, leastUsefulRate });
    broker.change('outage');
    broker.reserve('middle', { atRiskSeconds: 500, leastUsefulRate });
    broker.reserve('much', { atRiskSeconds: 1000, leastUsefulRate });
    broker.change('answer');
    broker.after(20);
    const order: string[] = [];
    while (broker.state.reservations.length > 0) {
      broker.change('tick');
      const [next] = admitted(broker.state);
      assert.ok(next);
      order.push(next.requestId);
      broker.ask({ kind: 'release', nowMs: broker.state.nowMs, request: next });
    }
    assert.deepEqual(order, ['much', 'middle', 'early']);
  });

  it('that has answered does not undo what an operator paused, nor does an operator undo that it is out', () => {
    const broker = brokerAt();
    broker.reserve('drain-1');
    broker.change('pause');
    broker.change('outage');
    broker.change('answer');
    broker.after(20);
    broker.renewAll();
    assert.deepEqual(broker.sending(), []);
    assert.equal(overviewOf(broker.state).pausedSince, new Date(1_000_000).toISOString());
    broker.change('outage');
    broker.change('resume');
    broker.renewAll();
    assert.deepEqual(broker.sending(), []);
    broker.change('answer');
    broker.renewAll();
    assert.deepEqual(broker.sending(), ['drain-1']);
  });
});

interface Crowded {
  readonly risks: readonly number[];
  readonly classes: readonly ('drain' | 'stage' | 'scrub')[];
  readonly outMs: number;
  readonly stepMs: readonly number[];
}
const crowded: fc.Arbitrary<Crowded> = fc.record({
  risks: fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 60 }),
  classes: fc.array(fc.constantFrom('drain' as const, 'stage' as const, 'scrub' as const), { minLength: 1, maxLength: 3 }),
  outMs: fc.integer({ min: 0, max: 50_000 }),
  stepMs: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
});

/** Each has a least rate so small that all of them fit: what holds them back is the outage alone. */
function afterOutage({ risks, classes, outMs }: Crowded) {
  const broker = brokerAt();
  for (const [index, atRiskSeconds] of risks.entries()) {
    const kind = classes[index % classes.length] ?? 'drain';
    // Half of them come while it is out.
    if (index === Math.floor(risks.length / 2)) broker.change('outage');
    broker.reserve(`holder-${index}`, { class: kind, atRiskSeconds, tenant: `tenant-${index % 3}`, leastUsefulRate: 1 });
  }
  broker.change('outage');
  broker.after(outMs / 1000);
  broker.change('tick');
  return broker;
}
const admitted = ({ reservations }: BrokerState) => reservations.filter(({ place }) => place === 'admitted');

describe('after an outage', () => {
  it('nobody who uses the store has a floor or a window before it answers, however they ask', () => {
    fc.assert(
      fc.property(crowded, (crowd) => {
        const broker = afterOutage(crowd);
        broker.renewAll();
        assert.deepEqual([broker.sending(), admitted(broker.state)], [[], []]);
      }),
      { numRuns: 500, seed: 6 },
    );
  });

  it('windows begin with one and twice as many each second, none before one with more work at risk, and soon all of them', () => {
    fc.assert(
      fc.property(crowded, (crowd) => {
        const broker = afterOutage(crowd);
        broker.change('answer');
        const beganMs = broker.state.nowMs;
        for (const ms of [0, ...crowd.stepMs, 12_000]) {
          broker.after(ms / 1000);
          broker.change('tick');
          const begun = admitted(broker.state);
          const most = 2 ** Math.floor((broker.state.nowMs - beganMs) / 1000);
          assert.ok(begun.length <= most, `${begun.length} of at most ${most}`);
          const held = broker.state.reservations.filter(({ place }) => place !== 'admitted');
          const leastBegun = Math.min(...begun.map(({ atRiskSeconds }) => atRiskSeconds));
          assert.ok(
            held.every(({ atRiskSeconds }) => atRiskSeconds <= leastBegun),
            'one with more work at risk was passed by',
          );
          // All ask, so that none lapses.
          broker.renewAll();
        }
        assert.equal(admitted(broker.state).length, crowd.risks.length);
        assert.deepEqual(broker.state.outages, []);
      }),
      { numRuns: 500, seed: 6 },
    );
  });
});
