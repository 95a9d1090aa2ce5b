/** The scheduler's contract is JSON: a whole life of an allocation with nothing but Temporal's own command. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as z from 'zod';
import type { CheckpointReservation, MountPlan } from '../../client/index.ts';
import { writeCheckpoint, writeLogs, writeOutput } from '../../dev/job/job.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { digestsOf, objectDigests, sorted } from '../support/facts.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, OUTPUT_FILES, seedDataset } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { type TemporalCli, temporalCli } from '../support/temporal-cli.ts';
import { eventually } from '../support/wait.ts';

const id = allocationWorkflowId(keyOf('cli-1'));
const PayloadSchema = z.object({ data: z.base64() }).transform(({ data }): unknown => JSON.parse(Buffer.from(data, 'base64').toString('utf8')));
const EventSchema = z.object({
  eventType: z.string(),
  userMetadata: z.object({ summary: PayloadSchema.optional() }).optional(),
  activityTaskScheduledEventAttributes: z.object({ activityType: z.object({ name: z.string() }) }).optional(),
});
const StatusSchema = z.looseObject({ phase: z.string(), reason: z.object({ code: z.string(), message: z.string() }).optional() });

describe('plain Temporal, no client of ours', { concurrency: false }, () => {
  let site: TestSite;
  let temporal: TemporalCli;
  before(async () => {
    site = await startTestSite();
    temporal = await temporalCli(site);
    await seedDataset(site.stores.warm, datasetFiles(20, 1000));
  });
  after(() => site.stop());

  const start = async (workflowId: string, input: object) => {
    const file = join(site.directory, 'input.json');
    await writeFile(file, JSON.stringify(input));
    return temporal('workflow', 'start', '--type', 'allocation', '--task-queue', 'control', '--workflow-id', workflowId, '--input-file', file);
  };
  const query = async <S extends z.ZodType>(schema: S, ...command: readonly string[]): Promise<z.output<S>> => {
    const { queryResult } = z.object({ queryResult: z.tuple([schema]) }).parse(await temporal('workflow', ...command));
    return schema.parse(queryResult[0]);
  };
  const status = (workflowId = id) => query(StatusSchema, 'query', '--workflow-id', workflowId, '--name', 'status');
  /** The answers' shapes are what the contract promises; the steps below use and so prove them. */
  const update = async <T>(name: string, input: object): Promise<T> => {
    const answer = await temporal('workflow', 'update', 'execute', '--workflow-id', id, '--name', name, '--input', JSON.stringify(input));
    return z.object({ result: z.custom<T>() }).parse(answer).result;
  };

  test('started from a JSON file, its data is staged and its readiness is told', async () => {
    await start(id, allocationInput('cli-1'));
    await eventually('readiness 1', async () => {
      const { readiness } = await query(z.looseObject({ readiness: z.number() }), 'query', '--workflow-id', id, '--name', 'readiness');
      return readiness === 1 || undefined;
    });
    assert.equal((await status()).phase, 'ready');
  });

  test('an update with a missing field is refused, and the refusal names it', async () => {
    await assert.rejects(update('assignNodes', { nodes: [{ nodeId: 'n001' }] }), /nodes\[0\]\.rackId: found nothing; accepted:/);
  });

  test('nodes, a checkpoint, and the end of the job', async () => {
    const plan = await update<MountPlan>('assignNodes', { nodes: [NODE] });
    await writeLogs(plan, 50);
    await writeOutput(plan, site.stores.hotObjects, OUTPUT_FILES);
    const reservation = await update<CheckpointReservation>('reserveCheckpoint', { checkpointId: 'step-1', bytes: '10MB' });
    await writeCheckpoint(reservation, CHECKPOINT_FILES);
    const committed = await update<{ files: number }>('commitCheckpoint', { checkpointId: 'step-1' });
    assert.equal(committed.files, CHECKPOINT_FILES.size);
  });

  test('the operator sees the phase: in the current details and in a list by tenant', async () => {
    const { currentDetails } = await query(z.looseObject({ currentDetails: z.string() }), 'metadata', '--workflow-id', id);
    assert.match(currentDetails, /^\*\*running\*\* since .*\n\n- data: 100 %[\s\S]*- nodes: n001/);
    const RowsSchema = z.array(z.looseObject({ execution: z.object({ workflowId: z.string() }), searchAttributes: z.looseObject({}) }));
    const row = await eventually('the visibility store to follow', async () => {
      const rows = RowsSchema.parse(await temporal('workflow', 'list', '--query', "tenant='acme' AND phase='running'"));
      return rows.find((each) => each.execution.workflowId === id);
    });
    const { indexedFields } = z.object({ indexedFields: z.record(z.string(), PayloadSchema) }).parse(row.searchAttributes);
    const expected = { tenant: 'acme', project: 'vision', allocationId: 'cli-1', phase: 'running', sensitivity: 'standard', rack: ['r01'] };
    assert.partialDeepStrictEqual(indexedFields, expected);
  });

  test('finished and released, the output lies locked in the cold store', async () => {
    const answer = await update<{ uncleanNodes: string[] }>('finish', { outcome: 'succeeded', exitCode: 0 });
    assert.deepEqual(answer.uncleanNodes, []);
    const { result } = z.object({ result: StatusSchema }).parse(await temporal('workflow', 'result', '--workflow-id', id));
    assert.equal(result.phase, 'released');
    const cold = await objectDigests(site.stores.cold, 'acme', 'vision/cli-1/');
    assert.ok(cold.delete('.penstock/output.json'));
    assert.deepEqual(sorted(cold), sorted(digestsOf(OUTPUT_FILES)));
    for (const path of OUTPUT_FILES.keys()) assert.equal((await site.stores.cold.retention('acme', `vision/cli-1/${path}`))?.mode, 'COMPLIANCE');
  });

  test('every activity and every timer of its history says what it is for', async () => {
    const { events } = z.object({ events: z.array(EventSchema) }).parse(await temporal('workflow', 'show', '--workflow-id', id));
    for (const type of ['EVENT_TYPE_ACTIVITY_TASK_SCHEDULED', 'EVENT_TYPE_TIMER_STARTED']) {
      const found = events.filter((event) => event.eventType === type);
      assert.ok(found.length > 3, `${found.length} events of ${type}`);
      const silent = found.filter((event) => typeof event.userMetadata?.summary !== 'string' || event.userMetadata.summary === '');
      assert.deepEqual(silent, []);
    }
  });

  test('invalid input fails at once, naming the field, the value and what would be accepted', async () => {
    const bad = allocationWorkflowId(keyOf('cli-2'));
    await start(bad, { ...allocationInput('cli-2'), user: 'Not A User' });
    await assert.rejects(temporal('workflow', 'result', '--workflow-id', bad), (error: { stdout?: string }) => {
      assert.match(error.stdout ?? '', /user: found \\"Not A User\\"; accepted: 1 to 32 of a-z/);
      return true;
    });
  });

  test('a workflow id that is not the allocation’s own is refused: two ids would be two lives of one job', async () => {
    await start('my-own-name', allocationInput('cli-3'));
    await assert.rejects(temporal('workflow', 'result', '--workflow-id', 'my-own-name'), (error: { stdout?: string }) => {
      assert.match(error.stdout ?? '', /workflow id: found my-own-name; accepted: allocation\/acme\/vision\/cli-3/);
      return true;
    });
  });
});
