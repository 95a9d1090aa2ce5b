/** Allocations that end otherwise: cancelled in each way, refused, overdue; and the drains that are left behind. */
import { rm } from 'node:fs/promises';
import type { AllocationKey } from '../../../client/index.ts';
import { writeCheckpoint } from '../../../dev/job/job.ts';
import { allocationWorkflowId } from '../../../model/identifiers.ts';
import { whileMoversStand } from '../../support/histories.ts';
import { allocationInput, CHECKPOINT_FILES, keyOf, NODE, runJob, seedDataset, untilPhase } from '../../support/scenario.ts';
import type { TestSite } from '../../support/site.ts';
import { closed, declares, type Scenario, submitReady, suffixOf, writeResults } from '../scenario.ts';
import { LARGE } from './datasets.ts';

const REASON = 'the user changed their mind';

async function runningWithCheckpoint(site: TestSite, allocationId: string): Promise<AllocationKey> {
  const key = await submitReady(site, allocationId);
  await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }));
  return key;
}

/** The end is saved as it is, whichever it is. */
async function untilOver(site: TestSite, key: AllocationKey): Promise<void> {
  await site.penstock.wait(key).catch(() => undefined);
}

export const cancelledByDrain: Scenario = {
  site: 'usual',
  saves: ['allocation/cancelled-by-drain'],
  async run(site, save) {
    const key = await runningWithCheckpoint(site, 'cancel-drain');
    await site.penstock.cancel(key, { mode: 'drain', reason: REASON });
    await untilOver(site, key);
    await save('allocation/cancelled-by-drain', allocationWorkflowId(key), { when: closed, phase: 'cancelled' });
  },
};

/** The drain is caught before it moved anything, so that there is something to abandon. */
export const cancelledByAbandon: Scenario = {
  site: 'usual',
  saves: ['allocation/cancelled-by-abandon', 'drainCheckpoint/abandoned'],
  async run(site, save) {
    const key = await runningWithCheckpoint(site, 'cancel-abandon');
    await whileMoversStand(site, () => site.penstock.cancel(key, { mode: 'abandon', reason: REASON }));
    await untilOver(site, key);
    await save('allocation/cancelled-by-abandon', allocationWorkflowId(key), { when: closed, phase: 'cancelled' });
    await save('drainCheckpoint/abandoned', `drain/${suffixOf(key)}/step-100`, { when: closed });
  },
};

export const cancelledNatively: Scenario = {
  site: 'usual',
  saves: ['allocation/cancelled-natively'],
  async run(site, save) {
    const key = await runningWithCheckpoint(site, 'cancel-native');
    await site.temporal.workflow.getHandle(allocationWorkflowId(key)).cancel();
    await untilOver(site, key);
    await save('allocation/cancelled-natively', allocationWorkflowId(key), { when: closed, phase: 'cancelled' });
  },
};

export const cancelledEarly: Scenario = {
  site: 'usual',
  saves: ['allocation/cancelled-while-staging', 'prestage/cancelled', 'allocation/cancelled-while-ready'],
  async run(site, save) {
    await seedDataset(site.stores.warm, LARGE, 'training-data', 'cancelled/');
    const staging = keyOf('cancel-staging');
    await site.penstock.submit(allocationInput(staging.allocationId, declares('s3://training-data/cancelled')));
    await untilPhase(site, staging, 'staging');
    await site.penstock.cancel(staging, { mode: 'abandon', reason: REASON });
    await untilOver(site, staging);
    await save('allocation/cancelled-while-staging', allocationWorkflowId(staging), { when: closed, phase: 'cancelled' });
    await save('prestage/cancelled', `prestage/${suffixOf(staging)}/1`, { when: closed });

    const ready = await submitReady(site, 'cancel-ready');
    await site.penstock.cancel(ready, { mode: 'drain', reason: REASON });
    await untilOver(site, ready);
    await save('allocation/cancelled-while-ready', allocationWorkflowId(ready), { when: closed, phase: 'cancelled' });
  },
};

export const refused: Scenario = {
  site: 'usual',
  saves: ['allocation/failed-invalid-input', 'allocation/failed-not-admitted', 'allocation/failed-empty-source', 'prestage/failed'],
  async run(site, save) {
    // Past the typed client, which would refuse it before anything starts.
    const invalid = allocationWorkflowId(keyOf('invalid'));
    const input = { ...allocationInput('invalid'), user: 'Not A User' };
    const handle = await site.temporal.workflow.start('allocation', { workflowId: invalid, taskQueue: 'control', args: [input] });
    await handle.result().catch(() => undefined);
    await save('allocation/failed-invalid-input', invalid, { when: closed });

    const foreign = keyOf('foreign');
    await site.penstock.submit(allocationInput('foreign', declares('s3://other-tenant/secret')));
    await untilOver(site, foreign);
    await save('allocation/failed-not-admitted', allocationWorkflowId(foreign), { when: closed, phase: 'failed' });

    const empty = keyOf('empty');
    await site.penstock.submit(allocationInput('empty', declares('s3://training-data/typo')));
    await untilOver(site, empty);
    await save('allocation/failed-empty-source', allocationWorkflowId(empty), { when: closed, phase: 'failed' });
    await save('prestage/failed', `prestage/${suffixOf(empty)}/1`, { when: closed });
  },
};

export const overdue: Scenario = {
  site: 'impatient',
  saves: ['allocation/failed-walltime'],
  async run(site, save) {
    const key = await submitReady(site, 'absent', { walltimeSeconds: 3 });
    await site.penstock.assignNodes(key, { nodes: [NODE] });
    await untilOver(site, key);
    await save('allocation/failed-walltime', allocationWorkflowId(key), { when: closed, phase: 'failed' });
  },
};

/** The in-rack copy is lost before it is drained: the drain says so and keeps what there is. */
export const stuckDrain: Scenario = {
  site: 'usual',
  saves: ['drainCheckpoint/stuck', 'allocation/drain-stuck'],
  async run(site, save) {
    const key = await submitReady(site, 'stuck');
    const plan = await site.penstock.assignNodes(key, { nodes: [NODE] });
    await writeResults(site, plan);
    const reservation = await site.penstock.reserveCheckpoint(key, { checkpointId: 'lost', bytes: '10MB' });
    await writeCheckpoint(reservation, CHECKPOINT_FILES);
    await site.penstock.commitCheckpoint(key, { checkpointId: 'lost' });
    await whileMoversStand(site, () => rm(reservation.rackPath, { recursive: true }));
    await save('drainCheckpoint/stuck', `drain/${suffixOf(key)}/lost`, { when: closed });
    await site.penstock.finish(key, { outcome: 'failed', exitCode: 1 });
    await untilOver(site, key);
    await save('allocation/drain-stuck', allocationWorkflowId(key), { when: closed, phase: 'released' });
  },
};
