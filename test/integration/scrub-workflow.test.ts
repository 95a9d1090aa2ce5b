/** When a scrub reads, on the time-skipping server, with stand-ins that know hours as the real segments do. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { OpenedScrub, ScrubSegment, SetErasureLimit } from '../../activities/scrub.ts';
import { erasureCalls } from '../../client/erasure.ts';
import { type HoursOfDay, hoursAt } from '../../model/hours.ts';
import { queryNames, updateNames } from '../../model/messages.ts';
import { newScrub, SCRUB_WORKFLOW_ID, type ScrubProgress, type ScrubStatus, withObject, withoutWait } from '../../model/scrub.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';
import { eventually } from '../support/wait.ts';

const HOUR_MS = 3_600_000;
const OBJECTS_A_NIGHT = 3;
const ASKED_AT_MOST = 40;

describe('a scrub with hours', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());

  /** A set of so many objects, each a segment; after three of them the night is over. */
  function nights(total: number, eventsPerRun = 2000) {
    const readAt: number[] = [];
    const asked: number[] = [];
    let hours: HoursOfDay | undefined;
    let readTonight = 0;
    let behindMilliseconds = 0;
    const now = async (): Promise<number> => (await environment.currentTimeMs()) - behindMilliseconds;
    const openScrub = async (): Promise<OpenedScrub> => {
      const progress = newScrub('id', new Date(await now()).toISOString(), undefined);
      return { progress, bytesPerSecond: 1, heartbeatSeconds: 30, eventsPerRun };
    };
    const scrubSegment = async ({ progress: given }: ScrubSegment): Promise<ScrubProgress> => {
      const at = await now();
      asked.push(at);
      if (asked.length > ASKED_AT_MOST) throw ApplicationFailure.nonRetryable('it asks in a loop');
      const { isOpen, changesAt } = hoursAt(hours, at);
      const progress = withoutWait(given);
      if (at - (readAt.at(-1) ?? 0) > 12 * HOUR_MS) readTonight = 0;
      if (!isOpen || readTonight === OBJECTS_A_NIGHT) {
        const opensAt = isOpen ? hoursAt(hours, changesAt).changesAt : changesAt;
        return { ...progress, opensAt: new Date(opensAt).toISOString() };
      }
      readTonight++;
      readAt.push(at);
      const read = withObject(progress, { key: `object-${progress.objects}`, storedBytes: 1, margin: 4, problems: [] });
      return read.objects === total ? { ...read, state: 'complete' } : read;
    };
    return {
      readAt,
      asked,
      setHours: (named: HoursOfDay | undefined) => {
        hours = named;
      },
      /** The workers' clocks are so far behind. */
      setBehind: (milliseconds: number) => {
        behindMilliseconds = milliseconds;
      },
      byQueue: { control: { openScrub, setErasureLimit: async () => undefined }, erasure: { scrubSegment } },
    };
  }
  const begin = () =>
    environment.client.workflow.start('scrub', { workflowId: SCRUB_WORKFLOW_ID, taskQueue: 'control', args: [{}], workflowIdReusePolicy: 'ALLOW_DUPLICATE' });
  /** Hours that begin in so many hours from now, and last for two. */
  async function hoursFromNow(count: number): Promise<HoursOfDay> {
    const clock = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(11, 16);
    const from = (await environment.currentTimeMs()) + count * HOUR_MS;
    return { from: clock(from), to: clock(from + 2 * HOUR_MS), timeZone: 'UTC' };
  }
  const status = (): Promise<ScrubStatus> => environment.client.workflow.getHandle(SCRUB_WORKFLOW_ID).query<ScrubStatus>(queryNames.status);
  const waiting = () => eventually('the scrub to wait', async () => (await status()).progress?.opensAt);

  test('reads within them only, night after night, and reads each object once, over runs too', async () => {
    const { readAt, asked, setHours, byQueue } = nights(7, 20);
    const hours = await hoursFromNow(5);
    setHours(hours);
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin();
      // Asked over and over while it is busy, the test server forgets that it may skip time.
      await environment.sleep('1 hour');
      assert.match((await status()).progress?.opensAt ?? '', new RegExp(`T${hours.from}:00\\.000Z$`));
      const progress = (await handle.result()) as ScrubProgress;
      assert.deepEqual([progress.state, progress.objects, progress.opensAt], ['complete', 7, undefined]);
      const { runId } = await environment.client.workflow.getHandle(SCRUB_WORKFLOW_ID).describe();
      assert.notEqual(runId, handle.firstExecutionRunId, 'it went on in a new run');
    });
    for (const at of readAt) assert.ok(hoursAt(hours, at).isOpen, `read at ${new Date(at).toISOString()}`);
    const nightOf = (at: number): number => Math.round((at - (readAt[0] ?? 0)) / (24 * HOUR_MS));
    assert.deepEqual(readAt.map(nightOf), [0, 0, 0, 1, 1, 1, 2]);
    assert.equal(asked.length, readAt.length + 3, 'once before the first night, and once after each but the last');
  });

  test('is followed by heartbeats while it reads, keeps on record what a stopped segment read, and takes a rate but no other beginning while it runs', async () => {
    const limits: (number | null)[] = [];
    const object = { key: 'object', storedBytes: 1, margin: 4, problems: [] };
    const begun = newScrub('id', '2026-11-21T08:00:00.000Z', undefined);
    const openScrub = async (): Promise<OpenedScrub> => ({ progress: begun, bytesPerSecond: 1, heartbeatSeconds: 30, eventsPerRun: 2000 });
    const setErasureLimit = async ({ bytesPerSecond }: SetErasureLimit): Promise<void> => void limits.push(bytesPerSecond);
    let attempts = 0;
    const scrubSegment = async ({ progress }: ScrubSegment): Promise<ScrubProgress> => {
      const read = { ...withObject(withObject(progress, object), object), updatedAt: '2026-11-21T08:01:00.000Z' };
      if (++attempts === 1) throw ApplicationFailure.retryable('too many racks are silent.', 'StoreUnavailable');
      const beating = setInterval(() => Context.current().heartbeat(read), 100);
      return await Context.current()
        .cancelled.finally(() => clearInterval(beating))
        .catch((reason: unknown) => {
          throw new CancelledFailure(reason instanceof Error ? reason.message : 'stopped', [{ ...read, objects: 3 }]);
        });
    };
    await withWorkers(environment, { control: { openScrub, setErasureLimit }, erasure: { scrubSegment } }, async () => {
      const { scrub } = erasureCalls(environment.client);
      assert.equal((await scrub.start({})).attached, false);
      const live = await eventually('a heartbeat', async () => {
        const told = await scrub.status();
        return told.progress?.objects === 2 ? told : undefined;
      });
      assert.equal((await status()).progress?.objects, 0, 'the workflow is told at the end of the segment');
      assert.partialDeepStrictEqual(live.trouble, { message: 'too many racks are silent.', attempt: 2 });
      assert.equal((await scrub.start({ bytesPerSecond: null })).attached, true);
      assert.equal((await scrub.start({})).attached, true);
      assert.deepEqual(limits, [null]);
      await assert.rejects(scrub.start({ anew: true }), { type: 'Conflict', message: /anew: a scrub is under way.*penstock erasure scrub stop/ });
      const stopped = await scrub.stop();
      assert.deepEqual([stopped.running, stopped.progress?.objects], [false, 3]);
    });
  });

  test('asks again when a person resumes it, for the hours may be others by now', async () => {
    const { readAt, setHours, byQueue } = nights(1);
    setHours(await hoursFromNow(5));
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin();
      await waiting();
      const before = await environment.currentTimeMs();
      setHours(undefined);
      await handle.executeUpdate(updateNames.pause);
      assert.equal((await status()).paused, true);
      await handle.executeUpdate(updateNames.resume);
      await handle.result();
      assert.ok((readAt[0] ?? 0) - before < HOUR_MS);
    });
  });

  test('is stopped while it waits', async () => {
    const { readAt, setHours, byQueue } = nights(1);
    setHours(await hoursFromNow(5));
    await withWorkers(environment, byQueue, async () => {
      const handle = await begin();
      await waiting();
      await handle.cancel();
      await assert.rejects(handle.result(), /cancel/i);
    });
    assert.deepEqual(readAt, []);
  });

  test('does not ask in a loop where the clock of a worker is behind', async () => {
    const { readAt, asked, setHours, setBehind, byQueue } = nights(1);
    setHours(await hoursFromNow(5));
    setBehind(25_000);
    await withWorkers(environment, byQueue, async () => {
      await (await begin()).result();
    });
    assert.equal(readAt.length, 1);
    assert.ok(asked.length <= 5, `asked ${asked.length} times`);
  });
});
