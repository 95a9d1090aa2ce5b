/** An allocation that goes well, caught at every point where it waits; and the restore and the retention that come after. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeCheckpoint } from '../../../dev/job/job.ts';
import { allocationWorkflowId } from '../../../model/identifiers.ts';
import type { RetentionStatus } from '../../../model/retention.ts';
import { childrenStarted, scheduled, signalled, whileMoversStand } from '../../support/histories.ts';
import { allocationInput, CHECKPOINT_FILES, keyOf, NODE, PLAIN_NODE, untilPhase } from '../../support/scenario.ts';
import { eventually } from '../../support/wait.ts';
import { closed, DATASET, declares, type Scenario, submitReady, suffixOf, writeResults } from '../scenario.ts';

export const wholeLife: Scenario = {
  site: 'usual',
  saves: [
    ...['queued', 'staging', 'ready', 'starting', 'running', 'drain-pending', 'draining', 'archiving', 'completed'].map((point) => `allocation/${point}`),
    ...['prestage', 'drainCheckpoint', 'archiveLogs'].flatMap((type) => [`${type}/running`, `${type}/completed`]),
    'demote/running',
    'demote/published',
    'demote/archived',
    'retain/running',
    'restoreCheckpoint/completed',
  ],
  async run(site, save) {
    const key = keyOf('life');
    const id = allocationWorkflowId(key);
    const drain = `drain/${suffixOf(key)}/step-100`;

    await whileMoversStand(site, async () => {
      await site.penstock.submit(allocationInput('life', declares(DATASET)));
      await save('allocation/queued', id, { phase: 'queued', when: (events) => childrenStarted(events, 'prestage').length === 1 });
    });
    await untilPhase(site, key, 'staging');
    await whileMoversStand(site, async () => {
      await save('allocation/staging', id, { phase: 'staging' });
      await save('prestage/running', `prestage/${suffixOf(key)}/1`, { when: (events) => scheduled(events, 'moveWhole').length === 1 });
    });
    await untilPhase(site, key, 'ready');
    await site.penstock.reschedule(key, { expectedStart: new Date(Date.now() + 172_800_000).toISOString() });
    await save('allocation/ready', id, { phase: 'ready' });

    const assigned = await whileMoversStand(site, async () => {
      const answer = site.penstock.assignNodes(key, { nodes: [NODE, PLAIN_NODE] });
      await save('allocation/starting', id, { phase: 'starting', when: (events) => scheduled(events, 'prepareNode').length === 2 });
      return { answer };
    });
    const plan = await assigned.answer;
    await save('allocation/running', id, { phase: 'running' });
    await writeResults(site, plan);
    await site.penstock.extendRetention(key, { retainUntil: '2033-11-22T00:00:00Z' });
    const torn = await site.penstock.reserveCheckpoint(key, { checkpointId: 'torn', bytes: 1000 });
    await mkdir(torn.localPath, { recursive: true });
    await writeFile(join(torn.localPath, 'a.bin'), 'the whole');
    await site.penstock.commitCheckpoint(key, { checkpointId: 'torn' }).then(
      () => Promise.reject(new Error('a torn checkpoint was acknowledged')),
      () => undefined, // the refusal is what is recorded
    );
    await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId: 'step-100', bytes: '10MB' }), CHECKPOINT_FILES);
    await site.penstock.commitCheckpoint(key, { checkpointId: 'step-100' });
    await whileMoversStand(site, async () => {
      const pending = { when: (events: Parameters<typeof signalled>[0]) => signalled(events, 'checkpointDrained').length === 0 };
      await save('allocation/drain-pending', id, pending);
      await save('drainCheckpoint/running', drain, { when: (events) => scheduled(events, 'drainToErasureSet').length === 1 });
    });
    await save('drainCheckpoint/completed', drain, { when: closed });

    const finished = await whileMoversStand(site, async () => {
      const answer = site.penstock.finish(key, { outcome: 'succeeded', exitCode: 0 });
      await save('allocation/draining', id, { phase: 'draining', when: (events) => childrenStarted(events, 'archiveLogs').length === 1 });
      await save('archiveLogs/running', `logs/${suffixOf(key)}`, { when: (events) => scheduled(events, 'archiveNodeLogs').length === 2 });
      return { answer };
    });
    await finished.answer;
    await whileMoversStand(site, async () => {
      await save('allocation/archiving', id, { phase: 'archiving' });
      await save('demote/running', `demote/${suffixOf(key)}/hot-to-warm`, { when: (events) => scheduled(events, 'listPrefix').length === 1 });
    });
    await site.penstock.wait(key);
    await save('allocation/completed', id, { when: closed });
    await save('prestage/completed', `prestage/${suffixOf(key)}/1`);
    await save('archiveLogs/completed', `logs/${suffixOf(key)}`);
    await save('demote/published', `demote/${suffixOf(key)}/hot-to-warm`);
    await save('demote/archived', `demote/${suffixOf(key)}/warm-to-cold`);
    await save('retain/running', `retention/${suffixOf(key)}`, { when: (events) => scheduled(events, 'attestRetained').length === 0 });
    await site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100' });
    await save('restoreCheckpoint/completed', `restore/${suffixOf(key)}/step-100`);
  },
};

/** A retention of seconds: attested, extended, over. */
export const retention: Scenario = {
  site: 'usual',
  saves: ['retain/attested', 'retain/extended', 'retain/completed'],
  async run(site, save) {
    const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const key = await submitReady(site, 'brief-retention', { retention: { mode: 'COMPLIANCE', retainUntil: inSeconds(25) } });
    await writeResults(site, await site.penstock.assignNodes(key, { nodes: [NODE] }));
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    const handle = site.temporal.workflow.getHandle(`retention/${suffixOf(key)}`);
    await eventually('two attestations', async () => (await handle.query<RetentionStatus>('status')).attestations >= 2 || undefined);
    await save('retain/attested', handle.workflowId);
    await handle.executeUpdate('extendRetention', { args: [{ retainUntil: inSeconds(30) }] });
    await save('retain/extended', handle.workflowId);
    await handle.result();
    await save('retain/completed', handle.workflowId);
  },
};

/** Held past its end, released, and deleted when a person says so. */
export const heldAndDisposed: Scenario = {
  site: 'disposing',
  saves: ['retain/held', 'retain/undecided', 'retain/deleted'],
  async run(site, save) {
    const retainUntil = new Date(Date.now() + 40_000).toISOString();
    const key = await submitReady(site, 'held', { retention: { mode: 'COMPLIANCE', retainUntil } });
    await writeResults(site, await site.penstock.assignNodes(key, { nodes: [NODE] }));
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    const workflowId = `retention/${suffixOf(key)}`;
    const order = { reason: 'subpoena', actor: 'ada' };
    await site.penstock.retentions.placeHold(key, order);
    await eventually('an attestation under the hold', async () => (await site.penstock.retentions.status(key)).attestations >= 1 || undefined);
    await save('retain/held', workflowId, { when: (events) => scheduled(events, 'placeHold').length >= 2 });
    await site.penstock.retentions.releaseHold(key, order);
    await eventually('the end', async () => (await site.penstock.retentions.status(key)).stage === 'undecided' || undefined);
    await save('retain/undecided', workflowId, { when: (events) => scheduled(events, 'extendLocks').length >= 2 });
    await site.penstock.retentions.dispose(key, { ...order, decision: 'delete' });
    await save('retain/deleted', workflowId, { when: closed });
  },
};
