import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecallResult, RecallStatus } from '../../../model/recall.ts';
import { penstock, recorder } from './support.ts';

const status: RecallStatus = {
  ...{ tenant: 'acme', project: 'vision', allocationId: 'train-001', recallId: 'r1' },
  path: 'results/epoch-9.csv',
  tier: 'standard',
  target: 'warm:acme/again/',
  state: 'waiting',
  startedAt: '2026-11-21T03:00:00.000Z',
  files: 1,
  bytes: 2000,
  doneFiles: 0,
  doneBytes: 0,
  objects: 1,
  waitingObjects: 1,
  notTaken: 0,
  asked: 1,
  waiting: { since: '2026-11-21T03:00:01.000Z', nextLookAt: '2026-11-21T08:15:00.000Z', expectedBy: '2026-11-21T08:00:01.000Z' },
  failedCount: 0,
  failed: [],
};
const manifest = { store: 'warm', bucket: 'penstock-system', prefix: 'manifests/r/', pages: 1, files: 1, bytes: 2000, digest: 'd', units: 1 };
const result: RecallResult = { state: 'complete', files: 1, bytes: 2000, failedCount: 0, failed: [], asked: 1, objects: 1, manifest };
const submission = { workflowId: 'recall/acme/vision/train-001/r1', runId: 'run', attached: false };
const calls = { start: recorder(submission).ask, status: recorder(status).ask, cancel: recorder(status).ask, wait: recorder(result).ask };

test('recall start names what is recalled, how fast and where to; by default to where it lay in the warm tier', async () => {
  const { ask, asked } = recorder(submission);
  const recalls = { ...calls, start: ask };
  const first = await penstock(['recall', 'start', 'acme/vision/train-001', '--path', 'results/epoch-9.csv', '--tier', 'bulk', '--id', 'r1'], {
    penstock: { recalls },
  });
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /penstock recall status acme\/vision\/train-001\/r1/);
  await penstock(['recall', 'start', 'acme/vision/train-001', '--to', 'warm:acme/again/', '--id', 'r2'], { penstock: { recalls } });
  const common = { tenant: 'acme', project: 'vision', allocationId: 'train-001', replace: false, giveUpAfterHours: 336 };
  assert.deepEqual(asked, [
    { ...common, recallId: 'r1', path: 'results/epoch-9.csv', tier: 'bulk', target: { store: 'warm', bucket: 'acme', prefix: 'vision/train-001/' } },
    { ...common, recallId: 'r2', path: '', tier: 'standard', target: { store: 'warm', bucket: 'acme', prefix: 'again/' } },
  ]);
});

test('recall start --wait shows what it waits for, and exits with 7 where a file could not be recalled', async () => {
  const failed = [{ path: 'results/epoch-9.csv', type: 'Conflict', message: 'other content lies there' }];
  const recalls = { ...calls, wait: recorder({ ...result, state: 'partial' as const, files: 0, failedCount: 1, failed }).ask };
  const { code, stdout } = await penstock(['recall', 'start', 'acme/vision/train-001', '--wait'], { penstock: { recalls } });
  assert.equal(code, 7);
  assert.match(stdout, /results\/epoch-9\.csv\s+│?\s*Conflict/);
});

test('recall status says what it waits for, since when, when it is expected and when it looks again', async () => {
  const { stdout } = await penstock(['recall', 'status', 'acme/vision/train-001/r1'], { penstock: { recalls: calls } });
  for (const fact of [
    '1 of 1 objects, being restored since 2026-11-21T03:00:01.000Z',
    '2026-11-21T08:00:01.000Z',
    '2026-11-21T08:15:00.000Z',
    '1 restores, standard',
  ])
    assert.ok(stdout.includes(fact), `${fact} in\n${stdout}`);
});

test('a recall is refused before anything starts where its name, its path or its target is none', async () => {
  for (const parameters of [
    ['status', 'acme/vision/train-001'],
    ['start', 'acme/vision/train-001', '--path', '../other'],
    ['start', 'acme/vision/train-001', '--to', 'cold:acme/again/'],
    ['start', 'acme/vision/train-001', '--tier', 'soon'],
  ]) {
    const { code, stderr } = await penstock(['recall', ...parameters]);
    assert.equal(code, parameters.includes('--tier') || parameters[0] === 'status' ? 2 : 1, stderr);
  }
});
