/** Output in an archive class: packed by the last demote, recalled while the store restores, over several runs, and cancelled. */

import { runsOf } from '../../support/histories.ts';
import { allocationInput, keyOf, PLAIN_NODE, untilPhase } from '../../support/scenario.ts';
import { eventually } from '../../support/wait.ts';
import { closed, type Scenario, suffixOf, writeResults } from '../scenario.ts';

export const archiving: Scenario = {
  site: 'archiving',
  saves: [
    'allocation/archived-in-packs',
    'demote/archived-in-packs',
    'recall/waiting',
    'recall/cancelled',
    'recall/before-continue-as-new',
    'recall/continued-completed',
    'recall/completed',
    'recall/refused',
  ],
  async run(site, save) {
    const key = keyOf('archived');
    await site.penstock.submit(allocationInput('archived', { data: { mounts: [] } }));
    await untilPhase(site, key, 'ready');
    await writeResults(site, await site.penstock.assignNodes(key, { nodes: [PLAIN_NODE] }));
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    await save('allocation/archived-in-packs', `allocation/${suffixOf(key)}`, { when: closed });
    await save('demote/archived-in-packs', `demote/${suffixOf(key)}/warm-to-cold`, { when: closed });

    const { recalls } = site.penstock;
    const target = { store: 'warm', bucket: 'acme', prefix: 'again/' };
    const ids = (recallId: string) => ({ key: { ...key, recallId }, workflowId: `recall/${suffixOf(key)}/${recallId}` });
    const waiting = ids('cancelled');
    await recalls.start({ ...waiting.key, tier: 'bulk', target });
    await eventually('the first wait', async () => (await recalls.status(waiting.key)).state === 'waiting' || undefined);
    await save('recall/waiting', waiting.workflowId);
    await recalls.cancel(waiting.key);
    await save('recall/cancelled', waiting.workflowId, { when: closed });

    const long = ids('long');
    const { runId } = await recalls.start({ ...long.key, tier: 'bulk', target });
    await recalls.wait(long.key);
    const [first, ...others] = await runsOf(site.temporal, long.workflowId, runId);
    if (!first || others.length === 0) throw new Error('the recall was over in one run: the store restores too soon for a full history');
    await save('recall/before-continue-as-new', long.workflowId, { runId: first.runId, when: closed });
    await save('recall/continued-completed', long.workflowId, { when: closed });

    const short = ids('short');
    await recalls.start({ ...short.key, path: 'results/metrics.json', target });
    await recalls.wait(short.key);
    await save('recall/completed', short.workflowId, { when: closed });

    const refused = ids('refused');
    await recalls.start({ ...refused.key, path: 'nothing', target });
    await recalls.wait(refused.key).catch(() => undefined);
    await save('recall/refused', refused.workflowId, { when: closed });
  },
};
