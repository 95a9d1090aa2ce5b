/** Retentions over years, in seconds: holds and decisions, on the time-skipping server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApplicationFailure, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { LockRequest, Ordered } from '../../activities/retention.ts';
import type { Attestation, RetentionStatus } from '../../model/retention.ts';
import { startRetain, WHOLE } from '../support/retained.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';

const DAY_MS = 86_400_000;

describe('a retention, over years', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());

  test('while a legal hold stands, for eleven years, the lock is extended again and again and never shortened; released, it ends', async () => {
    const locked: { readonly untilMs: number; readonly atMs: number; readonly user: string }[] = [];
    const released: boolean[] = [];
    const placeHold = async ({ retainUntil, user }: LockRequest & Ordered) =>
      void locked.push({ untilMs: Date.parse(retainUntil), atMs: await environment.currentTimeMs(), user });
    const releaseHold = async ({ isLast }: { isLast: boolean }) => void released.push(isLast);
    const until = (await environment.currentTimeMs()) + 200 * DAY_MS;
    const data = { attestRetained: async () => WHOLE, placeHold, releaseHold };
    await withWorkers(environment, { control: {}, data }, async () => {
      const handle = await startRetain(environment.client, 'held', until);
      // Of whichever run is the current one.
      const current = environment.client.workflow.getHandle(handle.workflowId);
      const order = (update: string, matter: string) =>
        current.executeUpdate<RetentionStatus, [unknown]>(update, { args: [{ matter, reason: 'subpoena', actor: 'ada' }] });
      await order('placeHold', 'case-1');
      assert.equal((await order('placeHold', 'case-2')).holds.length, 2);
      assert.equal((await order('placeHold', 'case-2')).holds.length, 2);
      await assert.rejects(order('releaseHold', 'case-3'), (error: Error) => /case-3.*accepted: case-1, case-2/.test(String(error.cause)));
      await environment.sleep('4000 days');
      await order('releaseHold', 'case-1');
      await environment.sleep('100 days');
      const last = await order('releaseHold', 'case-2');
      const status = await current.result();
      const { runId } = await current.describe();
      assert.notEqual(runId, handle.firstExecutionRunId, 'holds are carried over runs');
      assert.deepEqual(released, [false, true]);
      assert.deepEqual(
        last.holds.map(({ matter, released: end }) => [matter, end?.actor]),
        [
          ['case-2', 'ada'],
          ['case-1', 'ada'],
        ],
      );
      assert.ok((await closeTime(current)) >= Date.parse(last.retainUntil), 'what was extended stays');
      assert.equal(status.stage, 'free');
    });
    assert.deepEqual(new Set(locked.map(({ user }) => user)), new Set(['ada', 'penstock']));
    for (const [index, { untilMs, atMs }] of locked.entries()) {
      assert.ok(untilMs >= (locked[index - 1]?.untilMs ?? until), 'no date moves back');
      assert.ok(untilMs >= atMs + 179 * DAY_MS, 'there is always another look before it would lapse');
    }
    assert.ok(locked.length > 44, `${locked.length} times`);
  });

  test('where a person is asked, it stays locked until somebody decides, however long; a hold goes before the decision, and deletion is tried until the store agrees', async () => {
    let tries = 0;
    const deleteRetained = async ({ user }: LockRequest & Ordered) => {
      assert.equal(user, 'ada');
      tries += 1;
      if (tries < 3) throw ApplicationFailure.nonRetryable('cold: locked by its clock', 'Denied');
    };
    const until = (await environment.currentTimeMs()) + 60 * DAY_MS;
    const locks: { readonly untilMs: number; readonly atMs: number }[] = [{ untilMs: until, atMs: 0 }];
    const lock = async ({ retainUntil }: LockRequest) => void locks.push({ untilMs: Date.parse(retainUntil), atMs: await environment.currentTimeMs() });
    const data = { attestRetained: async () => WHOLE, extendLocks: lock, placeHold: lock, releaseHold: async () => undefined, deleteRetained };
    await withWorkers(environment, { control: {}, data }, async () => {
      const handle = await startRetain(environment.client, 'asked', until, { terms: { holdDays: 180, readShare: 0, disposition: 'ask' } });
      const current = environment.client.workflow.getHandle(handle.workflowId);
      const status = () => current.query<RetentionStatus>('status');
      const order = (update: string, input: object) =>
        current.executeUpdate<RetentionStatus, [unknown]>(update, { args: [{ reason: 'period over', actor: 'ada', ...input }] });
      const dispose = (decision = 'delete') => order('disposeRetained', { decision });
      await assert.rejects(dispose(), (error: Error) => /the retention stands until/.test(String(error.cause)));
      await environment.sleep('1000 days');
      const undecided = await status();
      assert.deepEqual([undecided.stage, undecided.promisedUntil], ['undecided', new Date(until).toISOString()]);
      await order('placeHold', {});
      await assert.rejects(dispose(), (error: Error) => /and a legal hold/.test(String(error.cause)));
      await order('releaseHold', {});
      await environment.sleep('400 days');
      assert.equal((await status()).stage, 'undecided');
      await dispose('keep');
      const decided = await dispose();
      assert.deepEqual([decided.decision?.decision, tries], ['delete', 0], 'a decision that has not taken effect may be another one');
      const ended = await current.result();
      assert.deepEqual([ended.stage, tries], ['deleted', 3]);
      const last = locks.at(-1)?.untilMs ?? 0;
      assert.equal(Math.round(((await closeTime(current)) - last) / DAY_MS), 2, 'nothing is deleted before the last lock has run out');
    });
    for (const [index, { atMs, untilMs }] of locks.entries()) {
      const before = locks[index - 1]?.untilMs ?? Number.POSITIVE_INFINITY;
      assert.ok(atMs < before, `locked again before the lock before ran out: ${new Date(atMs).toISOString()}`);
      if (index > 0) assert.ok(untilMs >= atMs + 29 * DAY_MS);
    }
    assert.ok(locks.length > 60, `${locks.length} times`);
  });

  test('an extension of what nobody has decided, or somebody has, asks again at its end; a lock that the store refuses is a finding until it takes it', async () => {
    let isMended = false;
    const extendLocks = async () => {
      if (!isMended) throw ApplicationFailure.nonRetryable('cold: denied', 'Denied');
    };
    const until = (await environment.currentTimeMs()) + 60 * DAY_MS;
    await withWorkers(environment, { control: {}, data: { attestRetained: async () => WHOLE, extendLocks } }, async () => {
      const handle = await startRetain(environment.client, 'asked-again', until, { terms: { holdDays: 180, readShare: 0, disposition: 'ask' } });
      const order = (update: string, input: object) => handle.executeUpdate<RetentionStatus, [unknown]>(update, { args: [input] });
      const dispose = () => order('disposeRetained', { decision: 'keep', reason: 'period over', actor: 'ada' });
      await environment.sleep('50 days');
      const refused = await handle.query<RetentionStatus>('status');
      assert.deepEqual([refused.stage, refused.breach], ['undecided', 'not-held: nobody has decided, and the lock could not be extended: cold: denied']);
      isMended = true;
      await environment.sleep('2 days');
      const mended = await handle.query<RetentionStatus>('status');
      assert.deepEqual([mended.findings, Date.parse(mended.retainUntil) > until], [[], true]);
      await dispose();
      const longer = new Date((await environment.currentTimeMs()) + 300 * DAY_MS).toISOString();
      const extended = await order('extendRetention', { retainUntil: longer });
      assert.deepEqual([extended.decision, extended.promisedUntil, extended.retainUntil], [undefined, undefined, longer]);
      await assert.rejects(dispose(), (error: Error) => /the retention stands until/.test(String(error.cause)));
      await environment.sleep('350 days');
      assert.equal((await handle.query<RetentionStatus>('status')).promisedUntil, longer);
      await dispose();
      assert.equal((await handle.result()).stage, 'free');
    });
  });

  test('a clock of ours that is ahead of the store does not end the watch: it ends by both', async () => {
    const until = (await environment.currentTimeMs()) + 30 * DAY_MS;
    const behindMs = 100 * DAY_MS;
    const attestRetained = async (): Promise<Attestation> => {
      const storeTime = new Date((await environment.currentTimeMs()) - behindMs).toISOString();
      const details = [{ ...WHOLE, storeTime, findingCount: 1, findings: [{ kind: 'clock-off', what: 'apart' }] }];
      throw ApplicationFailure.create({ message: '1 findings', type: 'PolicyRefused', nonRetryable: true, details });
    };
    await withWorkers(environment, { control: {}, data: { attestRetained } }, async () => {
      const handle = await startRetain(environment.client, 'ahead', until);
      assert.equal((await handle.result()).stage, 'free');
      assert.ok((await closeTime(handle)) >= until + behindMs);
    });
  });

  test('a hold that the store does not take stands all the same, past the end, and is tried again until it is taken', async () => {
    let isMended = false;
    const placeHold = async () => {
      if (!isMended) throw ApplicationFailure.nonRetryable('cold: denied', 'Denied');
    };
    const data = { attestRetained: async () => WHOLE, placeHold, releaseHold: async () => undefined };
    const until = (await environment.currentTimeMs()) + 100 * DAY_MS;
    await withWorkers(environment, { control: {}, data }, async () => {
      const handle = await startRetain(environment.client, 'refused', until);
      const order = (update: string) => handle.executeUpdate<RetentionStatus, [unknown]>(update, { args: [{ reason: 'subpoena', actor: 'ada' }] });
      await assert.rejects(order('placeHold'), (error: Error) => /The hold stands.*cold: denied/.test(String(error.cause)));
      await environment.sleep('150 days');
      const refused = await handle.query<RetentionStatus>('status');
      assert.deepEqual([refused.stage, refused.breach, refused.holds.length], ['kept', 'not-held: cold: denied', 1]);
      isMended = true;
      await environment.sleep('8 days');
      const held = await handle.query<RetentionStatus>('status');
      assert.deepEqual([held.findings, Date.parse(held.retainUntil) > until], [[], true]);
      await order('releaseHold');
      assert.equal((await handle.result()).stage, 'free');
    });
  });
});

/** By the server's clock, which is the one that was skipped. */
async function closeTime(handle: WorkflowHandle): Promise<number> {
  return (await handle.describe()).closeTime?.getTime() ?? Number.NaN;
}
