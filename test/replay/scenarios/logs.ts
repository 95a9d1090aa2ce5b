/** A job whose logs are shipped while it runs. */
import { allocationWorkflowId, followLogsWorkflowId } from '../../../model/identifiers.ts';
import { childrenStarted, scheduled } from '../../support/histories.ts';
import { NODE, PLAIN_NODE } from '../../support/scenario.ts';
import { eventually } from '../../support/wait.ts';
import { closed, type Scenario, submitReady, writeResults } from '../scenario.ts';

export const followedLogs: Scenario = {
  site: 'following',
  saves: ['allocation/follows-logs', 'allocation/followed-logs', 'followLogs/running', 'followLogs/ended'],
  async run(site, save) {
    const key = await submitReady(site, 'followed');
    const plan = await site.penstock.assignNodes(key, { nodes: [NODE, PLAIN_NODE] });
    await save('allocation/follows-logs', allocationWorkflowId(key), {
      phase: 'running',
      when: (events) => childrenStarted(events, 'followLogs').length === 1,
    });
    await save('followLogs/running', followLogsWorkflowId(key), { when: (events) => scheduled(events, 'followLogs').length === 1 });
    await writeResults(site, plan);
    await eventually('a chunk of each node', async () => {
      const keys = await Promise.all(['n001', 'n002'].map((node) => site.stores.warm.head('acme', `vision/followed/logs/stdout/${node}/chunk_000.log.zst`)));
      return keys.every(Boolean) || undefined;
    });
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    await save('followLogs/ended', followLogsWorkflowId(key), { when: closed });
    await save('allocation/followed-logs', allocationWorkflowId(key), { when: closed });
  },
};
