/** What the workflows of transfers make of units that come and go: on a real server, with movers that move nothing. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { TransferInput } from '../../client/index.ts';
import type { MoveAnswer } from '../../model/transfer.ts';
import type { TransferStatus } from '../../model/transfer-input.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import type { MoveInput } from '../../workflows/move.ts';
import { runsOf, scheduled } from '../support/histories.ts';
import { type MoversSite, manifestOf, nothingLeft, startMoversSite, UNIT_BYTES } from '../support/stand-in-movers.ts';
import { eventually } from '../support/wait.ts';

const inputOf = (transferId: string, more: Partial<TransferInput> = {}): TransferInput => ({
  transferId,
  source: { store: 'warm', bucket: 'team-a', prefix: 'data/' },
  target: { store: 'cold', bucket: 'team-a', prefix: 'data' },
  ...more,
});
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const byNumber = (one: number, other: number): number => one - other;

describe('the workflows of transfers', { concurrency: false }, () => {
  let site: MoversSite;
  before(async () => {
    site = await startMoversSite();
  });
  after(() => site.stop());
  beforeEach(() => {
    Object.assign(site.standIns, {
      units: 3,
      failing: new Set(),
      gate: () => Promise.resolve(),
      abandon: () => Promise.resolve(nothingLeft),
      eventsPerRun: 2000,
      left: undefined,
      shares: new Set(),
      tells: [],
      mostAtOnce: 0,
    });
    site.standIns.begun.length = 0;
    site.standIns.limits.length = 0;
    site.standIns.abandoned.length = 0;
  });

  const runs = async (transferId: string, firstRunId: string) => runsOf(site.temporal, `transfer/${transferId}`, firstRunId);

  test('every unit is moved once, no more than its lanes at once, and the answer says where what arrived is on record', async () => {
    site.standIns.units = 20;
    // None ends before three are under way.
    const three = Promise.withResolvers<void>();
    site.standIns.gate = () => {
      if (site.standIns.begun.length >= 3) three.resolve();
      return three.promise;
    };
    await site.penstock.transfers.start(inputOf('whole', { lanes: 3, tenant: 'acme' }));
    const result = await site.penstock.transfers.wait('whole');
    assert.deepEqual([result.state, result.files, result.bytes, result.units, result.lanes], ['complete', 40, 20 * UNIT_BYTES, 20, 3]);
    assert.equal(result.moved?.prefix, 'manifests/transfers/whole/moved/');
    assert.deepEqual(site.standIns.begun.toSorted(byNumber), numbers(20));
    assert.equal(site.standIns.mostAtOnce, 3);
    const status = await site.penstock.transfers.status('whole');
    assert.deepEqual(
      [status.state, status.doneUnits, status.doneFiles, status.source, status.target],
      ['complete', 20, 40, 'warm:team-a/data/', 'cold:team-a/data/'],
    );
    await eventually(
      'it to be listed',
      async () => (await site.penstock.transfers.list({ state: 'complete', tenant: 'acme' })).some((row) => row.transferId === 'whole') || undefined,
    );
  });

  test('what fits one unit costs one activity for moving and finishing', async () => {
    site.standIns.units = 1;
    const { runId } = await site.penstock.transfers.start(inputOf('small'));
    assert.equal((await site.penstock.transfers.wait('small')).state, 'complete');
    const [run] = await runs('small', runId);
    assert.deepEqual(
      ['moveWhole', 'moveUnit', 'finishMove'].map((type) => scheduled(run?.events ?? [], type).length),
      [1, 0, 0],
    );
  });

  test('a move may take days while it beats: a file is begun anew where its attempt ends, however slow it may be', async () => {
    const seconds: number[] = [];
    for (const units of [1, 2]) {
      site.standIns.units = units;
      const { runId } = await site.penstock.transfers.start(inputOf(`patient-${units}`));
      await site.penstock.transfers.wait(`patient-${units}`);
      const [run] = await runs(`patient-${units}`, runId);
      for (const type of ['moveWhole', 'moveUnit', 'finishMove'])
        for (const { activityTaskScheduledEventAttributes: asked } of scheduled(run?.events ?? [], type)) {
          assert.equal(Number(asked?.heartbeatTimeout?.seconds), 4);
          seconds.push(Number(asked?.startToCloseTimeout?.seconds));
        }
    }
    assert.deepEqual(seconds, Array<number>(4).fill(7 * 86_400));
  });

  test('entries that could not be moved make it partial, which is an answer', async () => {
    site.standIns.failing = new Set([1]);
    await site.penstock.transfers.start(inputOf('partial'));
    const result = await site.penstock.transfers.wait('partial');
    assert.deepEqual(
      [result.state, result.files, result.failedCount, result.failed],
      ['partial', 5, 1, [{ path: 'unit-1/b', type: 'Denied', message: 'no right to read it' }]],
    );
  });

  test('started again it attaches, and other input under its name is refused', async () => {
    await site.penstock.transfers.start(inputOf('twice'));
    assert.equal((await site.penstock.transfers.start(inputOf('twice'))).attached, true);
    await assert.rejects(site.penstock.transfers.start(inputOf('twice', { replace: true })), { type: 'Conflict', message: /transferId/ });
    await site.penstock.transfers.wait('twice');
  });

  test('a plan lists and moves nothing', async () => {
    site.standIns.units = 9;
    const plan = await site.penstock.transfers.plan(inputOf('planned', { lanes: 4 }));
    assert.deepEqual([plan.state, plan.units, plan.lanes, plan.files, plan.moved], ['planned', 9, 4, 18, undefined]);
    assert.deepEqual(site.standIns.begun, []);
  });

  test('with a small history it goes on in new runs: no unit lost, none twice, no change of the rate forgotten', async () => {
    Object.assign(site.standIns, { units: 60, eventsPerRun: 60 });
    const { runId } = await site.penstock.transfers.start(inputOf('long', { lanes: 4 }));
    // One after the other while runs end and begin: each is answered, the last one holds.
    for (const bytesPerSecond of [1, 2, 3, 4, 5].map((each) => each * 1e6))
      await site.penstock.transfers.setRate('long', { bytesPerSecond }).catch(overAlready);
    const result = await site.penstock.transfers.wait('long');
    assert.deepEqual([result.state, result.files], ['complete', 120]);
    assert.deepEqual(site.standIns.begun.toSorted(byNumber), numbers(60));
    const all = await runs('long', runId);
    assert.ok(all.length >= 4, `${all.length} runs`);
    for (const { events } of all) {
      assert.ok(events.length < 60 + 4 * 20, `${events.length} events`);
      const accepted = events.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes).length;
      assert.equal(events.filter((event) => event.workflowExecutionUpdateCompletedEventAttributes).length, accepted);
    }
    process.stdout.write(`# 60 units in ${all.length} runs of ${all.map(({ events }) => events.length).join(', ')} events\n`);
  });

  test('the rate is put on record when it begins, when it is changed, and taken away at the end', async () => {
    const gate = Promise.withResolvers<void>();
    site.standIns.gate = () => gate.promise;
    await site.penstock.transfers.start(inputOf('limited', { bytesPerSecond: '10MB/s' }));
    await eventually('it to move', async () => (await site.penstock.transfers.status('limited')).state === 'moving' || undefined);
    await site.penstock.transfers.setRate('limited', { bytesPerSecond: 0 });
    assert.equal((await site.penstock.transfers.status('limited')).limit, 0);
    await assert.rejects(site.penstock.transfers.setRate('limited', { bytesPerSecond: 'fast' }), {
      type: 'InvalidInput',
      message: /bytesPerSecond: found "fast"; accepted: .*"2GB\/s"/,
    });
    await site.penstock.transfers.setRate('limited', { bytesPerSecond: null });
    gate.resolve();
    await site.penstock.transfers.wait('limited');
    assert.deepEqual(site.standIns.limits, [
      ['limited', 1e7],
      ['limited', 0],
      ['limited', null],
      ['limited', null],
    ]);
  });

  test('while units move, the status has what their heartbeats say', async () => {
    const gate = Promise.withResolvers<void>();
    site.standIns.gate = (unit) => (unit === 0 ? Promise.resolve() : gate.promise);
    await site.penstock.transfers.start(inputOf('watched', { lanes: 2 }));
    const status = await eventually('both to beat', async () => {
      const now = await site.penstock.transfers.status('watched');
      return now.doneBytes === 2 * UNIT_BYTES ? now : undefined;
    });
    assert.deepEqual([status.doneUnits, status.bytesPerSecond, status.doneFiles, status.settledBytes], [1, 14, 4, UNIT_BYTES]);
    gate.resolve();
    await site.penstock.transfers.wait('watched');
  });

  test('cancelled, it stops what moves and says what stays; its name may be used again', async () => {
    site.standIns.gate = (unit) => (unit === 0 ? Promise.resolve() : new Promise(() => undefined));
    await site.penstock.transfers.start(inputOf('cancelled', { lanes: 1 }));
    await eventually('the second unit to be under way', () => site.standIns.begun.includes(1) || undefined);
    const began = Date.now();
    const status = await site.penstock.transfers.cancel('cancelled');
    assert.ok(Date.now() - began < 10_000);
    assert.deepEqual([status.state, status.doneFiles, status.reason?.code], ['cancelled', 2, 'Cancelled']);
    assert.equal(
      status.reason?.message,
      'at least 2 files, 1.0 kB, are moved and stay at the target; what may be left unfinished is removed by a sweep. Start it again to move the rest.',
    );
    await assert.rejects(site.penstock.transfers.wait('cancelled'), { type: 'Cancelled' });
    assert.deepEqual(site.standIns.abandoned, ['manifests/transfers/cancelled/'], 'what lies there unpublished is given back');
    site.standIns.gate = () => Promise.resolve();
    assert.equal((await site.penstock.transfers.start(inputOf('cancelled', { lanes: 1 }))).attached, false);
    assert.equal((await site.penstock.transfers.wait('cancelled')).state, 'complete');
    assert.equal(site.standIns.abandoned.length, 1, 'of a transfer that is complete nothing is');
  });

  test('cancelled, it counts what its movers left whole: no file twice, no share of a file that is given back', async () => {
    // Unit 0: two files. Unit 1: a share of a file that is published with it, unit 2: one of a file that is not. Unit 3 is stopped with one of its files.
    Object.assign(site.standIns, { units: 4, shares: new Set([1, 2]), left: { files: 1, bytes: 400, isAtLeast: false } });
    site.standIns.gate = (unit) => (unit < 3 ? Promise.resolve() : new Promise(() => undefined));
    site.standIns.abandon = () => Promise.resolve({ ended: 1, left: 0, published: { files: 1, bytes: 1000 } });
    await site.penstock.transfers.start(inputOf('counted', { lanes: 1 }));
    await eventually('the last unit to be under way', () => site.standIns.begun.includes(3) || undefined);
    const status = await site.penstock.transfers.cancel('counted');
    assert.deepEqual([status.doneFiles, status.doneBytes, status.settledBytes], [4, 2400, 2400]);
    assert.equal(status.reason?.message, '4 files, 2.4 kB, are moved and stay at the target; nothing unfinished is left. Start it again to move the rest.');
  });

  test('cancelled in its only unit, it says what that left; of a later attempt, that it is at least so much', async () => {
    site.standIns.units = 1;
    site.standIns.gate = () => new Promise(() => undefined);
    for (const [isAtLeast, said] of [
      [false, '1 file, 500 B, is moved and stays'],
      [true, 'at least 1 file, 500 B, is moved and stays'],
    ] as const) {
      site.standIns.begun.length = 0;
      site.standIns.left = { files: 1, bytes: 500, isAtLeast };
      await site.penstock.transfers.start(inputOf('only'));
      await eventually('it to be under way', () => site.standIns.begun.length > 0 || undefined);
      const status = await site.penstock.transfers.cancel('only');
      assert.equal(status.reason?.message, `${said} at the target; nothing unfinished is left. Start it again to move the rest.`);
      assert.deepEqual([status.doneFiles, status.doneBytes], [1, 500]);
    }
  });

  test('its only unit tells how far it is, so that the query and the UI know it too', async () => {
    const gate = Promise.withResolvers<void>();
    Object.assign(site.standIns, { units: 1, gate: () => gate.promise, tells: [{ unit: 0, doneFiles: 1, doneBytes: 300, bytesPerSecond: 100 }] });
    await site.penstock.transfers.start(inputOf('told'));
    const handle = site.temporal.workflow.getHandle('transfer/told');
    const status = await eventually('what it told', async () => {
      const now = await handle.query<TransferStatus>('transferStatus');
      return now.doneBytes > 0 ? now : undefined;
    });
    assert.deepEqual([status.doneFiles, status.doneBytes, status.bytesPerSecond, status.etaSeconds], [1, 300, 100, 7]);
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    assert.match(currentDetails, /1 of 2 files, 300 B of 1\.0 kB at 100 B\/s, about 7 s to go, as of 20\d\d-/);
    // What is stopped has no rate, whatever was told before.
    await site.penstock.transfers.setRate('told', { bytesPerSecond: 0 });
    const stopped = await handle.query<TransferStatus>('transferStatus');
    assert.deepEqual([stopped.bytesPerSecond, stopped.etaSeconds], [0, undefined]);
    gate.resolve();
    await site.penstock.transfers.wait('told');
  });

  test('failed, it gives back too what lies there unpublished; that this fails holds up nothing', async () => {
    site.standIns.gate = () => Promise.reject(ApplicationFailure.nonRetryable('no such bucket', 'NotFound'));
    site.standIns.abandon = () => Promise.reject(new Error('the store is away'));
    await site.penstock.transfers.start(inputOf('failing'));
    await assert.rejects(site.penstock.transfers.wait('failing'), { type: 'NotFound' });
    assert.deepEqual(site.standIns.abandoned, Array<string>(3).fill('manifests/transfers/failing/'));
    assert.deepEqual(site.standIns.limits.at(-1), ['failing', null]);
  });

  test('cancelled while runs end and begin, it is cancelled in whichever it meets', async () => {
    Object.assign(site.standIns, { units: 1000, eventsPerRun: 50 });
    for (const [attempt, afterUnits] of [15, 22, 31].entries()) {
      site.standIns.begun.length = 0;
      await site.penstock.transfers.start(inputOf(`met-${attempt}`, { lanes: 4 }));
      await eventually('some units to be moved', () => site.standIns.begun.length >= afterUnits || undefined);
      assert.equal((await site.penstock.transfers.cancel(`met-${attempt}`)).state, 'cancelled');
      assert.ok(site.standIns.begun.length < 1000);
    }
  });

  test('a move for another workflow continues as new by itself, and answers as one', async () => {
    const request = {
      manifest: manifestOf(50),
      source: { store: 'warm', bucket: 'a', prefix: '' },
      target: { store: 'hot', bucket: 'a', prefix: '' },
      replace: true,
    };
    const handle = await site.temporal.workflow.start<(input: MoveInput) => Promise<MoveAnswer>>('move', {
      workflowId: 'moving/a',
      taskQueue: 'control',
      args: [{ request, lanes: 4, heartbeatSeconds: 4, eventsPerRun: 80 }],
    });
    const answer = await handle.result();
    assert.deepEqual([answer.files, answer.bytes], [100, 50 * UNIT_BYTES]);
    assert.deepEqual(site.standIns.begun.toSorted(byNumber), numbers(50));
    assert.ok((await runsOf(site.temporal, 'moving/a', handle.firstExecutionRunId)).length >= 3);
  });

  test('limits of stores are kept by one workflow, and outlive it and its runs', async () => {
    site.standIns.storeLimits.set('cold', 5);
    assert.deepEqual(await site.penstock.limits.show(), { cold: 5 });
    const all = await Promise.all(numbers(20).map((each) => site.penstock.limits.set({ store: 'warm', bytesPerSecond: each * 1000 })));
    assert.equal(all.length, 20);
    await site.penstock.limits.set({ store: 'warm', bytesPerSecond: '200MB/s' });
    assert.deepEqual(await site.penstock.limits.set({ store: 'cold', bytesPerSecond: null }), { warm: 2e8 });
    await site.temporal.workflow.getHandle('limits').terminate('an accident');
    assert.deepEqual(await site.penstock.limits.show(), { warm: 2e8 });
  });

  test('all of it replays', async () => {
    const workflowBundle = await bundleWorkflows();
    const failures: string[] = [];
    let count = 0;
    const histories = async function* () {
      for await (const { workflowId, runId } of site.temporal.workflow.list()) {
        yield { workflowId, history: await site.temporal.workflow.getHandle(workflowId, runId).fetchHistory() };
      }
    };
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories())) {
      count += 1;
      if (error) failures.push(`${workflowId}: ${error.message}`);
    }
    assert.deepEqual(failures, []);
    assert.ok(count >= 15, `${count} histories`);
  });
});

/** The last changes may come when everything has been moved. */
function overAlready(error: unknown): void {
  if (!(error instanceof Error && 'type' in error && (error.type === 'Refused' || error.type === 'NotFound'))) throw error;
}
