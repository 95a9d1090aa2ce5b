/** A run of the demotion policy over many parts: on a Temporal server, with stand-ins that answer for sizes no test could move. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { OpenedDemotion } from '../../activities/demotion.ts';
import type { RemoveDemotedRequest } from '../../activities/demotion-removal.ts';
import type { VerifyRequest } from '../../activities/transfer.ts';
import type { DemotionResult, ListDemotionRequest, ListedDemotion, RemovedAnswer } from '../../model/demotion-run.ts';
import type { MoveAnswer, MoveRequest } from '../../model/transfer.ts';
import type { DemotionInput } from '../../workflows/demotion-policy.ts';
import { runsOf } from '../support/histories.ts';
import { manifestOf } from '../support/stand-in-movers.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';
import { eventually } from '../support/wait.ts';

const EVENTS_PER_RUN = 40;
const PARTS = 6;
const partOf = (prefix: string): number => Number(/part-(\d+)/.exec(prefix)?.[1]);

interface Story {
  /** The move of this part fails as a whole; of this one, a file fails; of this one, a file is changed meanwhile. */
  readonly failing?: number;
  readonly failingFile?: number;
  readonly changing?: number;
  /** The listing of this part does not end before it is cancelled. */
  readonly holding?: number;
  readonly onHold?: () => void;
}

async function untilCancelled({ onHold }: Story): Promise<void> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  onHold?.();
  await context.cancelled.finally(() => clearInterval(beat));
}

describe('a run of the demotion policy', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());

  async function play(workflowId: string, story: Story, work: (handle: WorkflowHandle) => Promise<unknown>) {
    const cursors: (ListDemotionRequest['cursor'] | undefined)[] = [];
    const calls: string[] = [];
    const records: (DemotionResult & { failure?: string })[] = [];
    const control = {
      openDemotion: async (): Promise<OpenedDemotion> => ({ heartbeatSeconds: 2, eventsPerRun: EVENTS_PER_RUN, firstTier: 'hot' }),
      recordDemotion: async (result: DemotionResult) => void records.push(result),
    };
    const moved = ({ manifest }: Pick<MoveRequest, 'manifest'>) => {
      const failed = partOf(manifest.prefix) === story.failingFile ? [{ path: 'b', type: 'Conflict', message: 'another content lies there' }] : [];
      return { ...manifest, files: manifest.files - failed.length, prefix: `${manifest.prefix}moved/`, failed };
    };
    const data = {
      listDemotion: async ({ cursor, part }: ListDemotionRequest): Promise<ListedDemotion> => {
        if (part === story.holding) await untilCancelled(story);
        cursors.push(cursor);
        return {
          moves: [
            {
              manifest: manifestOf(1, `manifests/part-${part}/`),
              source: { store: cursor.tier, bucket: 'training-data', prefix: '' },
              target: { store: 'warm', bucket: 'training-data', prefix: '' },
            },
          ],
          looked: { files: 5, bytes: 5000 },
          stayed: { young: 3 },
          ...(part + 1 < PARTS ? { next: { tier: 'hot', bucket: 'training-data', after: `file-${part}` } } : {}),
        };
      },
      moveWhole: async (request: MoveRequest): Promise<MoveAnswer> => {
        assert.deepEqual([request.replace, request.attributes], [false, true]);
        if (partOf(request.manifest.prefix) === story.failing) throw ApplicationFailure.nonRetryable('warm: the bucket is gone', 'NotFound');
        const { failed, ...arrived } = moved(request);
        return { files: arrived.files, bytes: arrived.bytes, failedCount: failed.length, failed, moved: arrived };
      },
      verifyTransfer: async ({ manifest, moved: verified }: VerifyRequest) => {
        assert.deepEqual(verified, manifest, 'what arrived is what is read back');
        calls.push(`verify ${partOf(manifest.prefix)}`);
      },
      removeDemoted: async ({ manifest, moved: arrived }: RemoveDemotedRequest): Promise<RemovedAnswer> => {
        const part = partOf(manifest.prefix);
        calls.push(`remove ${part}`);
        const kept = part === story.changing ? [{ file: 'hot:training-data/a', reason: 'it was changed' }] : [];
        return { removed: { files: arrived.files - kept.length, bytes: arrived.bytes }, keptCount: kept.length, kept };
      },
    };
    await withWorkers(environment, { control, data }, async () => {
      const handle = await environment.client.workflow.start<(input: DemotionInput) => Promise<DemotionResult>>('demotionPolicy', {
        workflowId,
        taskQueue: 'control',
        args: [{}],
      });
      await work(handle);
    });
    return { cursors, calls, records };
  }

  test('looks at each part once over several runs, verifies before it removes, and names a part that fails, a file that cannot be copied and one that was changed', async () => {
    const { cursors, calls, records } = await play('demotion-policy/long', { failing: 1, failingFile: 2, changing: 3 }, (handle) => handle.result());
    assert.deepEqual(
      cursors.map((cursor) => cursor?.after),
      [undefined, ...Array.from({ length: PARTS - 1 }, (_, part) => `file-${part}`)],
    );
    assert.deepEqual(calls, Array.from({ length: PARTS }, (_, part) => (part === 1 ? [] : [`verify ${part}`, `remove ${part}`])).flat());
    const { startedAt: _started, endedAt, ...result } = records[0] ?? assert.fail('nothing was recorded');
    assert.ok(endedAt !== undefined);
    assert.equal(records.length, 1);
    assert.deepEqual(result, {
      looked: { files: 5 * PARTS, bytes: 5000 * PARTS },
      moved: { files: 2 * PARTS - 4, bytes: 1000 * (PARTS - 1) },
      stayed: { young: 3 * PARTS },
      keptCount: 4,
      kept: [
        { file: 'hot:training-data/', reason: 'warm: the bucket is gone' },
        { file: 'hot:training-data/b', reason: 'another content lies there' },
        { file: 'hot:training-data/a', reason: 'it was changed' },
      ],
    });
    const { raw } = await environment.client.workflow.getHandle('demotion-policy/long').describe();
    const runs = await runsOf(environment.client, 'demotion-policy/long', raw.workflowExecutionInfo?.firstRunId ?? '');
    assert.ok(runs.length > 2, `${runs.length} runs`);
    for (const { events } of runs) assert.ok(events.length < EVENTS_PER_RUN + 40, `${events.length} events`);
  });

  test('cancelled, it records how far it came', async () => {
    let isHeld = false;
    const story: Story = {
      holding: 2,
      onHold: () => {
        isHeld = true;
      },
    };
    const { records } = await play('demotion-policy/cancelled', story, async (handle) => {
      await eventually('the third part', () => isHeld || undefined);
      await handle.cancel();
      await assert.rejects(handle.result());
    });
    assert.deepEqual([records.length, records[0]?.failure], [1, 'cancelled']);
    assert.ok((records[0]?.moved.files ?? 0) >= 4);
  });
});
