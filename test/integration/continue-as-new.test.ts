/** An allocation whose history is full many times over, on the real server: nothing is lost from one run to the next. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pLimit from 'p-limit';
import type { MountPlan } from '../../client/index.ts';
import { checkpointFiles, writeCheckpoint, writeLogs, writeOutput } from '../../dev/job/job.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { digestsOf, sorted, treeDigests } from '../support/facts.ts';
import { childrenStarted, type Run, runsOf, signalled } from '../support/histories.ts';
import { allocationInput, datasetFiles, keyOf, NODE, OUTPUT_FILES, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const EVENTS_PER_RUN = 120;
/** Checkpoints are turned away at twice the limit; what is under way then still ends in its run. */
const EVENTS_OVER = EVENTS_PER_RUN + 150;
const IN_FLIGHT = 4;
const CHECKPOINTS = Array.from({ length: 24 }, (_, index) => `step-${String(index).padStart(2, '0')}`);
/** Each moves it on, so that an update is lost if any run forgets the one before. */
const retainUntil = (index: number): string => `20${33 + index}-11-22T00:00:00Z`;

describe('an allocation over several runs', { concurrency: false }, () => {
  const key = keyOf('long');
  const id = allocationWorkflowId(key);
  let site: TestSite;
  let firstRunId: string;
  let plan: MountPlan;

  before(async () => {
    site = await startTestSite({ policies: { eventsPerRun: EVENTS_PER_RUN } });
    await seedDataset(site.stores.warm, datasetFiles(20, 1000));
  });
  after(() => site.stop());

  const filesOf = (checkpointId: string) => checkpointFiles(checkpointId, 2, 50_000);
  const runs = (): Promise<Run[]> => runsOf(site.temporal, id, firstRunId);

  test('checkpoints without a pause are reserved and committed while runs end and begin, and every one is drained', async () => {
    firstRunId = (await site.penstock.submit(allocationInput('long'))).runId;
    await untilPhase(site, key, 'ready');
    plan = await site.penstock.assignNodes(key, { nodes: [NODE] });
    await writeLogs(plan, 50);
    await writeOutput(plan, site.stores.hotObjects, OUTPUT_FILES);
    // Never a moment without a checkpoint in flight: the new run must come all the same.
    const limit = pLimit(IN_FLIGHT);
    const committed = await Promise.all(
      CHECKPOINTS.map((checkpointId, index) =>
        limit(async () => {
          await site.penstock.extendRetention(key, { retainUntil: retainUntil(index) }).catch(() => undefined); // a later one was quicker
          await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId, bytes: '1MB' }), filesOf(checkpointId));
          return (await site.penstock.commitCheckpoint(key, { checkpointId })).checkpointId;
        }),
      ),
    );
    assert.deepEqual(committed, CHECKPOINTS, 'each was acknowledged under its own name');
    const status = await eventually('every drain to be reported', async () => {
      const now = await site.penstock.status(key);
      return now.checkpointCounts.drained === CHECKPOINTS.length ? now : undefined;
    });
    assert.deepEqual(status.checkpointCounts, { reserved: 0, committed: 0, drained: CHECKPOINTS.length });
    const count = (await runs()).length;
    assert.ok(count >= 3, `${count} runs`);
  });

  test('each update, signal and child is in one run, and no run outgrows its share', async () => {
    const all = await runs();
    const started = all.flatMap(({ events }) => childrenStarted(events, 'drainCheckpoint'));
    const ids = started.map((event) => event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId);
    assert.deepEqual(ids.toSorted(), CHECKPOINTS.map((each) => `drain/acme/vision/long/${each}`).toSorted(), 'one drain each');
    const reports = all.flatMap(({ events }) => signalled(events, 'checkpointDrained'));
    assert.equal(reports.length, CHECKPOINTS.length);
    process.stdout.write(`# ${all.length} runs of ${all.map(({ events }) => events.length).join(', ')} events\n`);
    for (const [index, { events }] of all.entries()) {
      assert.ok(events.length < EVENTS_PER_RUN + EVENTS_OVER, `run ${index + 1} has ${events.length} events`);
      const accepted = events.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes).length;
      const completed = events.filter((event) => event.workflowExecutionUpdateCompletedEventAttributes).length;
      assert.equal(completed, accepted, `run ${index + 1} ended with updates unanswered`);
    }
  });

  test('a later run knows what the first one was told', async () => {
    const { runId } = await site.temporal.workflow.getHandle(id).describe();
    assert.notEqual(runId, firstRunId);
    assert.deepEqual(await site.penstock.assignNodes(key, { nodes: [NODE] }), plan, 'asked again, the same mount plan');
    await assert.rejects(site.penstock.reserveCheckpoint(key, { checkpointId: CHECKPOINTS.at(-1) ?? '', bytes: 1 }), { message: /already drained/ });
    const status = await site.penstock.status(key);
    assert.deepEqual([status.phase, status.nodes, status.holdsNodes], ['running', ['n001'], true]);
    assert.ok(status.journal.some((entry) => /running on n001/.test(entry.text)) || status.journal.length === 40, 'the journal goes on');
  });

  test('a later run is found, attached to and told from another as the first one was', async () => {
    assert.equal((await site.penstock.submit(allocationInput('long'))).attached, true);
    await assert.rejects(site.penstock.submit(allocationInput('long', { walltimeSeconds: 1800 })), { type: 'Conflict' });
    const { typedSearchAttributes } = await site.temporal.workflow.getHandle(id).describe();
    const tags = typedSearchAttributes.getAll().map(({ key: { name }, value }) => [name, value]);
    const expected = { tenant: 'acme', project: 'vision', allocationId: 'long', phase: 'running', sensitivity: 'standard', rack: ['r01'] };
    assert.partialDeepStrictEqual(Object.fromEntries(tags), expected); // the server adds one of its own
    await eventually('the running one to be listed', async () => {
      const rows = await site.penstock.list({ tenant: 'acme', phase: 'running' });
      return rows.some((row) => row.allocationId === 'long' && row.closedAt === undefined) || undefined;
    });
  });

  test('finish ends it like any other: output archived, nothing held, checkpoints restorable', async () => {
    assert.deepEqual((await site.penstock.finish(key, { outcome: 'succeeded' })).uncleanNodes, []);
    const status = await site.penstock.wait(key);
    assert.deepEqual([status.phase, status.output?.files], ['released', OUTPUT_FILES.size]);
    assert.equal(status.output?.retainUntil, retainUntil(CHECKPOINTS.length - 1), 'the last extension holds');
    const held = await site.stores.hot.holdings(id);
    assert.deepEqual([held.exports, held.reservations], [[], []]);
    for (const checkpointId of [CHECKPOINTS[0], CHECKPOINTS[8], CHECKPOINTS.at(-1)]) {
      assert.ok(checkpointId);
      const restored = await site.penstock.restoreCheckpoint({ ...key, checkpointId });
      const found = await treeDigests(join(site.stores.hotFiles.root, restored.path));
      assert.deepEqual(sorted(found), sorted(digestsOf(filesOf(checkpointId))), checkpointId);
    }
  });
});
