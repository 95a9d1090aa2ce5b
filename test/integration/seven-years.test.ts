/** Seven years of retention, and the deadlines of an allocation, in seconds: on the time-skipping server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApplicationFailure, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { AttestRequest } from '../../activities/attestation.ts';
import type { FollowLogsRequest } from '../../activities/logs.ts';
import type { RetentionLook } from '../../model/checkpoint-retention.ts';
import { allocationWorkflowId, CONTROL_QUEUE } from '../../model/identifiers.ts';
import type { AllocationPlan } from '../../model/plan.ts';
import type { Attestation, RetentionFinding, RetentionStatus } from '../../model/retention.ts';
import { PoliciesSchema } from '../../model/site.ts';
import type { AllocationStatus } from '../../model/status.ts';
import type { FollowRequest } from '../../workflows/follow-logs.ts';
import type { CheckpointRetentionStatus, RetainCheckpointsRequest } from '../../workflows/retain-checkpoints.ts';
import { startRetain, WHOLE } from '../support/retained.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';
import { eventually } from '../support/wait.ts';

const DAY_MS = 86_400_000;
const SEVEN_YEARS_DAYS = 2557;

describe('years in seconds', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());

  test('a seven-year retention is attested each quarter, and once when it ends on its day, not before', async () => {
    const attested: number[] = [];
    const asked: boolean[] = [];
    const attestRetained = async ({ isLocked }: AttestRequest): Promise<Attestation> => {
      asked.push(isLocked);
      attested.push(await environment.currentTimeMs());
      return WHOLE;
    };
    const startedAt = await environment.currentTimeMs();
    const until = startedAt + SEVEN_YEARS_DAYS * DAY_MS;
    const { status, endedAt } = await withWorkers(environment, { control: {}, data: { attestRetained } }, async () => {
      const handle = await startRetain(environment.client, 'seven-years', until);
      return { status: await handle.result(), endedAt: await closeTime(handle) };
    });
    assert.ok(endedAt >= until && endedAt < until + DAY_MS, `ended ${new Date(endedAt).toISOString()}, due ${new Date(until).toISOString()}`);
    assert.deepEqual([status.attestations, status.stage], [Math.floor((SEVEN_YEARS_DAYS - 1) / 90), 'free']);
    assert.deepEqual(asked, [...Array.from({ length: status.attestations }, () => true), false]);
    for (const [index, at] of attested.slice(0, -1).entries())
      assert.ok(Math.abs(at - (startedAt + (index + 1) * 90 * DAY_MS)) < DAY_MS, `attestation ${index}`);
  });

  test('the logs of a thousand nodes are followed by four activities at a time, turn after turn, in histories that stay small', async () => {
    const followed: string[][] = [];
    const followLogs = async ({ nodes }: FollowLogsRequest) => {
      followed.push([...nodes]); // its turn is over at once
      return { nodes: nodes.length, chunks: 0, rawBytes: 0, failing: [] };
    };
    const nodes = Array.from({ length: 1000 }, (_, index) => `n${index}`);
    const until = new Date((await environment.currentTimeMs()) + 365 * DAY_MS).toISOString();
    const first = await withWorkers(environment, { control: {}, logs: { followLogs } }, async () => {
      const handle = await environment.client.workflow.start<(request: FollowRequest) => Promise<void>>('followLogs', {
        workflowId: 'follow-logs/acme/vision/many',
        taskQueue: CONTROL_QUEUE,
        args: [{ tenant: 'acme', project: 'vision', allocationId: 'many', nodes, until, heartbeatSeconds: 30 }],
      });
      await eventually('the second run', () => followed.length > 4 * 8 || undefined);
      await environment.client.workflow.getHandle(handle.workflowId).cancel();
      await handle.result();
      return environment.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId).fetchHistory();
    });
    assert.ok(first.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes, 'it continued as new');
    assert.ok((first.events?.length ?? 0) <= 120, `${first.events?.length} events for six turns`);
    assert.deepEqual([...new Set(followed.map((group) => group.length))], [250]);
    assert.equal(new Set(followed.flat()).size, 1000);
  });

  test('an extension moves the end, one that fails does not stop the next, and an earlier date is refused', async () => {
    const extended: string[] = [];
    const extendLocks = async ({ retainUntil }: { retainUntil: string }) => {
      if (extended.push(retainUntil) === 1) throw ApplicationFailure.nonRetryable('the store is denied', 'Denied');
    };
    const startedAt = await environment.currentTimeMs();
    const day = (count: number) => new Date(startedAt + count * DAY_MS).toISOString();
    await withWorkers(environment, { control: {}, data: { attestRetained: async () => WHOLE, extendLocks } }, async () => {
      const handle = await startRetain(environment.client, 'extended', Date.parse(day(400)));
      const extend = (retainUntil: string) => handle.executeUpdate<RetentionStatus, [unknown]>('extendRetention', { args: [{ retainUntil }] });
      await assert.rejects(extend(day(1)));
      await assert.rejects(extend(day(900)));
      assert.equal((await extend(day(1000))).retainUntil, day(1000));
      assert.deepEqual(extended, [day(900), day(1000)]);
      await handle.result();
      assert.ok((await closeTime(handle)) >= Date.parse(day(1000)));
    });
  });

  test('a breach is shown, and looked at again within a week until it is mended', async () => {
    const seen: { readonly status: RetentionStatus; readonly atMs: number }[] = [];
    const findings: RetentionFinding[] = [{ kind: 'unlocked', path: 'weights.bin', what: 'it has no lock' }];
    const attestRetained = async (): Promise<Attestation> => {
      const status = await environment.client.workflow.getHandle('retention/acme/vision/breached').query<RetentionStatus>('status');
      seen.push({ status, atMs: await environment.currentTimeMs() });
      if (seen.length !== 2) return WHOLE;
      const details = [{ ...WHOLE, findingCount: 1, findings }];
      throw ApplicationFailure.create({ message: '1 findings', type: 'PolicyRefused', nonRetryable: true, details });
    };
    const until = (await environment.currentTimeMs()) + 300 * DAY_MS;
    const status = await withWorkers(environment, { control: {}, data: { attestRetained } }, async () =>
      (await startRetain(environment.client, 'breached', until)).result(),
    );
    const breach = 'unlocked: weights.bin: it has no lock';
    assert.deepEqual(
      seen.map(({ status: then }) => [then.attestations, then.breach]),
      [
        [0, undefined],
        [1, undefined],
        [1, breach],
        [2, undefined],
        [3, undefined],
      ],
    );
    assert.equal(Math.round(((seen[2]?.atMs ?? 0) - (seen[1]?.atMs ?? 0)) / DAY_MS), 7);
    assert.deepEqual([status.attestations, status.findings], [3, []]);
  });

  test('the checkpoints of an ended allocation are looked at when their days are over, and again as long as one is held, over runs that continue as new', async () => {
    const looks: number[] = [];
    const startedAt = await environment.currentTimeMs();
    const at = (days: number) => new Date(startedAt + days * DAY_MS).toISOString();
    const removeSuperfluousCheckpoints = async (): Promise<RetentionLook> => {
      looks.push((await environment.currentTimeMs()) - startedAt);
      if (looks.length === 2) throw ApplicationFailure.nonRetryable('the racks are denied', 'Denied');
      return looks.length < 130
        ? { stay: 2, removed: 1, removedBytes: 1, held: 1, nextLookAt: at(100 + 7 * looks.length) }
        : { stay: 2, removed: 0, removedBytes: 0, held: 0 };
    };
    const { status, runs } = await withWorkers(environment, { control: {}, data: { removeSuperfluousCheckpoints } }, async () => {
      const handle = await environment.client.workflow.start<(request: RetainCheckpointsRequest) => Promise<CheckpointRetentionStatus>>('retainCheckpoints', {
        workflowId: 'checkpoint-retention/acme/vision/held',
        taskQueue: CONTROL_QUEUE,
        args: [{ tenant: 'acme', project: 'vision', allocationId: 'held', endedAt: at(0), lookAt: at(100), heartbeatSeconds: 30 }],
      });
      const result = await handle.result();
      const { runId } = await environment.client.workflow.getHandle(handle.workflowId).describe();
      return { status: result, runs: runId === handle.firstExecutionRunId ? 1 : 2 };
    });
    const days = looks.map((milliseconds) => milliseconds / DAY_MS);
    assert.deepEqual(days.slice(0, 4).map(Math.round), [100, 107, 108, 121], 'the second one failed: it is asked again a day later');
    assert.equal(looks.length, 130);
    assert.equal(status.removed, 128);
    assert.ok(runs > 1, 'no history outgrows its bound');
  });

  test('an allocation whose job nobody starts loses its pin on time, and fails when the phase is overdue', async () => {
    const released: unknown[] = [];
    const plan: AllocationPlan = {
      data: { mounts: [], outputPrefix: 'vision/absent/', checkpointPrefix: undefined, scratchBytesPerNode: 0 },
      policies: PoliciesSchema.parse({}),
    };
    const control = {
      admit: async () => plan,
      reserveHot: async ({ pinnedUntil }: { pinnedUntil: string }) => ({ pinnedUntil }),
      releaseHoldings: async (input: unknown) => void released.push(input),
      survey: async () => ({ mounts: [], recalls: [] }),
    };
    const key = { tenant: 'acme', project: 'vision', allocationId: 'absent' };
    const startedAt = await environment.currentTimeMs();
    const endedAt = await withWorkers(environment, { control, data: control }, async () => {
      const handle = await environment.client.workflow.start<(input: unknown) => Promise<AllocationStatus>>('allocation', {
        workflowId: allocationWorkflowId(key),
        taskQueue: CONTROL_QUEUE,
        args: [{ ...key, user: 'ada' }],
      });
      await assert.rejects(handle.result(), (error: Error) => /phase queued passed its deadline/.test(String(error.cause)));
      const status = await handle.query<AllocationStatus>('status');
      assert.equal(status.phase, 'failed');
      assert.ok(status.journal.some((entry) => entry.text.includes('pin of the staged data expired')));
      return closeTime(handle);
    });
    const days = (endedAt - startedAt) / DAY_MS;
    assert.ok(days > 8 && days < 9, `a day of pin and an hour of grace, then a week of waiting for a new start: ${days} days`);
    assert.equal(released.length, 1);
  });
});

/** By the server's clock, which is the one that was skipped. */
async function closeTime(handle: WorkflowHandle): Promise<number> {
  return (await handle.describe()).closeTime?.getTime() ?? Number.NaN;
}
