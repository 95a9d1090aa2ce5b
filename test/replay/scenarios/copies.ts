/** Copies at a second site: after a drain by themselves, refused, over several runs, and cancelled. The long ones copy nothing, which their histories do not show. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { DATA_QUEUE } from '../../../model/identifiers.ts';
import { runsOf, whileMoversStand } from '../../support/histories.ts';
import { NODE, runJob } from '../../support/scenario.ts';
import type { TestSite } from '../../support/site.ts';
import { type StandInCopies, standInCopies } from '../../support/stand-in-copies.ts';
import { eventually } from '../../support/wait.ts';
import { closed, type Scenario, submitReady, suffixOf } from '../scenario.ts';

export const copies: Scenario = {
  site: 'copying',
  saves: [
    'drainCheckpoint/copied',
    'replicate/completed',
    'replicate/refused',
    'replicate/running',
    'replicate/before-continue-as-new',
    'replicate/continued-completed',
    'replicate/cancelled',
  ],
  async run(site, save) {
    const { replications } = site.penstock;
    const key = await submitReady(site, 'copied');
    await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }), 'step-100');
    await save('drainCheckpoint/copied', `drain/${suffixOf(key)}/step-100`, { when: closed });
    await save('replicate/completed', `replicate/bern/${suffixOf(key)}/step-100`, { when: closed });
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);

    await replications.start({ to: 'bern', replicationId: 'abroad', within: ['de'] });
    await replications.wait({ to: 'bern', replicationId: 'abroad' }).catch(() => undefined);
    await save('replicate/refused', 'replicate/bern/abroad', { when: closed });

    await whileMoversStand(site, () =>
      withStandIns(site, standInCopies(20), async (standIns) => {
        const third = Promise.withResolvers<void>();
        standIns.gate = () => (standIns.asked.length < 3 ? Promise.resolve() : third.promise);
        const { runId } = await replications.start({ to: 'bern', replicationId: 'long' });
        await eventually('the third part', () => Promise.resolve(standIns.asked.length === 3 || undefined));
        await save('replicate/running', 'replicate/bern/long');
        third.resolve();
        await replications.wait({ to: 'bern', replicationId: 'long' });
        const [first, ...others] = await runsOf(site.temporal, 'replicate/bern/long', runId);
        if (!first || others.length === 0) throw new Error('the copying was over in one run: it counts too few events as a full history');
        await save('replicate/before-continue-as-new', 'replicate/bern/long', { runId: first.runId, when: closed });
        await save('replicate/continued-completed', 'replicate/bern/long', { when: closed });

        standIns.asked.length = 0;
        const second = Promise.withResolvers<void>();
        standIns.gate = () => (standIns.asked.length < 2 ? Promise.resolve() : second.promise);
        await replications.start({ to: 'bern', replicationId: 'cancelled' });
        await eventually('the second part', () => Promise.resolve(standIns.asked.length === 2 || undefined));
        await site.temporal.workflow.getHandle('replicate/bern/cancelled').cancel();
        second.resolve();
        await replications.wait({ to: 'bern', replicationId: 'cancelled' }).catch(() => undefined);
        await save('replicate/cancelled', 'replicate/bern/cancelled', { when: closed });
      }),
    );
  },
};

async function withStandIns(site: TestSite, standIns: StandInCopies, work: (standIns: StandInCopies) => Promise<void>): Promise<void> {
  const connection = await NativeConnection.connect({ address: site.running.site.temporal.address });
  try {
    const worker = await Worker.create({ connection, taskQueue: DATA_QUEUE, activities: standIns.activities });
    await worker.runUntil(() => work(standIns));
  } finally {
    await connection.close();
  }
}
