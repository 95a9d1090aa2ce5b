/** A recall's hours and days, in seconds: on the time-skipping server, with a store that restores by the server's clock. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { OpenRecallRequest, RecallRoundRequest } from '../../activities/recall.ts';
import { type ArchiveClass, nextLookMs } from '../../model/archive.ts';
import { CONTROL_QUEUE } from '../../model/identifiers.ts';
import { noRound, type OpenedRecall, type RecallInput, type RecallResult, type RecallRound, type RecallStatus } from '../../model/recall.ts';
import { eventsOf, runsOf, scheduled } from '../support/histories.ts';
import { manifestOf } from '../support/stand-in-movers.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';

const HOUR_MS = 3_600_000;
const FILES = 2;

interface Story {
  /** One object, restored so long after it was asked for. */
  readonly takesMs: number;
  /** Its first copy is gone when it is looked at. */
  readonly expiresOnce?: boolean;
  readonly storageClass?: ArchiveClass;
  readonly eventsPerRun?: number;
  readonly input?: Partial<RecallInput>;
}
interface Told extends Story {
  readonly looks: number[];
  readyAt?: number;
  hasExpired?: boolean;
}

describe('a recall', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  let working: Promise<void>;
  const over = Promise.withResolvers<void>();
  const stories = new Map<string, Told>();
  const storyOf = (name: string): Told => stories.get(name) ?? assert.fail(`no story ${name}`);

  before(async () => {
    environment = await startTimeSkipping();
    const begun = Promise.withResolvers<void>();
    working = withWorkers(environment, { control: {}, data: { openRecall, recallRound } }, () => {
      begun.resolve();
      return over.promise;
    });
    await begun.promise;
  });
  after(async () => {
    over.resolve();
    await working;
    await environment.teardown();
  });

  async function openRecall({ recallId }: OpenRecallRequest): Promise<OpenedRecall> {
    const { storageClass = 'GLACIER', eventsPerRun = 5000 } = storyOf(recallId);
    return { manifest: manifestOf(1, recallId), objects: 1, storageClass, heartbeatSeconds: 30, eventsPerRun, firstLookMs: 60_000 };
  }

  async function recallRound({ manifest }: RecallRoundRequest): Promise<RecallRound> {
    const story = storyOf(manifest.prefix);
    const now = await environment.currentTimeMs();
    story.looks.push(now);
    if (story.readyAt !== undefined && now < story.readyAt) return { ...noRound, waitingObjects: 1 };
    const isThere = story.readyAt !== undefined && (!story.expiresOnce || story.hasExpired);
    if (isThere) return { ...noRound, files: FILES, bytes: 2000 };
    story.hasExpired = story.readyAt !== undefined;
    story.readyAt = now + story.takesMs;
    return { ...noRound, waitingObjects: 1, asked: 1 };
  }

  async function begin(recallId: string, story: Story) {
    const told: Told = { ...story, looks: [] };
    stories.set(recallId, told);
    const workflowId = `recall/acme/vision/train-001/${recallId}`;
    const input: RecallInput = {
      ...{ recallId, tenant: 'acme', project: 'vision', allocationId: 'train-001' },
      target: { store: 'warm', bucket: 'acme', prefix: 'again/' },
      ...story.input,
    };
    const handle = await environment.client.workflow.start<(request: RecallInput) => Promise<RecallResult>>('recall', {
      workflowId,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    return { handle, workflowId, told };
  }

  /** By the server's clock, which goes on when all is over. */
  async function hoursOf(handle: WorkflowHandle): Promise<number> {
    const { closeTime } = await handle.describe();
    const { startedAt } = await handle.query<RecallStatus>('status');
    return (Number(closeTime) - Date.parse(startedAt)) / HOUR_MS;
  }

  test('waits by a timer, looks less and less often, and is done within a quarter more than the store took', async () => {
    const { handle, workflowId, told } = await begin('standard', { takesMs: 5 * HOUR_MS });
    assert.equal((await handle.result()).asked, 1);
    const { looks } = told;
    assert.ok(looks.length < 40, `${looks.length} looks`);
    const hours = await hoursOf(handle);
    assert.ok(hours > 5 && hours < 5.6, `${hours} h`);
    const pauses = looks.slice(1).map((at, index) => at - (looks[index] ?? 0));
    assert.ok(Math.max(...pauses) <= 31 * 60_000);
    assert.ok((pauses[0] ?? 0) >= 59_000);
    assert.equal(scheduled(await eventsOf(environment.client, workflowId), 'recallRound').length, looks.length);
    const status = await handle.query<RecallStatus>('status');
    assert.deepEqual([status.state, status.doneFiles, status.waiting], ['complete', FILES, undefined]);
  });

  test('asks again for what expired before it was read', async () => {
    const { handle } = await begin('expired', { takesMs: 12 * HOUR_MS, expiresOnce: true, input: { tier: 'bulk' } });
    const { state, asked } = await handle.result();
    assert.deepEqual([state, asked], ['complete', 2]);
    assert.ok((await hoursOf(handle)) > 24);
  });

  test('of two days in a deep archive keeps a bounded history over several runs', async () => {
    const { handle, workflowId } = await begin('deep', { takesMs: 48 * HOUR_MS, storageClass: 'DEEP_ARCHIVE', eventsPerRun: 200, input: { tier: 'bulk' } });
    await handle.result();
    const runs = await runsOf(environment.client, workflowId, handle.firstExecutionRunId);
    assert.ok(runs.length > 2, `${runs.length} runs`);
    for (const run of runs) assert.ok(run.events.length < 240, `${run.events.length} events`);
  });

  test('gives up at its hour and says what was not there', async () => {
    const { handle } = await begin('never', { takesMs: Number.MAX_SAFE_INTEGER, input: { giveUpAfterHours: 24 } });
    await assert.rejects(handle.result(), (error: Error) => /1 objects were not restored within 24 h/.test(String(error.cause)));
    const hours = await hoursOf(handle);
    assert.ok(hours >= 24 && hours < 24.1, `${hours} h`);
  });

  test('says what it waits for, since when, when it looks again and when it is expected, and ends when it is told to', async () => {
    const { handle } = await begin('shown', { takesMs: 5 * HOUR_MS, input: { path: 'a/b' } });
    let status = await handle.query<RecallStatus>('status');
    while (status.state !== 'waiting') status = await handle.query<RecallStatus>('status');
    assert.ok(status.waiting?.nextLookAt !== undefined && status.waiting.expectedBy !== undefined);
    assert.equal(Date.parse(status.waiting.nextLookAt) - Date.parse(status.waiting.since), nextLookMs(0));
    assert.equal(Date.parse(status.waiting.expectedBy) - Date.parse(status.waiting.since), 5 * HOUR_MS);
    assert.deepEqual([status.path, status.waitingObjects, status.objects], ['a/b', 1, 1]);
    await handle.cancel();
    await assert.rejects(handle.result());
    assert.equal((await handle.query<RecallStatus>('status')).state, 'cancelled');
  });
});
