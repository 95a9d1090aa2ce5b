/** Ad hoc transfers, checks, limits and the sweep; and moves of many units, which go on in new runs and in children. */
import type { TransferInput } from '../../../client/index.ts';
import { writeLogs, writeOutput } from '../../../dev/job/job.ts';
import { transferWorkflowId } from '../../../model/transfer-input.ts';
import { runsOf, scheduled } from '../../support/histories.ts';
import { allocationInput, datasetFiles, keyOf, NODE, seedDataset, untilPhase } from '../../support/scenario.ts';
import type { TestSite } from '../../support/site.ts';
import { eventually } from '../../support/wait.ts';
import { closed, declares, type Scenario, submitReady, suffixOf } from '../scenario.ts';

const BUCKET = 'training-data';
const at = (prefix: string) => ({ store: 'warm', bucket: BUCKET, prefix });
const inputOf = (transferId: string, more: Partial<TransferInput> = {}): TransferInput => ({
  transferId,
  source: at('imagenet/'),
  target: at(`${transferId}/`),
  ...more,
});
const idOf = (transferId: string): string => transferWorkflowId({ transferId });

const moving = (site: TestSite, transferId: string) =>
  eventually(`${transferId} to move`, async () => (await site.penstock.transfers.status(transferId)).state === 'moving' || undefined);

export const adHoc: Scenario = {
  site: 'usual',
  saves: [
    'transfer/completed',
    'transfer/partial',
    'transfer/planned',
    'transfer/stopped',
    'transfer/cancelled',
    'transfer/failed',
    'check/completed',
    'check/differences',
    'limits/running',
    'sweep/completed',
  ],
  async run(site, save) {
    const { transfers, checks, limits } = site.penstock;
    await transfers.start(inputOf('copied', { tenant: 'acme' }));
    const { moved } = await transfers.wait('copied');
    if (!moved) throw new Error('nothing is on record of a transfer that is complete');
    await save('transfer/completed', idOf('copied'), { when: closed });

    const check = { manifest: { store: moved.store, bucket: moved.bucket, prefix: moved.prefix }, target: at('copied/'), extra: true } as const;
    await checks.start({ checkId: 'clean', ...check });
    await checks.wait('clean');
    await save('check/completed', 'check/clean', { when: closed });
    await site.stores.warm.writeBytes(BUCKET, 'copied/extra', Buffer.from('extra'));
    await checks.start({ checkId: 'extra', ...check });
    await checks.wait('extra');
    await save('check/differences', 'check/extra', { when: closed });

    const { entries } = await site.stores.warm.list(BUCKET, 'imagenet/', { limit: 1 });
    const taken = entries[0]?.key.replace('imagenet/', 'partial/') ?? '';
    await site.stores.warm.writeBytes(BUCKET, taken, Buffer.from('taken'));
    await transfers.start(inputOf('partial'));
    await transfers.wait('partial');
    await save('transfer/partial', idOf('partial'), { when: closed });

    await site.temporal.workflow.execute('transfer', {
      workflowId: transferWorkflowId({ transferId: 'planned', mode: 'plan' }),
      taskQueue: 'control',
      args: [inputOf('planned', { mode: 'plan' })],
    });
    await save('transfer/planned', transferWorkflowId({ transferId: 'planned', mode: 'plan' }), { when: closed });

    await transfers.start(inputOf('stopped', { bytesPerSecond: '10kB/s' }));
    await moving(site, 'stopped');
    await transfers.setRate('stopped', { bytesPerSecond: 0 });
    await save('transfer/stopped', idOf('stopped'), { when: (events) => scheduled(events, 'setTransferLimit').length === 1 });
    await transfers.cancel('stopped');
    await save('transfer/cancelled', idOf('stopped'), { when: closed });

    await transfers.start(inputOf('failed', { source: { store: 'nowhere', bucket: BUCKET, prefix: '' } }));
    await transfers.wait('failed').catch(() => undefined);
    await save('transfer/failed', idOf('failed'), { when: closed });

    await limits.set({ store: 'cold', bytesPerSecond: '1GB/s' });
    await limits.set({ store: 'cold', bytesPerSecond: null });
    await save('limits/running', 'limits', { when: (events) => scheduled(events, 'setStoreLimit').length === 2 });

    await site.temporal.workflow.execute('sweep', { workflowId: 'sweep', taskQueue: 'control', args: [] });
    await save('sweep/completed', 'sweep', { when: closed });
  },
};

/** Files that are large here, each four shares: 41 units in one history, 161 over several runs and in a child's. */
export const inUnits: Scenario = {
  site: 'units',
  saves: [
    'transfer/before-continue-as-new',
    'transfer/continued-completed',
    'transfer/cancelled-in-units',
    'prestage/in-units',
    'prestage/moved-by-child',
    'move/completed',
  ],
  async run(site, save) {
    await seedDataset(site.stores.warm, datasetFiles(10, 200_000, 'few'), BUCKET, 'few/');
    await seedDataset(site.stores.warm, datasetFiles(40, 200_000, 'many'), BUCKET, 'many/');

    const { runId } = await site.penstock.transfers.start(inputOf('long', { source: at('many/') }));
    await site.penstock.transfers.wait('long');
    const runs = await runsOf(site.temporal, idOf('long'), runId);
    const [first] = runs;
    if (!first || runs.length < 2) throw new Error('the transfer was over in one run: the site counts too few events as a full history');
    await save('transfer/before-continue-as-new', idOf('long'), { runId: first.runId, when: closed });
    await save('transfer/continued-completed', idOf('long'), { when: closed });

    await site.penstock.transfers.start(inputOf('ended', { source: at('few/'), bytesPerSecond: '10kB/s' }));
    await moving(site, 'ended');
    await site.penstock.transfers.cancel('ended');
    await save('transfer/cancelled-in-units', idOf('ended'), { when: closed });

    for (const [name, golden] of [
      ['few', 'prestage/in-units'],
      ['many', 'prestage/moved-by-child'],
    ] as const) {
      const key = keyOf(`units-${name}`);
      await site.penstock.submit(allocationInput(key.allocationId, declares(`s3://${BUCKET}/${name}`)));
      await untilPhase(site, key, 'ready', 120_000);
      const id = `prestage/${suffixOf(key)}/1`;
      await save(golden, id, { when: closed });
      if (name === 'many') await save('move/completed', `${id}/move/0`, { when: closed });
      await site.penstock.cancel(key, { mode: 'abandon', reason: 'seen enough' });
      await site.penstock.wait(key).catch(() => undefined);
    }
  },
};

/** Output of four units, 150 kB in three shares: held to what was moved by a check of its own, and where it is retained, to its locks. */
export const verifiedInParts: Scenario = {
  site: 'units',
  saves: ['demote/published-in-parts', 'demote/archived-in-parts'],
  async run(site, save) {
    const key = await submitReady(site, 'units-demoted');
    const plan = await site.penstock.assignNodes(key, { nodes: [NODE] });
    await writeLogs(plan, 20);
    await writeOutput(plan, site.stores.hotObjects, datasetFiles(1, 150_000, 'output'));
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    await save('demote/published-in-parts', `demote/${suffixOf(key)}/hot-to-warm`, { when: closed });
    await save('demote/archived-in-parts', `demote/${suffixOf(key)}/warm-to-cold`, { when: closed });
  },
};
