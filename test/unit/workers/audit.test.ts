/** What workers put on record: every operation on data, before it begins and behind its end. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { onRecord } from '../../../activities/audit-entry.ts';
import { increasing } from '../../../datapath/audit/batch.ts';
import { createRecorder } from '../../../datapath/audit/recorder.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import type { Operation } from '../../../model/audit.ts';
import { PenstockError } from '../../../model/errors.ts';
import { auditedActivities, operationOf, otherActivities } from '../../../workers/audit-operations.ts';
import { workerPlans } from '../../../workers/roles.ts';
import { memoryLog, operationAt, START_MS } from '../../support/audit-log.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';

describe('activities', () => {
  test('each of every worker is an operation on record, or named as one that touches no data', async () => {
    const { stores } = recordingStores(await loadSiteFile(siteFile));
    const plans = [...(await workerPlans('control', stores)), ...(await workerPlans('data', stores))];
    const registered = new Set(plans.flatMap(({ activities = {} }) => Object.keys(activities)));
    const named = new Set([...Object.keys(auditedActivities), ...otherActivities]);
    assert.deepEqual([...registered].sort(), [...named].sort());
    for (const name of otherActivities) assert.ok(!(name in auditedActivities), name);
  });

  test('whose data, which node and which places stand in the input, or in the id of the workflow', () => {
    const node = { tenant: 'acme', project: 'vision', allocationId: 'train-1', node: { nodeId: 'n001', rackId: 'r01', features: [] } };
    assert.deepEqual(JSON.parse(JSON.stringify(operationOf('wipeNode', node, 'allocation/acme/vision/train-1'))), {
      operation: 'wipe',
      tenant: 'acme',
      project: 'vision',
      allocationId: 'train-1',
      nodeId: 'n001',
      paths: [],
    });
    const place = (store: string) => ({ store, bucket: 'acme', prefix: 'vision/train-1/' });
    const move = { manifest: { ...place('warm'), pages: 1 }, source: place('warm'), target: place('cold'), unit: 3 };
    const moved = operationOf('moveUnit', move, 'demote/acme/vision/train-1/warm-to-cold/move/x');
    assert.deepEqual([moved?.operation, moved?.tenant, moved?.allocationId, moved?.store], ['copy', 'acme', 'train-1', 'cold']);
    assert.deepEqual(moved?.paths.slice(0, 2), ['warm:s3://acme/vision/train-1/', 'cold:s3://acme/vision/train-1/']);
    const held = operationOf(
      'placeHold',
      { target: place('cold'), user: 'ada', reason: 'subpoena', retainUntil: '2033-01-01' },
      'retention/acme/vision/train-1',
    );
    assert.deepEqual([held?.operation, held?.user, held?.reason, held?.allocationId], ['hold', 'ada', 'subpoena', 'train-1']);
    assert.equal(operationOf('renewPins', node, undefined), undefined);
    assert.deepEqual(operationOf('sweepStores', 'not an object', undefined)?.paths, []);
  });
});

describe('an operation', () => {
  const act = { operation: 'wipe' as const, paths: [], actor: 'worker data', identity: ['run', '1', 1] };
  const recorderInto = (entries: Operation[]) => {
    return { record: async (entry: Operation) => void entries.push(entry) };
  };

  test('has its intent before it begins, and its outcome behind its end', async () => {
    const entries: Operation[] = [];
    const seen = await onRecord(recorderInto(entries), act, 'wait', async () => entries.map(({ stage }) => stage));
    assert.deepEqual(seen, ['intent']);
    assert.deepEqual(
      entries.map(({ stage, outcome }) => [stage, outcome]),
      [
        ['intent', undefined],
        ['outcome', 'done'],
      ],
    );
    const again: Operation[] = [];
    await onRecord(recorderInto(again), act, 'wait', async () => undefined);
    assert.deepEqual(
      again.map(({ id }) => id),
      entries.map(({ id }) => id),
    );
    assert.notEqual(entries[0]?.id, entries[1]?.id);
  });

  test('that fails says why, and fails as it did', async () => {
    const entries: Operation[] = [];
    const failing = onRecord(recorderInto(entries), act, 'wait', () => Promise.reject(new PenstockError('Denied', 'not yours.')));
    await assert.rejects(failing, { name: 'Denied' });
    assert.deepEqual([entries[1]?.outcome, entries[1]?.reason], ['failed', 'Denied: not yours.']);
  });

  test('is not begun where the log does not take it', async () => {
    const memory = memoryLog({
      onChange: () => {
        throw new Error('the store is out');
      },
    });
    let begun = 0;
    const recorder = createRecorder(memory.log.inbox);
    const work = async () => {
      begun += 1;
    };
    await assert.rejects(onRecord(recorder, act, 'wait', work), { name: 'StoreUnavailable' });
    assert.equal(begun, 0);
  });
});

test('many at once are few batches, each entry is durable when its recording answers, and a name of any form does not keep it out', async () => {
  let puts = 0;
  const memory = memoryLog({
    onChange: () => {
      puts += 1;
    },
  });
  const recorder = createRecorder(
    memory.log.inbox,
    undefined,
    increasing(() => START_MS),
  );
  const odd = { paths: ['a\nb', '\ud800', '\u0000'.repeat(5000)], reason: 'x'.repeat(5000), workflowId: 'w'.repeat(2000) };
  await Promise.all(Array.from({ length: 300 }, (_, number) => recorder.record(operationAt(number, START_MS, number === 7 ? odd : {}), 'wait')));
  assert.ok(puts <= 2, `${puts} batches`);
  const lines = [...memory.warm.objects.values()].flatMap((body) => body.toString('utf8').trimEnd().split('\n'));
  assert.equal(lines.length, 300);
});
