/** Rules that move data down: a run that moves from two tiers, one that names what stays, and one that goes on in new runs. */
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SYSTEM_BUCKET } from '../../../model/location.ts';
import { runsOf } from '../../support/histories.ts';
import type { TestSite } from '../../support/site.ts';
import { closed, type Scenario } from '../scenario.ts';

const LONG_AGO = new Date('2020-01-01T00:00:00.000Z');

async function putOld(site: TestSite, path: string): Promise<void> {
  const file = join(site.stores.hotFiles.root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, path);
  await utimes(file, LONG_AGO, LONG_AGO);
}

const runOnce = (site: TestSite, workflowId: string): Promise<unknown> =>
  site.temporal.workflow.execute('demotionPolicy', { workflowId, taskQueue: 'control', args: [] });

export const demotion: Scenario = {
  site: 'usual',
  saves: ['demotionPolicy/completed', 'demotionPolicy/something-stays'],
  async run(site, save) {
    await putOld(site, 'training-data/demoted/a');
    await runOnce(site, 'demotion-policy-first');
    await save('demotionPolicy/completed', 'demotion-policy-first', { when: closed });

    await site.stores.warm.writeBytes('training-data', 'demoted/b', Buffer.from('other content'));
    await putOld(site, 'training-data/demoted/b');
    await runOnce(site, 'demotion-policy-second');
    await save('demotionPolicy/something-stays', 'demotion-policy-second', { when: closed });
  },
};

/** Three tenants' buckets are as many parts: more than a history of sixty events takes. */
export const demotionContinued: Scenario = {
  site: 'impatient',
  saves: ['demotionPolicy/before-continue-as-new', 'demotionPolicy/continued-completed'],
  async run(site, save) {
    for (const tenant of ['tenant-a', 'tenant-b', 'tenant-c']) {
      await site.stores.warm.ensureBucket(SYSTEM_BUCKET);
      await site.stores.warm.writeBytes(SYSTEM_BUCKET, `manifests/${tenant}/known`, Buffer.from(''));
      await putOld(site, `${tenant}/data/a`);
    }
    await runOnce(site, 'demotion-policy');
    const { raw } = await site.temporal.workflow.getHandle('demotion-policy').describe();
    const [first, ...later] = await runsOf(site.temporal, 'demotion-policy', raw.workflowExecutionInfo?.firstRunId ?? '');
    if (!first || later.length === 0) throw new Error('the run was over in one: the site counts too few events as a full history');
    await save('demotionPolicy/before-continue-as-new', 'demotion-policy', { runId: first.runId, when: closed });
    await save('demotionPolicy/continued-completed', 'demotion-policy', { when: closed });
  },
};
