/** The bandwidth broker on the real server: a thousand at once over several runs, and nothing lost, doubled or given twice. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ReserveInput, Standing } from '../../client/index.ts';
import { storedBytes } from '../../datapath/checkpoint/drain.ts';
import { writeCheckpoint } from '../../dev/job/job.ts';
import { brokerWorkflowId } from '../../model/broker.ts';
import { renderTotals } from '../../model/broker-overview.ts';
import { queryNames } from '../../model/messages.ts';
import { runsOf } from '../support/histories.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { temporalCli } from '../support/temporal-cli.ts';
import { eventually } from '../support/wait.ts';

const RESERVATIONS = 1000;
const CAPACITY = 1_000_000_000;
/** Two seconds for the checkpoint of the job, and two more for reading it back. */
const SLOW = 5_000_000;
/** EVENTS_PER_RUN of the workflow, and what its last task adds. */
const MOST_EVENTS = 2000 + 100;
const TENANTS = ['acme', 'globex', 'initech', 'umbrella'];

type Held = Exclude<Standing, { kind: 'refused' | 'lost' | 'released' }>;

describe('a bandwidth broker', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    const fabrics = {
      crowded: { capacity: '1GB/s', leaseSeconds: 600 },
      brief: { capacity: '1GB/s', leaseSeconds: 4 },
      racks: { capacity: SLOW, leaseSeconds: 2, drains: ['r01'] },
      plain: { capacity: '1GB/s' },
    };
    site = await startTestSite({ fabrics });
  });
  after(() => site.stop());

  const drain = (requestId: string, more: Partial<ReserveInput> = {}): ReserveInput => ({ requestId, bytes: '8TB', class: 'drain', tenant: 'acme', ...more });
  const windowOf = (standing: Standing) => (standing.kind === 'window' ? standing : undefined);
  const isHeld = (standing: Standing): standing is Held => standing.kind === 'window' || standing.kind === 'queued';

  test('gives a window, lowers it for the next one, and gives the rest back when that is over', async () => {
    const { brokers } = site.penstock;
    const alone = await eventually('the broker to be open', async () => windowOf(await brokers.reserve('brief', drain('one'))));
    assert.equal(alone.bytesPerSecond, CAPACITY);
    const second = await brokers.reserve('brief', drain('two'));
    assert.ok(second.kind === 'queued' && second.reason === 'others still send', JSON.stringify(second));
    const lowered = await brokers.renew('brief', alone);
    assert.ok(lowered.kind === 'window' && lowered.bytesPerSecond === CAPACITY / 2, JSON.stringify(lowered));
    assert.equal((await brokers.renew('brief', second)).kind, 'queued', 'the first one has not said yet that it has slowed down');
    const slowed = await brokers.renew('brief', lowered);
    assert.ok(slowed.kind === 'window');
    assert.equal(windowOf(await brokers.renew('brief', second))?.bytesPerSecond, CAPACITY / 2);
    assert.equal((await brokers.release('brief', second)).kind, 'released');
    assert.equal(windowOf(await brokers.renew('brief', slowed))?.bytesPerSecond, CAPACITY);
  });

  test('its page in the UI shows the last of what came together', async () => {
    await Promise.all(['together-1', 'together-2', 'together-3'].map((id) => site.penstock.brokers.reserve('brief', drain(id))));
    const handle = site.temporal.workflow.getHandle(brokerWorkflowId('brief'));
    const known = await handle.query<Awaited<ReturnType<typeof site.penstock.brokers.show>>>(queryNames.brokerState);
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    assert.equal(currentDetails, renderTotals(known));
    assert.match(currentDetails, /- drain: .* waiting, (24|32)\.0 TB to move/);
  });

  test('what falls silent lapses by itself, and its token speaks for nothing any more', async () => {
    const { brokers } = site.penstock;
    const standing = await brokers.reserve('brief', drain('silent'));
    assert.ok(isHeld(standing));
    await eventually('it to lapse', async () => {
      const handle = site.temporal.workflow.getHandle(brokerWorkflowId('brief'));
      const { classes } = await handle.query<Awaited<ReturnType<typeof brokers.show>>>(queryNames.brokerState);
      return classes.every(({ holding, waiting }) => holding + waiting === 0) ? true : undefined;
    });
    assert.equal((await brokers.renew('brief', standing)).kind, 'lost');
  });

  test('whoever has only the temporal command reserves by it, and starts the broker where it does not run', async () => {
    const temporal = await temporalCli(site);
    const start = [
      '--workflow-id',
      brokerWorkflowId('plain'),
      '--type',
      'broker',
      '--task-queue',
      'control',
      '--input',
      '"plain"',
      '--id-conflict-policy',
      'UseExisting',
    ];
    const request = JSON.stringify({ requestId: 'export-7/1', bytes: '8TB', class: 'stage', tenant: 'acme' });
    const answered = await temporal('workflow', 'execute-update-with-start', ...start, '--update-name', 'reserve', '--update-input', request);
    assert.match(JSON.stringify(answered), /"kind":"queued"/);
    const { classes } = await site.penstock.brokers.show('plain');
    assert.equal(classes.find((each) => each.class === 'stage')?.waiting, 1);
  });

  test('wrong input and a fabric that the site has not are refused with what would be accepted', async () => {
    const { brokers } = site.penstock;
    await assert.rejects(brokers.reserve('brief', drain('bad', { bytes: 0 })), {
      type: 'InvalidInput',
      message: /bytes: found 0; accepted: more than 0 bytes/,
    });
    await assert.rejects(brokers.reserve('none', drain('lost')), { message: /fabric: found none; accepted: crowded, brief, racks, plain/ });
  });

  test('a drain waits for a window of its rack’s fabric, stores its bytes no faster than that, and gives it back', async () => {
    const { brokers } = site.penstock;
    const key = keyOf('windowed');
    await seedDataset(site.stores.warm, datasetFiles(5, 1000));
    await brokers.pause('racks');
    await site.penstock.submit(allocationInput('windowed'));
    await untilPhase(site, key, 'ready');
    await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }), 'step-1');
    const drains = async () => (await brokers.show('racks')).waiting;
    const [waiting] = await eventually('the drain to wait', async () => ((await drains()).length > 0 ? drains() : undefined));
    assert.match(waiting?.requestId ?? '', /^drain\/acme\/vision\/windowed\/step-1\//);
    const resumedAt = Date.now();
    await brokers.resume('racks');
    await eventually('the drain to be over', async () => ((await site.penstock.status(key)).checkpointCounts.drained === 1 ? true : undefined));
    const bytes = storedBytes([...CHECKPOINT_FILES.values()].reduce((sum, { length }) => sum + length, 0));
    // Stored, and read back; less what a limiter saves up.
    assert.ok(Date.now() - resumedAt > (0.8 * 2 * bytes * 1000) / SLOW, `${bytes} bytes in ${Date.now() - resumedAt} ms`);
    assert.deepEqual(
      (await brokers.show('racks')).classes.filter(({ holding, waiting: queued }) => holding + queued > 0),
      [],
    );
  });

  test('a worker that is killed within its window frees it by falling silent, and the drain ends within another one', async () => {
    const { brokers } = site.penstock;
    const key = keyOf('windowed');
    await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId: 'step-2', bytes: '10MB' }), CHECKPOINT_FILES);
    await site.penstock.commitCheckpoint(key, { checkpointId: 'step-2' });
    const killed = await eventually('the drain to hold a window', async () => (await brokers.show('racks')).holders[0]);
    const worker = site.running.service('worker-data');
    await worker.kill('SIGKILL');
    await worker.restart();
    const next = await eventually('another attempt to hold one', async () => {
      const { holders } = await brokers.show('racks');
      return holders.find(({ requestId }) => requestId !== killed.requestId);
    });
    assert.match(next.requestId, /^drain\/acme\/vision\/windowed\/step-2\//);
    await eventually('the drain to be over', async () => ((await site.penstock.status(key)).checkpointCounts.drained === 2 ? true : undefined));
    await eventually('nothing to be held', async () =>
      (await brokers.show('racks')).classes.every(({ holding, waiting }) => holding + waiting === 0) ? true : undefined,
    );
  });

  test('a thousand at once over several runs: each has one lease, renews it and gives it back, and no history outgrows its bound', async () => {
    const { brokers } = site.penstock;
    await brokers.show('crowded');
    const id = brokerWorkflowId('crowded');
    const { runId } = await site.temporal.workflow.getHandle(id).describe();
    const requests = Array.from({ length: RESERVATIONS }, (_, index) => drain(`rack-${index}`, { tenant: TENANTS[index % TENANTS.length] ?? '' }));
    const first = await Promise.all(requests.map((request) => brokers.reserve('crowded', request)));
    const epochs = new Set(first.filter(isHeld).map(({ epoch }) => epoch));
    assert.equal(epochs.size, RESERVATIONS, 'each has a lease of its own');
    const { classes } = await brokers.show('crowded');
    assert.equal(
      classes.reduce((sum, each) => sum + each.waiting + each.holding, 0),
      RESERVATIONS,
      'none was lost and none is there twice',
    );
    const again = await Promise.all(first.filter(isHeld).map((standing) => brokers.renew('crowded', standing)));
    assert.deepEqual(
      again.filter(isHeld).map(({ epoch }) => epoch),
      first.filter(isHeld).map(({ epoch }) => epoch),
      'in whatever run it is asked, the lease is the same',
    );
    const over = await Promise.all(first.filter(isHeld).map((standing) => brokers.release('crowded', standing)));
    assert.ok(over.every(({ kind }) => kind === 'released'));
    const repeated = await brokers.reserve('crowded', drain('rack-999', { tenant: TENANTS[3] ?? '' }));
    assert.ok(repeated.kind === 'refused' && repeated.reason === 'RequestIdUsed', 'a late repeat begins nothing');
    assert.equal((await brokers.show('crowded')).heldBytesPerSecond, 0);

    const runs = await runsOf(site.temporal, id, runId);
    const accepted = runs.map(({ events }) => events.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes).length);
    process.stdout.write(`# ${runs.length} runs of ${runs.map(({ events }) => events.length).join(', ')} events, ${accepted.join(', ')} updates\n`);
    assert.ok(runs.length >= 3, `${runs.length} runs`);
    for (const { events } of runs) {
      assert.ok(events.length <= MOST_EVENTS, `${events.length} events`);
      const completed = events.filter((event) => event.workflowExecutionUpdateCompletedEventAttributes).length;
      assert.equal(completed, events.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes).length, 'a run ended with an update unanswered');
    }
  });
});
