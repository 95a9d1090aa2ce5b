import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { escapeLine } from '../../../cli/output/escape.ts';
import type { DryRun, PlanStep } from '../../../cli/plan/dry-run.ts';
import { planDryRun } from '../../../cli/plan/plan-dry-run.ts';
import { dryRunText } from '../../../cli/views/dry-run.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { AllocationRequestSchema } from '../../../model/allocation.ts';
import { type Contents, recordingStores } from './recording-stores.ts';
import { NOW, penstock, repository } from './support.ts';

const site = await loadSiteFile(join(repository, 'temporal-dev.yaml'));
const example = async (name: string): Promise<unknown> => parse(await readFile(join(repository, 'examples', name), 'utf8'));
const allocation = AllocationRequestSchema.parse(await example('allocation.yaml'));

const offline = (declaration: unknown): Promise<DryRun> => planDryRun({ declaration, site, now: NOW });
function online(declaration: unknown, contents: Contents): Promise<DryRun> {
  return planDryRun({ declaration, site, stores: recordingStores(site, contents).stores, now: NOW });
}
const stepsOf = (run: DryRun, phase: PlanStep['phase']): string[] =>
  run.steps.filter((step) => step.phase === phase).map((step) => `${step.kind} ${step.action} ${step.subject}`);

const GOLDEN_UNTIL_STARTING = `allocation acme/vision/train-001: would be accepted, as far as the site file tells

queued
  KIND  WHAT   OF                                HOW
  call  admit  allocation/acme/vision/train-001  2 mounts, held to the site's rules

staging
  KIND  WHAT                   OF                                                                      HOW
  call  warm.ensureBucket      penstock-system
  call  warm.writeBytes        s3://penstock-system/mounted/training-data/imagenet/.last-mounted.json  that it was used now: the demotion rules go by it
  call  warm.list              s3://training-data/imagenet
  call  cold.list              s3://training-data/imagenet                                             where the warm tier has nothing
  call  warm.writeBytes        s3://penstock-system/manifests/acme/vision/train-001/                   the manifest: every file with size and etag, in pages
  call  hot.locate             /training-data/imagenet
  call  hot.locate             /home/ada
  call  hot.capacity           hot                                                                     refused where the data is larger than the whole tier
  call  hot.reserve            /training-data/imagenet                                                 pinned until a day from then and 1 h 0 min more
  call  hot.renewReservations  allocation/acme/vision/train-001                                        pinned until a day from then and 1 h 0 min more
  move  warm or cold -> hot    s3://training-data/imagenet -> /training-data/imagenet                  at most 300 MB/s for all staging together; what is hot already is skipped

ready
  KIND  WHAT    OF             HOW
  wait  assign  the scheduler  accepted from readiness 0.8 on; at most 7 d 0 h after the expected start`;

for (const name of ['allocation.yaml', 'allocation-defaults.yaml']) {
  test(`examples/${name} holds to the schema and the embedded site accepts it`, async () => {
    AllocationRequestSchema.parse(await example(name));
    const run = await offline(await example(name));
    assert.deepEqual(run.refusals, []);
    assert.ok(run.accepted && !run.measured);
  });
}

test('the phases come in the order of an allocation’s life', async () => {
  const run = await offline(allocation);
  assert.deepEqual(
    [...new Set(run.steps.map((step) => step.phase))],
    ['queued', 'staging', 'ready', 'starting', 'running', 'draining', 'archiving', 'releasing'],
  );
});

test('the plan of the example, offline, reads as agreed', async () => {
  const { stdout, stderr, code } = await penstock(['allocation', 'plan', join(repository, 'examples/allocation.yaml'), '--offline'], {
    env: { PENSTOCK_SITE: join(repository, 'temporal-dev.yaml') },
  });
  assert.equal(code, 0);
  assert.equal(stderr, '');
  assert.equal(stdout.split('\n\nstarting')[0], GOLDEN_UNTIL_STARTING);
});

test('the least a scheduler says: a home, an output, checkpoints, and nothing to stage', async () => {
  const run = await offline(await example('allocation-defaults.yaml'));
  assert.deepEqual(stepsOf(run, 'staging'), [
    'call hot.locate /home/ada',
    'call hot.capacity hot',
    'call hot.renewReservations allocation/acme/vision/defaults-001',
  ]);
  assert.deepEqual(stepsOf(run, 'starting').slice(0, 6), [
    'call hotFiles.ensureDirectory acme/vision/defaults-001',
    'call hotFiles.ensureDirectory acme/vision/defaults-001/checkpoints',
    'call hotFiles.ensureDirectory home/ada',
    'call warm.ensureBucket acme',
    'call cold.ensureBucket acme',
    'call hot.createExport /home/ada',
  ]);
});

