import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import type { AllocationInput } from '../../../client/index.ts';
import { Refusal } from '../../../client/refusal.ts';
import { penstock, recorder, repository, siteFile, status } from './support.ts';

const KEY = { tenant: 'acme', project: 'vision', allocationId: 'train-001' };
const NAME = 'acme/vision/train-001';
let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-cli-'));
});
after(() => rm(directory, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  await writeFile(join(directory, name), content);
  return join(directory, name);
}

test('submit sends the file as the schema reads it, and says whether it attached', async () => {
  let sent: AllocationInput | undefined;
  const ran = await penstock(['allocation', 'submit', join(repository, 'examples/allocation.yaml'), '-o', 'json'], {
    penstock: {
      submit: (input) => {
        sent = input;
        return Promise.resolve({ workflowId: `allocation/${NAME}`, runId: 'run', attached: true });
      },
    },
  });
  assert.equal(ran.code, 0);
  assert.equal(sent?.data?.mounts?.[0]?.bandwidth_floor, 200_000_000);
  assert.deepEqual(JSON.parse(ran.stdout), { workflowId: `allocation/${NAME}`, runId: 'run', attached: true });
});

test('--version names the release, and is no error', async () => {
  const { version } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as { version: string };
  const { code, stdout } = await penstock(['--version']);
  assert.deepEqual([code, stdout], [0, `${version}\n`]);
});

test('submit refuses a wrong file before it connects, naming field, value and what is accepted', async () => {
  const wrong = await file('wrong.json', JSON.stringify({ ...KEY, user: 'Ada Lovelace', walltime: 5 }));
  const ran = await penstock(['allocation', 'submit', wrong]);
  assert.equal(ran.code, 1);
  assert.equal(ran.stdout, '');
  assert.match(ran.stderr, /^InvalidInput: .*wrong\.json:\nuser: found "Ada Lovelace"; accepted: 1 to 32 of.*\nwalltime: found an unknown field/);
});

test('a file that is not there, too large or no YAML is a usage error', async () => {
  const tooLarge = await file('large.yaml', `# ${'x'.repeat(1 << 20)}`);
  const broken = await file('broken.yaml', 'tenant: [');
  for (const name of [join(directory, 'none.yaml'), tooLarge, broken]) {
    const ran = await penstock(['allocation', 'submit', name]);
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(ran.stderr, /cannot be read|more than 1048576|neither YAML nor JSON/);
  }
});

test('an allocation is named by its key, its workflow id or its file', async () => {
  const { ask, asked } = recorder(status());
  const world = { penstock: { status: ask } };
  for (const name of [NAME, `allocation/${NAME}`, join(repository, 'examples/allocation.yaml')]) {
    assert.equal((await penstock(['allocation', 'status', name], world)).code, 0);
  }
  for (const key of asked) assert.partialDeepStrictEqual(key, KEY);
});

test('a name that could reach elsewhere is refused', async () => {
  for (const name of ['acme/vision', 'acme/../train', 'acme/vision/train/001', 'AC ME/vision/train', "acme/vision/x' OR 1=1"]) {
    const ran = await penstock(['allocation', 'status', name]);
    assert.equal(ran.code, 2, name);
    assert.match(ran.stderr, /accepted: /);
  }
});

test('global options are understood before and after the command', async () => {
  const world = { penstock: { status: () => Promise.resolve(status()) } };
  const before = await penstock(['-o', 'yaml', 'allocation', 'status', NAME], world);
  const behind = await penstock(['alloc', 'status', NAME, '--output', 'yaml'], world);
  assert.equal(before.stdout, behind.stdout);
  assert.equal(parse(before.stdout).phase, 'running');
});

test('the status table shows phase, data, nodes and journal', async () => {
  const { stdout } = await penstock(['allocation', 'status', NAME], {
    penstock: { status: () => Promise.resolve(status({ reason: { code: 'HOT_TIER_FULL', message: 'no room\x1b[0m' } })) },
  });
  assert.equal(
    stdout,
    `allocation   acme/vision/train-001
phase        running since 2026-11-21T08:00:00.000Z
reason       HOT_TIER_FULL: no room\\u001b[0m
data         100 % ready, 3 of 3 files, 3.0 MB of 3.0 MB
nodes        n001
checkpoints  0 reserved, 1 committed, 1 drained

2026-11-21T07:59:00.000Z  admitted with 2 mounts
`,
  );
});

test('assign looks racks and features up in the site file', async () => {
  const plan = { mounts: [], output: { uri: 's3://acme/vision/train-001/', endpoint: 'e', bucket: 'acme', prefix: 'p' }, scratch: [], expiresAt: 'later' };
  const { ask, asked } = recorder(plan);
  const ran = await penstock(['allocation', 'assign', NAME, '--node', 'n001', '--node', 'n002'], {
    penstock: { assignNodes: ask },
  });
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(asked.at(-1), {
    nodes: [
      { nodeId: 'n001', rackId: 'r01', features: ['nvme_scratch'] },
      { nodeId: 'n002', rackId: 'r01', features: [] },
    ],
  });
});

test('assign names the nodes there are where one is unknown, and wants exactly one source of nodes', async () => {
  const unknown = await penstock(['allocation', 'assign', NAME, '--node', 'n999']);
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /node "n999" is not in the site file; accepted: n001, n002, n003/);
  assert.equal((await penstock(['allocation', 'assign', NAME])).code, 2);
});

