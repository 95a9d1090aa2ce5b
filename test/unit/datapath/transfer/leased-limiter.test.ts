/** Senders that pass their bytes through leases of a real planner: windows hold for bytes, not for promises. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holdWindow, type Lessor, withinWindow } from '../../../../datapath/transfer/leased-limiter.ts';
import type { RateLimiter } from '../../../../datapath/transfer/rate-limiter.ts';
import { type ReserveInput, ReserveSchema } from '../../../../model/broker.ts';
import { answerTo, type BrokerRequest } from '../../../../model/broker-planner.ts';
import { newBrokerState } from '../../../../model/broker-state.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { FabricSchema } from '../../../../model/fabric.ts';
import { fakeClock } from '../../../support/fake-clock.ts';
import { ofType } from '../../../support/of-type.ts';

const CAPACITY = 1_000_000;
const LEASE_MS = 10_000;
const CHUNK = 10_000;
const fabric = FabricSchema.parse({ capacity: CAPACITY, leaseSeconds: LEASE_MS / 1000, mostReservations: 4 });

/** A broker on the same clock, which can be cut off. */
function brokerOn(clock: ReturnType<typeof fakeClock>) {
  const broker = { state: { ...newBrokerState(fabric, 0), nextEpoch: 1, opensAtMs: 0 }, isAway: false, asked: [] as BrokerRequest['kind'][] };
  const ask = (request: BrokerRequest) => {
    if (broker.isAway) return Promise.reject(new Error('no broker answers'));
    broker.asked.push(request.kind);
    const { state, answer } = answerTo(broker.state, request);
    broker.state = state;
    return Promise.resolve(answer);
  };
  const lessor: Lessor = {
    reserve: (request) => ask({ kind: 'reserve', nowMs: clock.now(), request: ReserveSchema.parse(request) }),
    renew: (request) => ask({ kind: 'renew', nowMs: clock.now(), request }),
    release: (request) => ask({ kind: 'release', nowMs: clock.now(), request }),
  };
  return { broker, lessor };
}

const wish = (holder: string, bytes: number, more: Partial<ReserveInput> = {}, signal = new AbortController().signal) => ({
  class: 'drain' as const,
  tenant: 'acme',
  ...more,
  bytes,
  holder,
  signal,
});

/** Sends chunk by chunk. @returns what has passed so far, and the end */
function sender(lessor: Lessor, clock: ReturnType<typeof fakeClock>, asked: ReturnType<typeof wish>) {
  const sent = { bytes: 0 };
  const send = async (limiter: RateLimiter): Promise<void> => {
    for (; sent.bytes < asked.bytes; sent.bytes += CHUNK) await limiter.take(CHUNK, asked.signal);
  };
  return { sent, done: withinWindow(lessor, asked, send, clock) };
}

describe('bytes within a window', () => {
  it('pass as fast as it allows, and the window is given back at the end', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    const { sent, done } = sender(lessor, clock, wish('a', 5 * CAPACITY));
    await clock.advance(0);
    await clock.advance(2000);
    assert.ok(Math.abs(sent.bytes - 2 * CAPACITY) <= 0.1 * CAPACITY + CHUNK, `${sent.bytes} bytes in two seconds`);
    await clock.advance(3100);
    await done;
    assert.deepEqual([broker.state.reservations.length, broker.asked], [0, ['reserve', 'renew', 'release']]);
  });

  it('of several together are never more than the fabric carries, whoever comes and goes', async () => {
    const clock = fakeClock();
    const { lessor } = brokerOn(clock);
    const senders = [sender(lessor, clock, wish('first', 20 * CAPACITY))];
    const total = () => senders.reduce((sum, { sent }) => sum + sent.bytes, 0);
    let before = 0;
    for (let second = 1; second <= 60; second++) {
      if (second === 5) senders.push(sender(lessor, clock, wish('second', 10 * CAPACITY, { class: 'inference' })));
      if (second === 9) senders.push(sender(lessor, clock, wish('third', 10 * CAPACITY, { class: 'stage', tenant: 'globex' })));
      await clock.advance(1000);
      if (second === 9) assert.ok((senders[1]?.sent.bytes ?? 0) > 0, 'the first one has shown at once that it has slowed down');
      // A burst of a tenth of a second and a chunk each: what a limiter lets through at once.
      assert.ok(total() - before <= CAPACITY * 1.1 + senders.length * CHUNK, `${total() - before} bytes in second ${second}`);
      before = total();
    }
    await Promise.all(senders.map(({ done }) => done));
    assert.equal(total(), 40 * CAPACITY);
  });

  it('stop when no answer comes for the time of the lease, and go on under another one, though the deadline cannot be met any more', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    const { sent, done } = sender(lessor, clock, wish('a', 30 * CAPACITY, { deadline: new Date(35_000).toISOString() }));
    await clock.advance(1000);
    broker.isAway = true;
    await clock.advance(LEASE_MS);
    const passed = sent.bytes;
    assert.ok(passed <= CAPACITY * (LEASE_MS / 1000 + 0.2), `${passed} bytes`);
    await clock.advance(LEASE_MS);
    assert.equal(sent.bytes, passed, 'nothing passes without a lease');
    broker.isAway = false;
    await clock.advance(2 * LEASE_MS);
    assert.ok(sent.bytes > passed);
    await clock.advance(60_000);
    await done;
    assert.equal(broker.state.ended.filter(({ how }) => how === 'expired').length, 1);
  });

  it('are none before the window begins, and a person who calls it off leaves nothing in the queue', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    broker.state = { ...broker.state, isPaused: true };
    const control = new AbortController();
    const { sent, done } = sender(lessor, clock, wish('a', CAPACITY, {}, control.signal));
    await clock.advance(60_000);
    assert.deepEqual([sent.bytes, broker.state.reservations.length], [0, 1]);
    control.abort(new Error('called off'));
    await assert.rejects(done, { message: 'called off' });
    assert.equal(broker.state.reservations.length, 0);
  });

  it('are given back where the work fails, and the failure is told though the broker is away', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    const fail = () => Promise.reject(new Error('disk on fire'));
    await assert.rejects(withinWindow(lessor, wish('a', CAPACITY), fail, clock), { message: 'disk on fire' });
    assert.equal(broker.state.reservations.length, 0);
    const failAway = () => {
      broker.isAway = true;
      return fail();
    };
    await assert.rejects(withinWindow(lessor, wish('b', CAPACITY), failAway, clock), { message: 'disk on fire' });
  });

  it('wait for another time where the queue is full, and are refused where the wish can never be met', async () => {
    const clock = fakeClock();
    const { lessor } = brokerOn(clock);
    const never = () => assert.fail('there is no window');
    await assert.rejects(withinWindow(lessor, wish('a', 1, { leastUsefulRate: CAPACITY }), never, clock), ofType('PolicyRefused'));
    const noFabric = { ...lessor, reserve: () => Promise.reject(new PenstockError('InvalidInput', 'no such fabric.')) };
    await assert.rejects(withinWindow(noFabric, wish('a', 1), never, clock), ofType('InvalidInput'));
    const others = ['b', 'c'].map((holder) => sender(lessor, clock, wish(holder, CAPACITY)));
    await clock.advance(10);
    await assert.rejects(withinWindow(lessor, wish('d', 1), never, clock), ofType('WindowUnavailable'));
    await clock.advance(20_000);
    await Promise.all(others.map(({ done }) => done));
  });
});