test('a job without checkpoints has none in its plan', async () => {
  const run = await offline({ ...allocation, checkpoint: 'none' });
  assert.deepEqual(stepsOf(run, 'running'), ['wait finish the scheduler']);
});

test('sizes come from the stores: what is hot already is not moved again, and cold data is found', async () => {
  const warm = await online(allocation, { warm: { 'training-data': { 'imagenet/a': 3_000_000, 'imagenet/b': 1_000_000 } } });
  assert.deepEqual(
    warm.steps.filter((step) => step.kind === 'move' && step.phase === 'staging').map(({ action, files, bytes }) => ({ action, files, bytes })),
    [{ action: 'warm -> hot', files: 2, bytes: 4_000_000 }],
  );
  assert.ok(warm.measured && warm.accepted);
  const cold = await online(allocation, { cold: { 'training-data': { 'imagenet/a': 7 } } });
  assert.equal(cold.steps.find((step) => step.kind === 'move')?.action, 'cold -> hot');
});

test('data that is nowhere is refused, and exits with 1', async () => {
  const { stores } = recordingStores(site);
  const ran = await penstock(['allocation', 'plan', join(repository, 'examples/allocation.yaml')], { stores });
  assert.equal(ran.code, 1);
  assert.match(ran.stdout, /would be refused\n\nrefused\n {2}NotFound: data\.mounts\[0\]\.source: found s3:\/\/training-data\/imagenet, which holds nothing/);
});

test('data larger than the tier is refused, data that finds no room now waits', async () => {
  const contents = { warm: { 'training-data': { 'imagenet/a': 1_000_000_000 } }, hotCapacityBytes: 500_000_000 };
  assert.deepEqual(
    (await online(allocation, contents)).refusals.map(({ type }) => type),
    ['PolicyRefused'],
  );
  const full = recordingStores(site, { ...contents, hotCapacityBytes: 2e9 });
  const capacity = await full.stores.hot.capacity();
  const stores = { ...full.stores, hot: { ...full.stores.hot, capacity: () => Promise.resolve({ ...capacity, usedBytes: 1.9e9, floorsBytesPerSecond: 3e9 }) } };
  const run = await planDryRun({ declaration: allocation, site, stores, now: NOW });
  assert.ok(run.accepted);
  assert.deepEqual(
    run.waits.map(({ type }) => type),
    ['HOT_TIER_FULL', 'FloorUnavailable'],
  );
});

test('every refusal is named at once', async () => {
  const declaration = {
    ...allocation,
    requiredFeatures: ['gpu_direct'],
    retention: { retainUntil: '2020-01-01T00:00:00Z' },
    data: {
      mounts: [
        { source: 's3://other-tenant/x', target: '/data/a' },
        { source: 'nfs://home/eve', target: '/data/a/b' },
      ],
      output: 's3://acme/elsewhere/',
    },
  };
  const { refusals, steps, accepted } = await offline(declaration);
  assert.ok(!accepted);
  assert.deepEqual(steps, []);
  assert.deepEqual(
    refusals.map(({ message }) => message.split(':')[0]),
    ['data.mounts[0].source', 'data.mounts[1].source', 'data.mounts[1].target', 'data.output', 'retention.retainUntil', 'requiredFeatures[0]'],
  );
});

test('an input that is no allocation is refused field by field', async () => {
  assert.deepEqual(
    (await offline({ tenant: 'acme', project: '../x', allocationId: 'a', user: 'ada', extra: 1 })).refusals.map(({ message }) => message.split(':')[0]),
    ['project', 'extra'],
  );
  assert.equal((await offline('text')).refusals.length, 1);
  assert.equal((await offline(undefined)).refusals.length, 1);
});

test('a hostile subject cannot leave its cell', () => {
  const text = dryRunText({
    allocation: 'a\x1b[2J',
    accepted: true,
    measured: false,
    waits: [],
    refusals: [{ type: 'x', message: 'y\r\nz' }],
    steps: [{ phase: 'staging', kind: 'move', action: 'warm -> hot', subject: 's3://b/\x1b]0;t\x07\n', detail: '\u202e' }],
  });
  for (const line of text.split('\n')) assert.equal(escapeLine(line), line);
});
