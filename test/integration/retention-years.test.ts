/** Retentions over years, in seconds: holds and decisions, on the time-skipping server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApplicationFailure, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { LockRequest, Ordered } from '../../activities/retention.ts';
import type { RetentionStatus } from '../../model/retention.ts';
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

  test('where a person is asked, it waits however long; a hold goes before the decision, and deletion is tried until the store agrees', async () => {
    let tries = 0;
    const deleteRetained = async ({ user }: LockRequest & Ordered) => {
      assert.equal(user, 'ada');
      tries += 1;
      if (tries < 3) throw ApplicationFailure.nonRetryable('cold: locked by its clock', 'Denied');
    };
    const data = { attestRetained: async () => WHOLE, placeHold: async () => undefined, releaseHold: async () => undefined, deleteRetained };
    const until = (await environment.currentTimeMs()) + 30 * DAY_MS;
    await withWorkers(environment, { control: {}, data }, async () => {
      const handle = await startRetain(environment.client, 'asked', until, { terms: { holdDays: 180, readShare: 0, disposition: 'ask' } });
      const order = (update: string, input: object) =>
        handle.executeUpdate<RetentionStatus, [unknown]>(update, { args: [{ reason: 'period over', actor: 'ada', ...input }] });
      const dispose = () => order('disposeRetained', { decision: 'delete' });
      await assert.rejects(dispose(), (error: Error) => /the retention stands until/.test(String(error.cause)));
      await environment.sleep('1000 days');
      assert.equal((await handle.query<RetentionStatus>('status')).stage, 'undecided');
      await order('placeHold', {});
      await assert.rejects(dispose(), (error: Error) => /and a legal hold/.test(String(error.cause)));
      await order('releaseHold', {});
      await environment.sleep('400 days');
      assert.equal((await handle.query<RetentionStatus>('status')).stage, 'undecided');
      const decidedMs = await environment.currentTimeMs();
      await dispose();
      const status = await handle.result();
      assert.deepEqual([status.stage, status.decision?.decision, tries], ['deleted', 'delete', 3]);
      assert.equal(Math.round(((await closeTime(handle)) - decidedMs) / DAY_MS), 2);
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
