/** Over thousands of schedules of lost, late and repeated messages: what holders may send at is never more than there is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bandwidthClasses } from '../../../../model/broker.ts';
import { answerTo, changed } from '../../../../model/broker-planner.ts';
import { type BrokerState, exposure } from '../../../../model/broker-state.ts';
import { CAPACITY, type Crowd, fabric, LEASE_MS, newCrowd, play, requireWithinCapacity, STORES, type Step, sending } from '../../../support/broker-crowd.ts';

const wish = fc.record(
  {
    class: fc.constantFrom(...bandwidthClasses),
    tenant: fc.constantFrom('acme', 'globex', 'initech'),
    bytes: fc.integer({ min: 1, max: 50 * CAPACITY }),
    leastUsefulRate: fc.integer({ min: 1, max: CAPACITY / 80 }),
    mostUsefulRate: fc.integer({ min: CAPACITY / 40, max: 2 * CAPACITY }),
    atRiskSeconds: fc.integer({ min: 0, max: 7200 }),
    deadlineMs: fc.integer({ min: 100_000, max: 1_000_000 }),
    stores: fc.subarray([...STORES]),
  },
  { requiredKeys: ['class', 'tenant', 'bytes', 'atRiskSeconds'] },
);
const step: fc.Arbitrary<Step> = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 0, max: LEASE_MS / 4 }), fc.integer({ min: 0, max: 2 * LEASE_MS })),
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('reserve' as const, 'renew' as const, 'renew' as const) },
    { weight: 2, arbitrary: fc.constantFrom('release' as const, 'late' as const, 'repeat' as const, 'tick' as const, 'stale' as const) },
    { weight: 1, arbitrary: fc.constantFrom('pause' as const, 'resume' as const, 'resume' as const, 'kill' as const, 'resize' as const) },
    { weight: 1, arbitrary: fc.constantFrom('outage' as const, 'answer' as const, 'answer' as const) },
  ),
  who: fc.nat(1000),
  isLost: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  wish,
});
const schedule = fc.array(step, { minLength: 1, maxLength: 80, size: 'max' });
const RUNS = { numRuns: 2000, seed: 6 };

const throughJson = (state: BrokerState): BrokerState => JSON.parse(JSON.stringify(state));
const playAll = (steps: readonly Step[], each: (crowd: Crowd, step: Step) => void = () => undefined): Crowd => {
  const crowd = newCrowd();
  for (const one of steps) {
    play(crowd, one);
    each(crowd, one);
  }
  return crowd;
};

describe('what holders may send', () => {
  it('is never more than the capacity, nor for staging more than its part, whatever is lost, late, repeated, paused, out, resized or killed', () => {
    let mostSent = 0;
    fc.assert(
      fc.property(schedule, (steps) => {
        playAll(steps, (crowd) => {
          mostSent = Math.max(mostSent, requireWithinCapacity(crowd));
        });
      }),
      RUNS,
    );
    assert.ok(mostSent > 0.99 * CAPACITY, 'the schedules do use it up');
  });

  it('is what the broker counts on, or less', () => {
    fc.assert(
      fc.property(
        schedule.filter((steps) => steps.every(({ act }) => act !== 'kill')),
        (steps) => {
          playAll(steps, ({ holders, state, nowMs }) => {
            for (const holder of holders) {
              const known = state.reservations.find(({ requestId }) => requestId === holder.id);
              assert.ok(sending(holder, nowMs) <= (known ? exposure(known, nowMs) : 0), `${holder.id} sends more than is known of it`);
            }
          });
        },
      ),
      { ...RUNS, numRuns: 500 },
    );
  });

  it('never falls below the least useful rate while it is more than nothing', () => {
    fc.assert(
      fc.property(schedule, (steps) => {
        const { answers, state } = playAll(steps);
        const least = new Map(state.reservations.map((each) => [each.requestId, each.leastBytesPerSecond]));
        for (const answer of answers) if (answer.kind === 'window') assert.ok(answer.bytesPerSecond >= (least.get(answer.requestId) ?? 0));
      }),
      { ...RUNS, numRuns: 500 },
    );
  });
});

describe('a broker', () => {
  it('gives the same answers to the same events, also where its state is written and read in between', () => {
    fc.assert(
      fc.property(schedule, fc.nat(3), (steps, every) => {
        let count = 0;
        const other = playAll(steps, (crowd) => {
          if (count++ % (every + 1) === 0) crowd.state = throughJson(crowd.state);
        });
        const one = playAll(steps);
        assert.deepEqual(other.answers, one.answers);
        assert.deepEqual(throughJson(other.state), throughJson(one.state));
      }),
      { ...RUNS, numRuns: 500 },
    );
  });

  it('lets no older token touch a lease', () => {
    fc.assert(
      fc.property(schedule, fc.integer({ min: 1, max: 5 }), (steps, older) => {
        const { state, nowMs } = playAll(steps);
        for (const { requestId, epoch } of state.reservations) {
          const untouched = changed(state, { kind: 'tick', nowMs });
          if (epoch - older <= 0) continue;
          const token = { requestId, epoch: epoch - older };
          const released = answerTo(untouched, { kind: 'release', nowMs, request: token });
          assert.deepEqual([released.answer.kind, released.state], ['lost', untouched]);
          const renewed = answerTo(untouched, { kind: 'renew', nowMs, request: { ...token, answer: 1 } });
          assert.deepEqual([renewed.answer.kind, renewed.state], ['lost', untouched]);
        }
      }),
      { ...RUNS, numRuns: 300 },
    );
  });

  it('has one reservation for one id, however often it is asked, and never gives an epoch twice', () => {
    fc.assert(
      fc.property(schedule, (steps) => {
        const { state, answers } = playAll(steps);
        assert.equal(new Set(state.reservations.map(({ requestId }) => requestId)).size, state.reservations.length);
        const owners = new Map<number, string>();
        for (const answer of answers) {
          if (answer.kind !== 'window' && answer.kind !== 'queued') continue;
          assert.equal(owners.get(answer.epoch) ?? answer.requestId, answer.requestId);
          owners.set(answer.epoch, answer.requestId);
        }
      }),
      { ...RUNS, numRuns: 500 },
    );
  });

  it('keeps a bound on all that it remembers', () => {
    fc.assert(
      fc.property(schedule, (steps) => {
        const { state } = playAll(steps);
        assert.ok(state.reservations.length <= fabric.mostReservations);
      }),
      { ...RUNS, numRuns: 200 },
    );
  });
});
