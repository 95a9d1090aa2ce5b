/** Allocations whose way is rough: workers killed, a full tier, a refused floor, a lapsed pin, an early start, a full history. */
import { writeCheckpoint } from '../../../dev/job/job.ts';
import { allocationWorkflowId } from '../../../model/identifiers.ts';
import { childrenStarted, phaseIn, runsOf } from '../../support/histories.ts';
import { allocationInput, CHECKPOINT_FILES, keyOf, NODE, PLAIN_NODE, runJob, seedDataset, untilPhase } from '../../support/scenario.ts';
import type { TestSite } from '../../support/site.ts';
import { eventually } from '../../support/wait.ts';
import { closed, DATASET, declares, type Scenario, submitReady, suffixOf, writeResults } from '../scenario.ts';
import { LARGE } from './datasets.ts';

async function killWorkers(site: TestSite): Promise<void> {
  const workers = ['worker-control', 'worker-data'].map((name) => site.running.service(name));
  await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
  await Promise.all(workers.map((worker) => worker.restart()));
}

export const workersKilled: Scenario = {
  site: 'usual',
  saves: ['allocation/workers-killed', 'prestage/worker-killed', 'demote/worker-killed'],
  async run(site, save) {
    await seedDataset(site.stores.warm, LARGE, 'training-data', 'killed/');
    const key = keyOf('killed');
    await site.penstock.submit(allocationInput('killed', declares('s3://training-data/killed')));
    await untilPhase(site, key, 'staging');
    await killWorkers(site);
    await untilPhase(site, key, 'ready', 120_000);
    await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }));
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await untilPhase(site, key, 'archiving');
    await killWorkers(site);
    await site.penstock.wait(key);
    await save('allocation/workers-killed', allocationWorkflowId(key), { when: closed, phase: 'released' });
    await save('prestage/worker-killed', `prestage/${suffixOf(key)}/1`);
    await save('demote/worker-killed', `demote/${suffixOf(key)}/hot-to-warm`);
  },
};

export const fullTier: Scenario = {
  site: 'tiny',
  saves: ['allocation/stalled', 'prestage/stalled', 'allocation/resumed'],
  async run(site, save) {
    const neighbour = 'allocation/acme/vision/neighbour';
    const expiresAt = new Date(Date.now() + 600_000).toISOString();
    await site.stores.hot.reserve({ owner: neighbour, key: `${neighbour}#most`, path: '/training-data/neighbour', bytes: 950_000, expiresAt });
    const key = keyOf('stalled');
    await site.penstock.submit(allocationInput('stalled', declares(DATASET)));
    await eventually('the full tier to be noticed', async () => (await site.penstock.status(key)).readiness.state === 'stalled' || undefined);
    await save('allocation/stalled', allocationWorkflowId(key), { phase: 'queued' });
    await save('prestage/stalled', `prestage/${suffixOf(key)}/1`);
    await site.stores.hot.releaseHoldings(neighbour, ['reservations']);
    await untilPhase(site, key, 'ready');
    await save('allocation/resumed', allocationWorkflowId(key), { phase: 'ready' });
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'seen enough' });
    await site.penstock.wait(key).catch(() => undefined);
  },
};

export const refusedFloor: Scenario = {
  site: 'usual',
  saves: ['allocation/floor-refused', 'allocation/floor-granted'],
  async run(site, save) {
    const first = await submitReady(site, 'floor-1', declares(DATASET, '1.5GB/s'));
    await site.penstock.assignNodes(first, { nodes: [NODE] });
    const second = await submitReady(site, 'floor-2', declares(DATASET, '1GB/s'));
    await site.penstock.assignNodes(second, { nodes: [PLAIN_NODE] }).then(
      () => Promise.reject(new Error('both floors were granted')),
      () => undefined, // the refusal is what is recorded
    );
    await save('allocation/floor-refused', allocationWorkflowId(second), { phase: 'ready' });
    await site.penstock.finish(first, { outcome: 'failed' });
    await site.penstock.assignNodes(second, { nodes: [PLAIN_NODE] });
    await site.penstock.finish(second, { outcome: 'failed' });
    await site.penstock.wait(second);
    await save('allocation/floor-granted', allocationWorkflowId(second), { when: closed, phase: 'released' });
  },
};

