/** Who gets how much and when: classes by weight, tenants alike, work at risk first, and everybody in the end. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type BandwidthClass, bandwidthClasses, type ReserveInput, ReserveSchema, type Standing } from '../../../../model/broker.ts';
import { answerTo, changed } from '../../../../model/broker-planner.ts';
import { type SimulatedSender, simulate } from '../../../../model/broker-simulation.ts';
import { type BrokerState, classBudget, leastRate, newBrokerState, stageCapacity, sumOf } from '../../../../model/broker-state.ts';
import { FabricSchema } from '../../../../model/fabric.ts';

const CAPACITY = 1_000_000;
const LEASE_MS = 10_000;
const fabric = FabricSchema.parse({ capacity: CAPACITY, leaseSeconds: LEASE_MS / 1000 });
const request = (wish: Partial<ReserveInput> & { requestId: string }) =>
  ReserveSchema.parse({ bytes: 100 * CAPACITY, class: 'drain', tenant: 'acme', ...wish });
const opened = (fabricOf = fabric): BrokerState => ({ ...newBrokerState(fabricOf, 1_000_000), opensAtMs: 0 });

/** All ask, then all renew until nobody's rate changes: what they have is their share. */
function settled(wishes: readonly (Partial<ReserveInput> & { requestId: string })[]): Map<string, number> {
  let state = opened();
  let nowMs = state.nowMs;
  let standings = wishes.map((wish): Standing => {
    const next = answerTo(state, { kind: 'reserve', nowMs, request: request(wish) });
    state = next.state;
    return next.answer;
  });
  for (let round = 0; round < 10; round++) {
    nowMs += 100;
    standings = standings.map((standing) => {
      assert.ok(standing.kind === 'window' || standing.kind === 'queued');
      const { requestId, epoch, answer } = standing;
      const next = answerTo(state, { kind: 'renew', nowMs, request: { requestId, epoch, answer } });
      state = next.state;
      return next.answer;
    });
  }
  return new Map(standings.map((standing) => [standing.kind === 'window' ? standing.requestId : '', standing.kind === 'window' ? standing.bytesPerSecond : 0]));
}

const about = (found: number | undefined, expected: number): void =>
  assert.ok(found !== undefined && Math.abs(found - expected) < expected * 0.02, `${found}, not ${expected}`);

describe('shares', () => {
  it('go to the classes by weight', () => {
    const rates = settled([
      { requestId: 'i', class: 'inference', leastUsefulRate: 1 },
      { requestId: 'd', class: 'drain', leastUsefulRate: 1 },
      { requestId: 's', class: 'scrub', leastUsefulRate: 1 },
    ]);
    about((rates.get('i') ?? 0) / (rates.get('d') ?? 1), 4);
    about((rates.get('d') ?? 0) / (rates.get('s') ?? 1), 4);
    about(
      sumOf([...rates.values()], (rate) => rate),
      CAPACITY,
    );
  });

  it('of a class go to its tenants alike, however many leases each has', () => {
    const rates = settled([{ requestId: 'a1' }, { requestId: 'a2' }, { requestId: 'a3' }, { requestId: 'g', tenant: 'globex' }]);
    about(rates.get('g'), CAPACITY / 2);
    about(rates.get('a1'), CAPACITY / 6);
  });

  it('of one who cannot use them go to the others', () => {
    const rates = settled([{ requestId: 'slow', mostUsefulRate: CAPACITY / 10 }, { requestId: 'fast' }]);
    assert.deepEqual([rates.get('slow'), rates.get('fast')], [CAPACITY / 10, (CAPACITY * 9) / 10]);
  });

  it('of staging are 0.3 of the capacity at most, though nobody else is there', () => {
    const rates = settled([
      { requestId: 's1', class: 'stage' },
      { requestId: 's2', class: 'stage' },
    ]);
    assert.equal(rates.get('s1'), stageCapacity(fabric) / 2);
    assert.equal(
      sumOf([...rates.values()], (rate) => rate),
      CAPACITY * 0.3,
    );
  });

  it('of one with a deadline are enough to meet it, out of what its class may hold', () => {
    const wishes = Array.from({ length: 20 }, (_, index) => ({ requestId: `n${index}` }));
    const hurried = { requestId: 'hurried', bytes: CAPACITY * 6, deadline: new Date(1_000_000 + 60_000).toISOString() };
    assert.ok((settled([hurried, ...wishes]).get('hurried') ?? 0) >= CAPACITY / 10);
  });
});

