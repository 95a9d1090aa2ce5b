/** What the workflow `replicate` makes of parts that come and go: on a real server, with activities that copy nothing. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { connectPenstock, type Penstock } from '../../client/index.ts';
import { startSite } from '../../dev/site/start-site.ts';
import { CONTROL_QUEUE, DATA_QUEUE } from '../../model/identifiers.ts';
import { noReplication } from '../../model/replication.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import { runsOf } from '../support/histories.ts';
import { standInCopies } from '../support/stand-in-copies.ts';
import { eventually } from '../support/wait.ts';

const PARTS = 40;

describe('the workflow of copies', { concurrency: false }, () => {
  const copies = standInCopies(PARTS);
  const { asked } = copies;
  const ending: (() => Promise<unknown>)[] = [];
  let temporal: Client;
  let penstock: Penstock;

  before(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'penstock-replicate-'));
    const site = await startSite({ configFile: 'temporal-dev.yaml', directory, log: () => undefined, services: ['temporal'] });
    const { address } = site.site.temporal;
    const connection = await NativeConnection.connect({ address });
    const workers = await Promise.all([
      Worker.create({ connection, taskQueue: CONTROL_QUEUE, workflowBundle: await bundleWorkflows() }),
      Worker.create({ connection, taskQueue: DATA_QUEUE, activities: copies.activities }),
    ]);
    const running = Promise.all(workers.map((worker) => worker.run()));
    const clientConnection = await Connection.connect({ address });
    temporal = new Client({ connection: clientConnection });
    penstock = await connectPenstock({ address });
    ending.push(
      async () => workers.forEach((worker) => void worker.shutdown()),
      () => running,
      () => penstock.close(),
      () => clientConnection.close(),
      () => connection.close(),
      () => site.stop(),
      () => rm(directory, { recursive: true, force: true }),
    );
  });
  after(async () => {
    for (const end of ending) await end();
  });

  test('goes on in new runs with its counts, asks for each part once and in order, and shows a bounded number of failures', async () => {
    asked.length = 0;
    const key = { to: 'bern', replicationId: 'long' };
    const { runId } = await penstock.replications.start({ ...key, prefix: 'a/', within: ['ch'] });
    const counts = await penstock.replications.wait(key);
    assert.deepEqual(
      [counts.copied, counts.existed, counts.bytes, counts.leastMargin, counts.notCopiedCount, counts.notCopied.length],
      [10 * PARTS, PARTS, 1000 * PARTS, 2, PARTS, 20],
    );
    assert.deepEqual(
      asked.map(({ after: last }) => last ?? '0'),
      Array.from({ length: PARTS }, (_, number) => String(number)),
    );
    assert.ok(asked.every(({ to, prefix, verify, within }) => to === 'bern' && prefix === 'a/' && verify === 'copied' && within?.join() === 'ch'));
    const runs = await runsOf(temporal, 'replicate/bern/long', runId);
    assert.ok(runs.length >= 4, `${runs.length} runs`);
    for (const { events } of runs) assert.ok(events.length <= 60, `${events.length} events`);
  });

  test('answers how far it is while a part is under way, and stops when it is cancelled', async () => {
    asked.length = 0;
    const stopped = Promise.withResolvers<void>();
    copies.gate = async () => {
      if (asked.length < 3) return;
      // A cancellation comes with the answer to a heartbeat.
      const context = Context.current();
      const beating = setInterval(() => context.heartbeat({ ...noReplication, copied: 3, existed: 1, mended: 1, bytes: 30, leastMargin: 4 }), 200);
      try {
        await context.cancelled;
      } finally {
        clearInterval(beating);
        stopped.resolve();
      }
    };
    const key = { to: 'bern', replicationId: 'stopped' };
    await penstock.replications.start(key);
    await eventually('the third part', () => Promise.resolve(asked.length === 3 || undefined));
    const told = await eventually('a heartbeat of the third part', async () => {
      const counts = await penstock.replications.status(key);
      return counts.copied > 20 ? counts : undefined;
    });
    assert.deepEqual([told.copied, told.existed, told.mended, told.bytes, told.leastMargin], [23, 3, 1, 2030, 2]);
    await temporal.workflow.getHandle('replicate/bern/stopped').cancel();
    await assert.rejects(penstock.replications.wait(key), { type: 'Refused' });
    await stopped.promise;
    copies.gate = () => Promise.resolve();
    assert.equal(asked.length, 3);
  });

  test('is refused before anything is copied where the other set lies abroad', async () => {
    asked.length = 0;
    const key = { to: 'ohio', replicationId: 'refused' };
    await penstock.replications.start(key);
    await assert.rejects(penstock.replications.wait(key), { type: 'PolicyRefused', message: /lies in us/ });
    assert.equal(asked.length, 0);
  });

  test('has one id for one copying: another one is refused, the same attaches', async () => {
    copies.gate = () => Context.current().cancelled;
    const key = { to: 'bern', replicationId: 'twice' };
    const first = await penstock.replications.start({ ...key, prefix: 'a/' });
    assert.deepEqual(await penstock.replications.start({ ...key, prefix: 'a/' }), { ...first, attached: true });
    await assert.rejects(penstock.replications.start({ ...key, prefix: 'b/' }), { type: 'Conflict' });
    await assert.rejects(penstock.replications.start({ ...key, replicationId: '../x' }), { type: 'InvalidInput' });
    await temporal.workflow.getHandle('replicate/bern/twice').terminate();
    copies.gate = () => Promise.resolve();
  });
});