test('checkpoint sizes are read as people write them', async () => {
  const reservation = { checkpointId: 'step-1', localPath: '/a', rackPath: '/b', uri: 's3://acme/', rackId: 'r01', nodeId: 'n001', expiresAt: 'later' };
  const { ask, asked } = recorder(reservation);
  const world = { penstock: { reserveCheckpoint: ask } };
  assert.equal((await penstock(['allocation', 'checkpoint', 'reserve', NAME, 'step-1', '--bytes', '1.5GB', '--node', 'n001'], world)).code, 0);
  assert.deepEqual(asked.at(-1), { checkpointId: 'step-1', bytes: 1_500_000_000, nodeId: 'n001' });
  assert.equal((await penstock(['allocation', 'checkpoint', 'reserve', NAME, 'step-1', '--bytes', '1GB', '--keep'], world)).code, 0);
  assert.deepEqual(asked.at(-1), { checkpointId: 'step-1', bytes: 1_000_000_000, keep: true });
  const wrong = await penstock(['allocation', 'checkpoint', 'reserve', NAME, '../up', '--bytes', 'much'], world);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /checkpointId: found "\.\.\/up"[\s\S]*bytes: found "much"; accepted: .*"500GB"/);
});

test('what ends an allocation is said in full', async () => {
  const finish = recorder({ nodesReleasedAt: '2026-11-21T09:00:00Z', uncleanNodes: ['n002'] });
  const cancel = recorder({ mode: 'drain' as const, keeps: ['logs'], drops: [] });
  const world = {
    penstock: {
      finish: finish.ask,
      cancel: cancel.ask,
    },
  };
  const finished = await penstock(['allocation', 'finish', NAME, '--outcome', 'failed', '--exit-code', '-9'], world);
  assert.deepEqual(finish.asked.at(-1), { outcome: 'failed', exitCode: -9 });
  assert.match(finished.stdout, /to be cleaned +n002/);
  await penstock(['allocation', 'cancel', NAME, '--mode', 'drain', '--reason', 'wrong data'], world);
  assert.deepEqual(cancel.asked.at(-1), { mode: 'drain', reason: 'wrong data' });
  assert.equal((await penstock(['allocation', 'cancel', NAME, '--reason', 'no mode'], world)).code, 2);
  assert.equal((await penstock(['allocation', 'finish', NAME, '--outcome', 'maybe'], world)).code, 2);
});

test('list passes its filters on and refuses those that are no names', async () => {
  const { ask, asked } = recorder([{ ...KEY, phase: 'running' as const, startedAt: 'then' }]);
  const world = { penstock: { list: ask } };
  const ran = await penstock(['allocation', 'list', '--tenant', 'acme', '--phase', 'running', '--limit', '5'], world);
  assert.deepEqual(asked.at(-1), { tenant: 'acme', phase: 'running', limit: 5 });
  assert.equal(ran.stdout, 'ALLOCATION             PHASE    STARTED  CLOSED\nacme/vision/train-001  running  then\n');
  assert.equal((await penstock(['allocation', 'list', '--tenant', "a' OR tenant='b"], world)).code, 1);
  assert.equal((await penstock(['allocation', 'list', '--limit', '0'], world)).code, 2);
});

test('refusals go to stderr with their type, and stdout stays empty', async () => {
  const ran = await penstock(['allocation', 'status', NAME, '-o', 'json'], {
    penstock: { status: () => Promise.reject(new Refusal('NotFound', 'there is no such\x1b[1m allocation')) },
  });
  assert.deepEqual(ran, { code: 3, stdout: '', stderr: 'NotFound: there is no such\\u001b[1m allocation\n' });
});

test('a stack is shown only where it is asked for', async () => {
  const world = { penstock: { status: () => Promise.reject(new TypeError('oops')) } };
  assert.equal((await penstock(['allocation', 'status', NAME], world)).stderr, 'Failed: oops\n');
  assert.match((await penstock(['allocation', 'status', NAME, '--verbose'], world)).stderr, /oops\n[\s\S]*at .*command-line\.test\.ts/);
});

test('without a site the message says what to do', async () => {
  const ran = await penstock(['allocation', 'list'], { cwd: directory, env: {} });
  assert.deepEqual(ran, { code: 4, stdout: '', stderr: 'Unreachable: no site is up here: run `npm run dev`, or pass --site FILE.\n' });
});

test('--site wins over the environment, and a site that is only described is told from one that runs', async () => {
  const described = await penstock(['allocation', 'list', '--site', join(repository, 'temporal-dev.yaml')], { env: { PENSTOCK_SITE: siteFile } });
  assert.equal(described.code, 4);
  assert.match(described.stderr, /describes an embedded site/);
});

test('a wrong command line exits with 2 and shows the way', async () => {
  for (const parameters of [
    ['allocation', 'stauts', NAME],
    ['allocation', 'status'],
    ['allocation', 'status', NAME, '-o', 'xml'],
    [],
    ['allocation'],
    ['--nope'],
  ]) {
    const ran = await penstock(parameters);
    assert.equal(ran.code, 2, parameters.join(' '));
    assert.equal(ran.stdout, '');
    assert.notEqual(ran.stderr, '');
  }
});

test('control characters on the command line are not echoed raw', async () => {
  const ran = await penstock(['allocation', 'status', 'acme/\x1b[31m/x']);
  assert.ok(!ran.stderr.includes('\x1b'));
  const unknown = await penstock(['allo\x1b[31m']);
  assert.ok(!unknown.stderr.includes('\x1b'));
});