describe('the queue', () => {
  it('is in equal bytes for each tenant, and by deadline among the requests of one', () => {
    const budget = classBudget(fabric, 'drain');
    const ask = (requestId: string, tenant: string, more: Partial<ReserveInput> = {}) => request({ requestId, tenant, leastUsefulRate: budget, ...more });
    const order: string[] = [];
    let state = opened();
    const nowMs = state.nowMs;
    const inTime = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString();
    const wishes = [ask('first', 'acme'), ask('a2', 'acme'), ask('a3', 'acme', { deadline: inTime(9000) }), ask('g1', 'globex'), ask('g2', 'globex')];
    for (const wish of wishes) ({ state } = answerTo(state, { kind: 'reserve', nowMs, request: wish }));
    for (;;) {
      const admitted = state.reservations.find(({ place }) => place === 'admitted');
      if (!admitted) break;
      order.push(admitted.requestId);
      ({ state } = answerTo(state, { kind: 'release', nowMs, request: admitted }));
    }
    assert.deepEqual(order, ['first', 'a3', 'g1', 'a2', 'g2']);
  });

  it('says how many are before one', () => {
    const budget = classBudget(fabric, 'scrub');
    let state = opened();
    const positions = ['a', 'b', 'c'].map((requestId) => {
      const next = answerTo(state, { kind: 'reserve', nowMs: state.nowMs, request: request({ requestId, class: 'scrub', leastUsefulRate: budget }) });
      state = next.state;
      return next.answer.kind === 'queued' ? next.answer.position : next.answer.kind;
    });
    assert.deepEqual(positions, ['window', 1, 2]);
  });

  it('lets nobody overtake whom it is the turn of, though smaller ones would fit', () => {
    const budget = classBudget(fabric, 'drain');
    let state = opened();
    const kinds = [budget / 2, budget, 1].map((leastUsefulRate, index) => {
      const next = answerTo(state, {
        kind: 'reserve',
        nowMs: state.nowMs,
        request: request({ requestId: `r${index}`, leastUsefulRate: Math.floor(leastUsefulRate) }),
      });
      state = next.state;
      return next.answer.kind === 'queued' ? next.answer.position : next.answer.kind;
    });
    assert.deepEqual(kinds, ['window', 1, 2]);
  });

  it('after an outage begins with the most work at risk', () => {
    const budget = classBudget(fabric, 'drain');
    let state = opened();
    const nowMs = state.nowMs;
    const risks: Readonly<Record<string, number>> = { little: 60, most: 7200, some: 600 };
    for (const [requestId, atRiskSeconds] of Object.entries(risks)) {
      ({ state } = answerTo(state, { kind: 'reserve', nowMs, request: request({ requestId, atRiskSeconds, leastUsefulRate: Math.floor(budget / 3) }) }));
    }
    state = changed(state, { kind: 'pause', nowMs });
    assert.ok(state.reservations.every(({ place }) => place === 'interrupted'));
    // The store comes back with a third of what it had.
    state = changed(state, { kind: 'configure', nowMs, fabric: { ...fabric, capacity: Math.ceil(CAPACITY / 3) + 30 } });
    state = changed(state, { kind: 'resume', nowMs });
    assert.deepEqual(
      state.reservations.filter(({ place }) => place === 'admitted').map(({ requestId }) => requestId),
      ['most'],
    );
  });

  it('goes on where the fabric carries only a tenth of what it did, and never above that once the old leases are over', () => {
    let state = opened();
    const wishes = Array.from({ length: 60 }, (_, index) => request({ requestId: `r${index}`, leastUsefulRate: CAPACITY / 400 }));
    for (const wish of wishes) ({ state } = answerTo(state, { kind: 'reserve', nowMs: state.nowMs, request: wish }));
    const smaller = { ...fabric, capacity: CAPACITY / 10 };
    state = changed(state, { kind: 'configure', nowMs: state.nowMs, fabric: smaller });
    let rates: number[] = [];
    for (let round = 0; round < 8; round++) {
      rates = state.reservations.map(({ requestId, epoch, answer }) => {
        const next = answerTo(state, { kind: 'renew', nowMs: state.nowMs + 100, request: { requestId, epoch, answer } });
        state = next.state;
        return next.answer.kind === 'window' ? next.answer.bytesPerSecond : 0;
      });
    }
    const sent = sumOf(rates, (rate) => rate);
    assert.ok(sent <= CAPACITY / 10 && sent > 0.09 * CAPACITY, `${sent} bytes/s of ${CAPACITY / 10}`);
  });

  it('tells holders nothing while it is paused, and the same lease goes on afterwards', () => {
    let { state, answer } = answerTo(opened(), { kind: 'reserve', nowMs: 1_000_000, request: request({ requestId: 'one' }) });
    const renew = (): Standing => {
      assert.ok(answer.kind === 'window' || answer.kind === 'queued');
      ({ state, answer } = answerTo(state, { kind: 'renew', nowMs: state.nowMs, request: { requestId: 'one', epoch: answer.epoch, answer: answer.answer } }));
      return answer;
    };
    state = changed(state, { kind: 'pause', nowMs: state.nowMs });
    const stopped = renew();
    assert.ok(stopped.kind === 'queued' && stopped.reason === 'the fabric is paused');
    state = changed(state, { kind: 'resume', nowMs: state.nowMs });
    const again = renew();
    assert.ok(again.kind === 'window' && again.epoch === stopped.epoch && again.bytesPerSecond === CAPACITY);
  });
});