/** The pin lapses a second after the expected start; the scheduler names a new one, and the data is staged again. */
export const lapsedPin: Scenario = {
  site: 'impatient',
  saves: ['allocation/pin-lapsed', 'allocation/staged-again'],
  async run(site, save) {
    const key = keyOf('lapsed');
    const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    await site.penstock.submit(allocationInput('lapsed', { ...declares(DATASET), expectedStart: inSeconds(3) }));
    await eventually('the pin to lapse', async () => (await site.penstock.status(key)).readiness.state === 'expired' || undefined);
    await save('allocation/pin-lapsed', allocationWorkflowId(key), { phase: 'queued' });
    await site.penstock.reschedule(key, { expectedStart: inSeconds(3600) });
    await untilPhase(site, key, 'ready');
    await save('allocation/staged-again', allocationWorkflowId(key), { when: (events) => childrenStarted(events, 'prestage').length === 2 });
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'seen enough' });
    await site.penstock.wait(key).catch(() => undefined);
  },
};

/** The job starts when a part of its data is hot; the rest and the snapshot follow while it runs. */
export const earlyStart: Scenario = {
  site: 'impatient',
  saves: ['allocation/started-early', 'allocation/staged-while-running'],
  async run(site, save) {
    await seedDataset(site.stores.warm, new Map([...LARGE, ...datasetRest()]), 'training-data', 'early/');
    const key = keyOf('early');
    const id = allocationWorkflowId(key);
    const { runId } = await site.penstock.submit(allocationInput('early', declares('s3://training-data/early')));
    await eventually('a part of the data to be hot', async () => (await site.penstock.status(key)).readiness.doneBytes > 0 || undefined);
    const plan = await site.penstock.assignNodes(key, { nodes: [NODE] });
    await save('allocation/started-early', id, { runId, phase: 'running' });
    await eventually('the rest to be staged', async () => (await site.penstock.status(key)).readiness.state === 'ready' || undefined);
    await writeResults(site, plan);
    await site.penstock.finish(key, { outcome: 'failed' });
    await site.penstock.wait(key);
    await save('allocation/staged-while-running', id, { runId, when: closed });
  },
};

/** Ten seconds of staging at 150 kB/s, so that its first report comes long before its end. */
const datasetRest = (): Map<string, Buffer> => new Map([...LARGE].flatMap(([path, body]) => [1, 2, 3].map((copy) => [`copy-${copy}/${path}`, body])));

export const continuedAsNew: Scenario = {
  site: 'impatient',
  saves: ['before-continue-as-new', 'continued-again', 'continued-running', 'continued-completed'].map((point) => `allocation/${point}`),
  async run(site, save) {
    const key = keyOf('continued');
    const id = allocationWorkflowId(key);
    const { runId } = await site.penstock.submit(allocationInput('continued', declares(DATASET)));
    await untilPhase(site, key, 'ready');
    const plan = await site.penstock.assignNodes(key, { nodes: [NODE] });
    await writeResults(site, plan);
    const checkpoint = async (checkpointId: string) => {
      await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId, bytes: '10MB' }), CHECKPOINT_FILES);
      await site.penstock.commitCheckpoint(key, { checkpointId });
    };
    for (let step = 1; (await runsOf(site.temporal, id, runId)).length < 3; step++) await checkpoint(`step-${step}`);
    await checkpoint('in-the-third-run');
    const [first, second] = await runsOf(site.temporal, id, runId);
    if (!first || !second || phaseIn(second.events) !== undefined) throw new Error('a continued run enters no phase anew before the job ends');
    await save('allocation/before-continue-as-new', id, { runId: first.runId, when: closed });
    await save('allocation/continued-again', id, { runId: second.runId, when: closed });
    await save('allocation/continued-running', id);
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    await save('allocation/continued-completed', id, { when: closed });
  },
};
