/** Each phase has a deadline of its own: on the time-skipping server, with activities that never get their work done. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ApplicationFailure, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { allocationWorkflowId, CONTROL_QUEUE } from '../../model/identifiers.ts';
import type { Phase } from '../../model/phase.ts';
import type { AllocationPlan } from '../../model/plan.ts';
import { PoliciesSchema } from '../../model/site.ts';
import type { AllocationStatus } from '../../model/status.ts';
import { keyOf, NODE } from '../support/scenario.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';
import { eventually } from '../support/wait.ts';

const HOUR_MS = 3_600_000;
const warm = { store: 'warm', bucket: 'training-data', prefix: 'x/' } as const;
type Activity = (...args: never[]) => Promise<unknown>;

/** Says no for ever, so long apart. */
const hopeless = (nextRetryDelay: '6 hours' | '5 minutes') => async (): Promise<never> => {
  throw ApplicationFailure.create({ message: 'the store does not answer', type: 'StoreUnavailable', nextRetryDelay });
};

describe('deadlines', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  let calls: string[] = [];
  // A server each: an attempt that was under way when its worker stopped would hold the clock of the next test.
  beforeEach(async () => {
    environment = await startTimeSkipping();
  });
  afterEach(() => environment.teardown());

  const survey = {
    mounts: [
      {
        mountIndex: 0,
        source: warm,
        target: warm,
        manifest: { store: 'warm', bucket: 'b', prefix: 'p/', pages: 1, files: 1, bytes: 1, digest: '0' },
        hotFiles: 0,
        hotBytes: 0,
      },
    ],
    recalls: [],
  };

  /** Runs an allocation whose named activities are hopeless; the others are done at once and only counted. */
  async function live<T>(id: string, overrides: Readonly<Record<string, Activity>>, story: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
    calls = [];
    const key = keyOf(id);
    const done =
      (name: string, answer: unknown): Activity =>
      async () => {
        calls.push(name);
        return answer;
      };
    const all: Record<string, Activity> = {
      admit: done('admit', plan(id)),
      survey: done('survey', { mounts: [], recalls: [] }),
      reserveHot: async ({ pinnedUntil }: { pinnedUntil: string }) => {
        calls.push('reserveHot');
        return { pinnedUntil };
      },
      transferSegment: done('transferSegment', { nextPage: undefined, progress: {}, failedCount: 0, failed: [] }),
      preparePrefixes: done('preparePrefixes', { output: {} }),
      openExports: done('openExports', []),
      takeSnapshots: done('takeSnapshots', []),
      prepareNode: done('prepareNode', { nodeId: 'n001', kind: 'nvme', path: '/s', bytes: 0, logSpool: '/l' }),
      archiveNodeLogs: done('archiveNodeLogs', undefined),
      closeLogs: done('closeLogs', { chunks: 0, bytes: 0, missingNodes: [] }),
      wipeNode: done('wipeNode', undefined),
      releaseHoldings: done('releaseHoldings', undefined),
      listPrefix: done('listPrefix', { store: 'warm', bucket: 'b', prefix: 'p/', pages: 0, files: 0, bytes: 0, digest: '0' }),
      verifyTransfer: done('verifyTransfer', undefined),
      writeOutputRecord: done('writeOutputRecord', undefined),
      removeMoved: done('removeMoved', undefined),
      ...overrides,
    };
    return withWorkers(environment, { control: all, data: all, 'node-n001': all }, async () =>
      story(
        await environment.client.workflow.start('allocation', {
          workflowId: allocationWorkflowId(key),
          taskQueue: CONTROL_QUEUE,
          args: [{ ...key, user: 'ada', walltimeSeconds: 3600 }],
        }),
      ),
    );
  }

  const failsWith = async (handle: WorkflowHandle, pattern: RegExp): Promise<{ status: AllocationStatus; hours: number }> => {
    await assert.rejects(handle.result(), (error: Error) => pattern.test(String(error.cause)));
    const { startTime, closeTime } = await handle.describe();
    return { status: await handle.query<AllocationStatus>('status'), hours: ((closeTime?.getTime() ?? Number.NaN) - startTime.getTime()) / HOUR_MS };
  };
  const startJob = async (handle: WorkflowHandle): Promise<void> => {
    await eventually('ready', async () => ((await handle.query<AllocationStatus>('status')).phase === 'ready' ? true : undefined));
    await handle.executeUpdate('assignNodes', { args: [{ nodes: [NODE] }] });
  };

  /** An update does not let time pass on this server; so it is told to, once the phase's timer runs. */
  const skipFrom = async (handle: WorkflowHandle, phase: Phase, time: '17 minutes' | '22 minutes'): Promise<void> => {
    await eventually(phase, async () => ((await handle.query<AllocationStatus>('status')).phase === phase ? true : undefined));
    await environment.sleep(time);
  };

  test('queued: a week without a survey fails the allocation and gives back', () =>
    live('queued', { survey: hopeless('6 hours') }, async (handle) => {
      const { status, hours } = await failsWith(handle, /phase queued passed its deadline of 168 h/);
      assert.deepEqual([status.phase, Math.round(hours)], ['failed', 168]);
      assert.deepEqual(calls, ['admit', 'releaseHoldings']);
    }));

  test('staging: two days without progress', () =>
    live(
      'staging',
      {
        survey: async () => survey,
        reserveHot: async ({ pinnedUntil }: { pinnedUntil: string }) => {
          await environment.client.workflow.getHandle(allocationWorkflowId(keyOf('staging'))).signal('stagingReport', { state: 'staging' });
          return { pinnedUntil };
        },
        transferSegment: hopeless('6 hours'),
      },
      async (handle) => {
        const { hours } = await failsWith(handle, /phase staging passed its deadline of 48 h/);
        assert.equal(Math.round(hours), 48);
        assert.ok(calls.includes('releaseHoldings'));
      },
    ));

  test('starting: ten minutes, then the start is refused, everything undone, and the allocation is ready again', () =>
    live('starting', { openExports: hopeless('5 minutes') }, async (handle) => {
      await eventually('ready', async () => ((await handle.query<AllocationStatus>('status')).phase === 'ready' ? true : undefined));
      const start = handle.executeUpdate('assignNodes', { args: [{ nodes: [NODE] }] });
      const refused = assert.rejects(start, (error: Error) => /starting passed its deadline/.test(String(error.cause)));
      await skipFrom(handle, 'starting', '17 minutes');
      await refused;
      const status = await handle.query<AllocationStatus>('status');
      assert.deepEqual([status.phase, status.nodes], ['ready', []]);
      assert.deepEqual(calls.slice(-2).sort(), ['releaseHoldings', 'wipeNode']);
      await handle.terminate();
    }));

  test('draining: a node that cannot ship its logs or be wiped is handed back all the same, and named', () =>
    live('draining', { archiveNodeLogs: hopeless('5 minutes'), wipeNode: hopeless('5 minutes') }, async (handle) => {
      await startJob(handle);
      const finish = handle.executeUpdate<{ uncleanNodes: string[]; nodesReleasedAt: string }, [unknown]>('finish', { args: [{ outcome: 'failed' }] });
      await skipFrom(handle, 'draining', '22 minutes');
      const answer = await finish;
      assert.deepEqual(answer.uncleanNodes, ['n001']);
      await handle.result();
      const status = await handle.query<AllocationStatus>('status');
      assert.equal(status.phase, 'released');
      const minutes =
        (Date.parse(answer.nodesReleasedAt) - Date.parse(status.journal.find((entry) => entry.text.startsWith('job finished'))?.at ?? '')) / 60_000;
      // This server tells a waiting attempt of its cancellation only when it tries again, within five minutes.
      assert.ok(minutes >= 15 && minutes < 21, `${minutes} minutes`);
    }));
});

function plan(id: string): AllocationPlan {
  return { data: { mounts: [], outputPrefix: `vision/${id}/`, checkpointPrefix: undefined, scratchBytesPerNode: 0 }, policies: PoliciesSchema.parse({}) };
}