describe('the door', () => {
  const small = FabricSchema.parse({ capacity: CAPACITY, mostReservations: 4 });
  const ask = (state: BrokerState, wish: Partial<ReserveInput> & { requestId: string }) =>
    answerTo(state, { kind: 'reserve', nowMs: state.nowMs, request: request(wish) });
  const reasonOf = (answer: Standing): string => (answer.kind === 'refused' ? `${answer.reason}: ${answer.message} ${answer.nextStep}` : answer.kind);

  it('is shut where the queue is full, and for a tenant that has half of it', () => {
    let state = opened(small);
    for (const requestId of ['a', 'b']) ({ state } = ask(state, { requestId }));
    assert.equal(reasonOf(ask(state, { requestId: 'c' }).answer).split(':')[0], 'TenantQueueFull');
    for (const requestId of ['c', 'd']) ({ state } = ask(state, { requestId, tenant: 'globex' }));
    assert.equal(state.reservations.length, 4);
    const refused = ask(state, { requestId: 'e', tenant: 'initech' });
    assert.equal(reasonOf(refused.answer), 'QueueFull: the fabric has 4 reservations; accepted: 4. Ask again in some minutes, or reserve for larger pieces.');
    assert.equal(ask(state, { requestId: 'a' }).answer.kind, 'window', 'who is in is known');
  });

  it('refuses what cannot be met, and says what can', () => {
    const state = opened();
    const soon = new Date(state.nowMs + 99_000).toISOString();
    const late = ask(state, { requestId: 'late', deadline: soon });
    assert.match(reasonOf(late.answer), /^DeadlineInfeasible: 100 MB take 1 min 40 s at 1\.0 MB\/s, .* 1 min 39 s\. Name a later deadline/);
    const greedy = ask(state, { requestId: 'greedy', leastUsefulRate: CAPACITY });
    assert.match(reasonOf(greedy.answer), /^LeastRateTooHigh: leastUsefulRate: found 1\.0 MB\/s; accepted: at most 129 kB\/s/);
  });

  it('takes another request under a known id for a mistake, and one that is over for a late repeat', () => {
    const { state, answer } = ask(opened(), { requestId: 'one' });
    assert.match(reasonOf(ask(state, { requestId: 'one', bytes: 5 }).answer), /^RequestIdUsed: one is of another reservation/);
    assert.ok(answer.kind === 'window');
    const over = answerTo(state, { kind: 'release', nowMs: state.nowMs, request: answer });
    assert.match(reasonOf(ask(over.state, { requestId: 'one' }).answer), /^RequestIdUsed: one was released/);
    assert.equal(answerTo(over.state, { kind: 'release', nowMs: state.nowMs, request: answer }).answer.kind, 'released', 'said twice');
  });
});

