import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createFairLimiter, createRateLimiter, refill, waitMs } from '../../../../datapath/transfer/rate-limiter.ts';
import { fakeClock } from '../../../support/fake-clock.ts';

describe('the bucket', () => {
  it('never gains more than its rate allows, nor holds more than a burst', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e10 }), fc.array(fc.integer({ min: 0, max: 1e7 })), (rate, steps) => {
        let bucket = { tokens: -5 * rate, atMs: 0, rate };
        for (const step of steps) bucket = refill(bucket, bucket.atMs + step);
        assert.ok(bucket.tokens <= Math.min(rate * 0.1, -5 * rate + (rate * bucket.atMs) / 1000) + 1);
      }),
    );
  });

  it('is out of debt after the wait it asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e10 }), fc.integer({ min: 1, max: 1e12 }), (rate, debt) => {
        const bucket = { tokens: -debt, atMs: 0, rate };
        assert.equal(waitMs(refill(bucket, waitMs(bucket))), 0);
      }),
    );
  });

  it('is not troubled by a clock that goes backwards', () => {
    assert.deepEqual(refill({ tokens: 3, atMs: 1000, rate: 100 }, 10), { tokens: 3, atMs: 1000, rate: 100 });
  });
});

describe('the limiter', () => {
  it('lets through what the rate allows and one slice more, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1000, max: 1e9 }),
        fc.array(fc.integer({ min: 1, max: 1e7 }), { minLength: 1, maxLength: 50 }),
        async (rate, sizes) => {
          const clock = fakeClock();
          const limiter = createRateLimiter(rate, clock);
          let passed = 0;
          const waiting = sizes.map((bytes) =>
            limiter.take(bytes).then(() => {
              passed += bytes;
            }),
          );
          await clock.advance(1000);
          assert.ok(passed <= rate * 1.1 + Math.max(65_536, rate * 0.02));
          await clock.advance((sizes.reduce((sum, bytes) => sum + bytes, 0) / rate) * 1000 + 100 * sizes.length);
          await Promise.all(waiting);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('serves first come, first served, however large', async () => {
    const clock = fakeClock();
    const limiter = createRateLimiter(100, clock);
    const order: number[] = [];
    for (const [index, bytes] of [500, 1, 300, 1].entries()) void limiter.take(bytes).then(() => order.push(index));
    await clock.advance(20_000);
    assert.deepEqual(order, [0, 1, 2, 3]);
  });

  it('stops at rate 0 and goes on at once when a window is granted', async () => {
    const clock = fakeClock();
    const limiter = createRateLimiter(100, clock);
    await limiter.take(100);
    limiter.setRate(0);
    let passed = false;
    void limiter.take(1).then(() => {
      passed = true;
    });
    await clock.advance(3_600_000);
    assert.equal(passed, false);
    limiter.setRate(1000);
    await clock.advance(1000);
    assert.equal(passed, true);
  });

  it('a faster rate shortens the wait of those who wait already', async () => {
    const clock = fakeClock();
    const limiter = createRateLimiter(1, clock);
    await limiter.take(60_000);
    let passed = false;
    void limiter.take(1).then(() => {
      passed = true;
    });
    await clock.advance(1000);
    assert.equal(passed, false);
    limiter.setRate(1_000_000);
    await clock.advance(1000);
    assert.equal(passed, true);
  });

  it('does not limit at Infinity, and can be limited afterwards', async () => {
    const clock = fakeClock();
    const limiter = createRateLimiter(Infinity, clock);
    for (let index = 0; index < 10; index += 1) await limiter.take(1e12);
    limiter.setRate(10);
    let passed = 0;
    for (let index = 0; index < 3; index += 1)
      void limiter.take(10).then(() => {
        passed += 1;
      });
    await clock.advance(500);
    assert.equal(passed, 1);
  });

  it('lets go of whoever gives up, without holding up those behind', async () => {
    const clock = fakeClock();
    const limiter = createRateLimiter(100, clock);
    await limiter.take(100);
    const controller = new AbortController();
    const impatient = limiter.take(1e12, controller.signal);
    const patient = limiter.take(1);
    controller.abort();
    await assert.rejects(impatient, { name: 'AbortError' });
    await clock.advance(1100);
    await patient;
    await assert.rejects(limiter.take(1, controller.signal), { name: 'AbortError' });
  });

  it('refuses a rate that is none', () => {
    assert.throws(() => createRateLimiter(-1), RangeError);
    assert.throws(() => createRateLimiter(Number.NaN), RangeError);
  });
});

describe('a limiter with queues', () => {
  it('serves them in turn where their pieces are equal, however many wait in each', async () => {
    const clock = fakeClock();
    const limiter = createFairLimiter(100, clock);
    const order: string[] = [];
    for (const key of ['many', 'many', 'many', 'many', 'one', 'two', 'two'])
      void limiter
        .queue(key)
        .take(100)
        .then(() => order.push(key));
    await clock.advance(10_000);
    assert.deepEqual(order, ['many', 'one', 'two', 'many', 'two', 'many', 'many']);
  });

  it('gives each its equal part, and the rest to those who still want it', async () => {
    const clock = fakeClock();
    const limiter = createFairLimiter(1000, clock);
    const passed = { greedy: 0, modest: 0 };
    const draw = async (key: 'greedy' | 'modest', times: number): Promise<void> => {
      for (let time = 0; time < times; time += 1) {
        await limiter.queue(key).take(100);
        passed[key] += 100;
      }
    };
    for (let stream = 0; stream < 20; stream += 1) void draw('greedy', 1000);
    void draw('modest', 20);
    await clock.advance(3000);
    assert.ok(Math.abs(passed.greedy - passed.modest) <= 300, JSON.stringify(passed));
    await clock.advance(7000);
    assert.equal(passed.modest, 2000);
    assert.ok(passed.greedy >= 7800, JSON.stringify(passed));
  });

  it('gives each as many bytes as the others, whatever the sizes and numbers of their pieces', async () => {
    // Enough of them that somebody always waits: a queue that is empty for a moment cannot be served.
    const pieces = fc
      .record({ bytes: fc.integer({ min: 64, max: 4096 }), more: fc.integer({ min: 0, max: 20 }) })
      .map(({ bytes, more }) => ({ bytes, streams: Math.ceil(8192 / bytes) + more }));
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { minLength: 2, maxLength: 5 }), async (kinds) => {
        const clock = fakeClock();
        const limiter = createFairLimiter(4096, clock);
        const passed = kinds.map(() => 0);
        const ending = new AbortController();
        const stream = async (index: number, bytes: number): Promise<void> => {
          while (!ending.signal.aborted) {
            await limiter.queue(`${index}`).take(bytes, ending.signal);
            passed[index] = (passed[index] ?? 0) + bytes;
          }
        };
        const streams = kinds.flatMap(({ bytes, streams }, index) => Array.from({ length: streams }, () => stream(index, bytes).catch(() => undefined)));
        await clock.advance(30_000);
        ending.abort();
        await Promise.all(streams);
        // A queue is never served while another one is behind it by more than the larger of their pieces.
        const largest = Math.max(...kinds.map(({ bytes }) => bytes));
        assert.ok(Math.max(...passed) - Math.min(...passed) <= 2 * largest, JSON.stringify({ kinds, passed }));
      }),
      { numRuns: 25 },
    );
  });

  it('gives small pieces that come one by one their part beside large ones, though they are away between them', async () => {
    const clock = fakeClock();
    const rate = 4 * 2 ** 20;
    const limiter = createFairLimiter(rate, clock);
    const ending = new AbortController();
    const passed = { large: 0, small: 0 };
    const stream = async (key: 'large' | 'small', bytes: number, awayMs: number): Promise<void> => {
      while (!ending.signal.aborted) {
        await limiter.queue(key).take(bytes, ending.signal);
        passed[key] += bytes;
        await new Promise<void>((resolve) => clock.after(awayMs, resolve));
      }
    };
    for (let lane = 0; lane < 4; lane += 1) void stream('large', 4 * 2 ** 20, 1).catch(() => undefined);
    // By themselves these could have 0.39 of the rate.
    for (let lane = 0; lane < 8; lane += 1) void stream('small', 4096, 20).catch(() => undefined);
    await clock.advance(20_000);
    ending.abort();
    assert.ok(passed.small >= 0.15 * rate * 20, JSON.stringify(passed));
    assert.ok(passed.small + passed.large >= 0.9 * rate * 20, JSON.stringify(passed));
  });

  it('owes nothing to whoever was away', async () => {
    const clock = fakeClock();
    const limiter = createFairLimiter(1000, clock);
    await limiter.queue('late').take(1);
    for (let time = 0; time < 50; time += 1) {
      void limiter.queue('busy').take(100);
      await clock.advance(100);
    }
    const order: string[] = [];
    for (const key of ['busy', 'late', 'late', 'late', 'busy', 'busy'])
      void limiter
        .queue(key)
        .take(100)
        .then(() => order.push(key));
    await clock.advance(5000);
    assert.deepEqual(order, ['late', 'busy', 'late', 'busy', 'late', 'busy'], 'one piece ahead at most, not the fifty that it did not ask for');
  });

  it('lets go of whoever gives up, and forgets his queue', async () => {
    const clock = fakeClock();
    const limiter = createFairLimiter(100, clock);
    await limiter.queue('a').take(100);
    const controller = new AbortController();
    const impatient = limiter.queue('a').take(100, controller.signal);
    const patient = limiter.queue('b').take(100);
    controller.abort();
    await assert.rejects(impatient, { name: 'AbortError' });
    await clock.advance(2000);
    await patient;
  });
});