describe('a window for a job that waits', () => {
  const LEAST = CAPACITY / 50;
  const PATIENCE_MS = 2000;

  function hold(lessor: Lessor, clock: ReturnType<typeof fakeClock>) {
    const reasons: string[] = [];
    const leastRate = { bytesPerSecond: LEAST, patienceMilliseconds: PATIENCE_MS, onWithout: (why: string) => void reasons.push(why) };
    const { signal: _, ...wished } = wish('commit', 100 * CAPACITY, { class: 'checkpoint' });
    const window = holdWindow(lessor, wished, leastRate, clock);
    const sent = { bytes: 0 };
    const send = async (): Promise<void> => {
      for (; sent.bytes < wished.bytes; sent.bytes += CHUNK) await window.limiter.take(CHUNK);
    };
    send().catch(() => undefined);
    return { sent, reasons, close: window.close };
  }

  it('holds for bytes as any other', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    const { sent, reasons, close } = hold(lessor, clock);
    await clock.advance(0);
    await clock.advance(2000);
    assert.ok(Math.abs(sent.bytes - 2 * CAPACITY) <= 0.1 * CAPACITY + CHUNK, `${sent.bytes} bytes in two seconds`);
    assert.deepEqual(reasons, []);
    await close();
    assert.equal(broker.state.reservations.length, 0);
  });

  it('that does not come in time goes on at the least rate and says why, until it comes', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    broker.isAway = true;
    const { sent, reasons, close } = hold(lessor, clock);
    await clock.advance(PATIENCE_MS - 1);
    assert.equal(sent.bytes, 0);
    await clock.advance(10_000);
    assert.ok(Math.abs(sent.bytes - 10 * LEAST) <= 0.1 * LEAST + 2 * CHUNK, `${sent.bytes} bytes in ten seconds`);
    assert.deepEqual(reasons, ['the broker does not answer: no broker answers']);
    broker.isAway = false;
    await clock.advance(3000);
    assert.ok(sent.bytes > CAPACITY, `${sent.bytes} bytes once it had a window`);
    await close();
  });

  it('that is lost on the way stops nobody for longer than that', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    const { sent, reasons, close } = hold(lessor, clock);
    await clock.advance(1000);
    broker.isAway = true;
    await clock.advance(LEASE_MS + PATIENCE_MS);
    const passed = sent.bytes;
    await clock.advance(10_000);
    assert.ok(Math.abs(sent.bytes - passed - 10 * LEAST) <= 0.1 * LEAST + 2 * CHUNK, `${sent.bytes - passed} bytes in ten seconds`);
    assert.equal(reasons.length, 1);
    await close();
  });

  it('that is not given, for the fabric is paused or its queue is full, is no window either', async () => {
    const clock = fakeClock();
    const { broker, lessor } = brokerOn(clock);
    broker.state = { ...broker.state, isPaused: true };
    const { sent, reasons, close } = hold(lessor, clock);
    await clock.advance(0);
    await clock.advance(PATIENCE_MS + 10_000);
    assert.ok(Math.abs(sent.bytes - 10 * LEAST) <= 0.1 * LEAST + 2 * CHUNK, `${sent.bytes} bytes in ten seconds`);
    assert.deepEqual(reasons, ['the broker let it wait: the fabric is paused']);
    await close();
    const full = { ...lessor, reserve: () => Promise.reject(new PenstockError('InvalidInput', 'no such fabric.')) };
    const second = hold(full, clock);
    await clock.advance(PATIENCE_MS + 1000);
    assert.ok(second.sent.bytes > 0);
    await second.close();
  });
});