describe('no starvation', () => {
  const sender: fc.Arbitrary<{ arrivesMs: number; kind: BandwidthClass; tenant: string; bytes: number; part: number; deadlineMs: number | undefined }> =
    fc.record({
      arrivesMs: fc.integer({ min: 0, max: 100_000 }),
      kind: fc.constantFrom(...bandwidthClasses),
      tenant: fc.constantFrom('acme', 'globex', 'initech'),
      bytes: fc.integer({ min: 1, max: 2 * CAPACITY }),
      part: fc.double({ min: 0.001, max: 1, noNaN: true }),
      deadlineMs: fc.option(fc.integer({ min: 200_000, max: 2_000_000 }), { nil: undefined }),
    });

  it('whoever was not refused is served and ends within a bound, whoever else comes', () => {
    fc.assert(
      fc.property(fc.array(sender, { minLength: 1, maxLength: 15, size: 'max' }), (drawn) => {
        const senders = drawn.map(({ arrivesMs, kind, tenant, bytes, part, deadlineMs }, index): SimulatedSender => {
          const leastUsefulRate = Math.max(1, Math.floor(classBudget(fabric, kind) * part));
          const deadline = deadlineMs === undefined ? {} : { deadline: new Date(arrivesMs + deadlineMs).toISOString() };
          return { arrivesMs, request: request({ requestId: `r${index}`, class: kind, tenant, bytes, leastUsefulRate, ...deadline }) };
        });
        const { ends } = simulate(fabric, senders);
        assert.equal(ends.length, senders.length);
        // One after the other, each at its least useful rate, with a lease's patience for each to notice.
        const bound = 100_000 + sumOf(senders, (each) => (each.request.bytes * 1000) / leastRate(fabric, each.request) + 2 * LEASE_MS);
        for (const { requestId, servedMs, endMs } of ends) {
          assert.ok(servedMs !== undefined, `${requestId} was refused, with a deadline that could be met`);
          assert.ok(endMs <= bound, `${requestId} ended at ${endMs}, not before ${bound}`);
        }
      }),
      { numRuns: 2000, seed: 6 },
    );
  });

  it('a scrub among a hundred checkpoints gets its part from the beginning', () => {
    const crowd = Array.from(
      { length: 100 },
      (_, index): SimulatedSender => ({ arrivesMs: 0, request: request({ requestId: `c${index}`, class: 'checkpoint', bytes: CAPACITY }) }),
    );
    const { ends } = simulate(fabric, [...crowd, { arrivesMs: 1000, request: request({ requestId: 'scrub', class: 'scrub', bytes: CAPACITY }) }]);
    const scrub = ends.find(({ requestId }) => requestId === 'scrub');
    assert.ok(scrub?.servedMs !== undefined && scrub.servedMs <= 1000 + 2 * LEASE_MS, `served at ${scrub?.servedMs}`);
    assert.ok(scrub.endMs < 1000 + 60_000, `its share of 1/9 of the capacity: ended at ${scrub.endMs}`);
  });
});
