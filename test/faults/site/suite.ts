/** A whole site whose processes are killed at seeded moments of a checkpoint's life: it costs time, and nothing that was acknowledged. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AllocationKey } from '../../../client/index.ts';
import { allocationInput, datasetFiles, keyOf, NODE, seedDataset, untilPhase } from '../../support/scenario.ts';
import { startTestSite, type TestSite } from '../../support/site.ts';
import { eventually } from '../../support/wait.ts';
import type { Ledger } from '../checkpoint/verify.ts';
import type { FaultSuite } from '../harness/suite.ts';
import { runWriter } from '../harness/written-lines.ts';
import { type SitePlan, sitePlanOf } from './plan.ts';
import { verifyOffers, verifyUndrained, verifyWindows } from './verify.ts';

/** Holds of the fabric's broker last two seconds, and a drain of ten megabytes some three. */
const FABRIC = 'racks';
const fabrics = { [FABRIC]: { capacity: '8MB/s', leaseSeconds: 2, drains: [NODE.rackId] } };
/** Broker and allocations go on in new runs all the time. */
const EVENTS_PER_RUN = 120;
const RECOVERY_MS = 120_000;
const WRITER = join(import.meta.dirname, 'writer-process.ts');

export const siteFaults: FaultSuite<SitePlan> = {
  name: 'site',
  summary: 'kill -9 of a writer, of workers and of the Temporal server of a whole site, while checkpoints are written, committed and drained',
  processes: 1,
  runLimitSeconds: 300,
  plan: sitePlanOf,
  run,
  async end() {
    // One that could not begin has failed its run, and has nothing to stop.
    await (await shared?.catch(() => undefined))?.stop();
    shared = undefined;
  },
};

/** Each run has an allocation of its own. */
let shared: Promise<TestSite> | undefined;
let runs = 0;

async function openSite(): Promise<TestSite> {
  const site = await startTestSite({ fabrics, policies: { eventsPerRun: EVENTS_PER_RUN } });
  await seedDataset(site.stores.warm, datasetFiles(3, 1000));
  return site;
}

async function run(plan: SitePlan): Promise<string> {
  shared ??= openSite();
  const site = await shared;
  const key = keyOf(`struck-${plan.seed}-${runs++}`);
  await site.penstock.submit(allocationInput(key.allocationId, { data: { mounts: [{ source: 's3://training-data/imagenet', target: '/data' }] } }));
  await untilPhase(site, key, 'ready', RECOVERY_MS);
  await site.penstock.assignNodes(key, { nodes: [NODE] });

  await write(site, key, 'step-1', plan, () => false);
  await commit(site, key, 'step-1');
  const ledger = await writeAndStrike(site, key, plan);

  await verifyUndrained(site, key, 'step-2', ledger);
  await untilDrained(site, key, ledger.commit === 'acknowledged' ? ['step-1', 'step-2'] : ['step-1']);
  await verifyWindows(site, FABRIC);
  await verifyOffers(site, key, plan.seed, { 'step-1': 'acknowledged', 'step-2': ledger.commit });
  await site.penstock.cancel(key, { mode: 'abandon', reason: 'the run is over' });
  await untilPhase(site, key, 'cancelled', RECOVERY_MS);
  return ledger.commit === 'acknowledged' ? 'committed' : 'never committed';
}

async function writeAndStrike(site: TestSite, key: AllocationKey, plan: SitePlan): Promise<Ledger> {
  let struck: Promise<void> | undefined;
  const strikeOnce = (): Promise<void> => {
    struck ??= strike(site, plan);
    // Whoever waits for it hears of it.
    struck.catch(() => undefined);
    return struck;
  };
  const ledger = await write(site, key, 'step-2', plan, ({ chunks }) => {
    if (plan.moment !== 'writing' || chunks.length < plan.atChunk) return false;
    if (plan.victims !== 'writer') void strikeOnce();
    return plan.victims === 'writer';
  });
  if (ledger.commit === 'acknowledged') {
    const committed = commit(site, key, 'step-2');
    if (plan.moment !== 'writing') {
      if (plan.moment === 'draining') await committed.then(() => untilDraining(site, key));
      await pause(plan.afterMilliseconds);
      await strikeOnce();
    }
    await committed;
  }
  await struck;
  return ledger;
}

/** The server first, for the workers' start waits for it. */
async function strike(site: TestSite, { victims }: SitePlan): Promise<void> {
  const services = victims.split(' and ').map((name) => site.running.service(name));
  await Promise.all(services.map((service) => service.kill('SIGKILL')));
  for (const service of services) await service.restart();
}

/** By a process of the node. @param isKilled asked after each line */
async function write(site: TestSite, key: AllocationKey, checkpointId: string, { seed }: SitePlan, isKilled: (ledger: Ledger) => boolean): Promise<Ledger> {
  await site.penstock.reserveCheckpoint(key, { checkpointId, bytes: '20MB' });
  const ledger: Ledger = { chunks: [], commit: 'no' };
  await runWriter(WRITER, [site.running.siteFile, key.allocationId, checkpointId, String(seed)], (line) => {
    if (line.kind === 'chunk') ledger.chunks.push(line);
    else ledger.commit = line.kind === 'begun' ? 'begun' : 'acknowledged';
    return isKilled(ledger);
  });
  return ledger;
}

/** Asked until it is known to be: answers are lost with those who would have given them. */
async function commit({ penstock }: TestSite, key: AllocationKey, checkpointId: string): Promise<void> {
  await eventually(
    `${checkpointId} to be committed`,
    async () => {
      const known = (await penstock.status(key)).checkpoints.find((each) => each.checkpointId === checkpointId);
      if (known && known.state !== 'reserved') return known;
      await penstock.commitCheckpoint(key, { checkpointId });
      return undefined;
    },
    RECOVERY_MS,
  );
}

/** Or is over already. */
async function untilDraining({ penstock }: TestSite, key: AllocationKey): Promise<void> {
  await eventually(
    'the drain to have a window',
    async () => {
      const { holders } = await penstock.brokers.show(FABRIC);
      const isHolding = holders.some(({ requestId }) => requestId.startsWith(`drain/acme/vision/${key.allocationId}/step-2/`));
      return isHolding || (await isDrained(penstock, key, ['step-2'])) || undefined;
    },
    RECOVERY_MS,
  );
}

async function untilDrained({ penstock }: TestSite, key: AllocationKey, ids: readonly string[]): Promise<void> {
  await eventually(`${ids.join(' and ')} to be drained`, async () => (await isDrained(penstock, key, ids)) || undefined, RECOVERY_MS);
}

async function isDrained(penstock: TestSite['penstock'], key: AllocationKey, ids: readonly string[]): Promise<boolean> {
  const { checkpoints } = await penstock.status(key);
  return ids.every((id) => checkpoints.some(({ checkpointId, state }) => checkpointId === id && state === 'drained'));
}
