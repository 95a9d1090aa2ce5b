/** Checkpoints that supersede others, and what becomes of those that are drained once their allocation has ended. */
import { writeCheckpoint } from '../../../dev/job/job.ts';
import { drainWorkflowId } from '../../../model/checkpoint.ts';
import { checkpointRetentionWorkflowId } from '../../../model/checkpoint-retention.ts';
import { allocationWorkflowId } from '../../../model/identifiers.ts';
import { scheduled, signalled, whileMoversStand } from '../../support/histories.ts';
import { CHECKPOINT_FILES, NODE } from '../../support/scenario.ts';
import { eventually } from '../../support/wait.ts';
import { closed, type Scenario, submitReady, writeResults } from '../scenario.ts';

export const superseding: Scenario = {
  site: 'superseding',
  saves: [
    'allocation/superseding',
    'drainCheckpoint/superseded',
    'drainCheckpoint/begun',
    'allocation/checkpoints-left',
    'retainCheckpoints/running',
    'retainCheckpoints/looking',
    'retainCheckpoints/completed',
  ],
  async run(site, save) {
    const { brokers } = site.penstock;
    const key = await submitReady(site, 'superseding');
    const drainOf = (checkpointId: string) => drainWorkflowId({ ...key, checkpointId });
    const commit = async (checkpointId: string): Promise<void> => {
      await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId, bytes: '10MB' }), CHECKPOINT_FILES);
      await site.penstock.commitCheckpoint(key, { checkpointId });
    };
    await writeResults(site, await site.penstock.assignNodes(key, { nodes: [NODE] }));
    await brokers.pause('storage');
    await commit('step-1');
    await commit('step-2');
    await save('drainCheckpoint/superseded', drainOf('step-1'), { when: closed });
    await save('allocation/superseding', allocationWorkflowId(key), { when: (events) => signalled(events, 'checkpointDrained').length === 1 });
    await brokers.resume('storage');
    await save('drainCheckpoint/begun', drainOf('step-2'), { when: (events) => closed(events) && signalled(events, 'drainBegun').length === 1 });
    await commit('step-3');
    await eventually('step-3 to be drained', async () => ((await site.penstock.status(key)).checkpointCounts.drained === 2 ? true : undefined));
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    await save('allocation/checkpoints-left', allocationWorkflowId(key), { when: closed });
    const retention = checkpointRetentionWorkflowId(key);
    await save('retainCheckpoints/running', retention);
    await whileMoversStand(site, () =>
      save('retainCheckpoints/looking', retention, { when: (events) => scheduled(events, 'removeSuperfluousCheckpoints').length === 1 }),
    );
    await save('retainCheckpoints/completed', retention, { when: closed });
  },
};
