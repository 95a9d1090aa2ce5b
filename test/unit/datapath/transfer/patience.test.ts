import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createPatience, MAX_TRIES } from '../../../../datapath/transfer/patience.ts';
import { type ErrorType, PenstockError } from '../../../../model/errors.ts';

const fault = (type: ErrorType) => new PenstockError(type, 'as told');
const immediately = () => Promise.resolve();
const failing = (type: ErrorType, times: number) => {
  let tries = 0;
  const step = () => {
    tries += 1;
    return tries <= times ? Promise.reject(fault(type)) : Promise.resolve(tries);
  };
  return step;
};

describe('patience', () => {
  it('halves what is in flight with each refusal and grows back by one a round', async () => {
    const patience = createPatience({ maxWindow: 16, sleep: immediately });
    assert.equal(await patience.run(failing('StoreThrottled', 3)), 4);
    assert.equal(patience.window(), 2);
    for (let step = 0; step < 200; step += 1) await patience.run(immediately);
    assert.equal(patience.window(), 16);
  });

  it('pauses longer from try to try, and ends with the last error', async () => {
    const pauses: number[] = [];
    const patience = createPatience({ maxWindow: 4, random: () => 1, sleep: (milliseconds) => Promise.resolve(pauses.push(milliseconds)) });
    await assert.rejects(patience.run(failing('StoreUnavailable', Number.POSITIVE_INFINITY)), { name: 'StoreUnavailable' });
    assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400]);
    assert.equal(pauses.length, MAX_TRIES - 1);
  });

  it('tries damage once more, and what is final not at all', async () => {
    const patience = createPatience({ maxWindow: 4, sleep: immediately });
    assert.equal(await patience.run(failing('ChecksumMismatch', 1)), 2);
    await assert.rejects(patience.run(failing('ChecksumMismatch', 2)), { name: 'ChecksumMismatch' });
    for (const type of ['NotFound', 'Denied', 'OutOfSpace', 'Conflict'] satisfies ErrorType[]) {
      await assert.rejects(patience.run(failing(type, 1)), { name: type });
    }
    assert.equal(patience.window(), 4);
  });

  it('never has more at once than its window', async () => {
    const patience = createPatience({ maxWindow: 3, sleep: immediately });
    let now = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 30 }, () =>
        patience.run(async () => {
          now += 1;
          most = Math.max(most, now);
          await new Promise(setImmediate);
          now -= 1;
        }),
      ),
    );
    assert.equal(most, 3);
  });

  it('ends at once when called off', async () => {
    const controller = new AbortController();
    const patience = createPatience({ maxWindow: 1 });
    const ended = patience.run(() => Promise.reject(fault('StoreThrottled')), controller.signal);
    controller.abort();
    await assert.rejects(ended, { name: 'AbortError' });
  });

  it('lets go of its place in line at once when called off, and takes nobody else’s', { timeout: 5000 }, async () => {
    const controller = new AbortController();
    const patience = createPatience({ maxWindow: 1 });
    const gate = Promise.withResolvers<void>();
    const running = patience.run(() => gate.promise);
    const begun: string[] = [];
    const waiting = patience.run(async () => begun.push('called off'), controller.signal);
    const behind = patience.run(async () => begun.push('behind'));
    const reason = new Error('called off');
    controller.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(
      patience.run(async () => begun.push('came too late'), controller.signal),
      reason,
    );
    gate.resolve();
    await Promise.all([running, behind, patience.run(async () => begun.push('last'), new AbortController().signal)]);
    assert.deepEqual(begun, ['behind', 'last']);
  });
});
