/** Whose processes a site's are: none survives its parent, and none but its own is ever ended. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { identifyProcess, isAlive, waitUntilGone } from '../../dev/process-identity.ts';
import { siteDown, siteStatus, siteUp } from '../../dev/site/background.ts';
import { describeUpload } from '../../dev/site/describe-site.ts';
import { readState } from '../../dev/site/state.ts';
import { openS3 } from '../../drivers/open-site.ts';
import { loadSiteFile } from '../../drivers/site-file.ts';
import { eventually } from '../support/wait.ts';

const configFile = fileURLToPath(new URL('../../temporal-dev.yaml', import.meta.url));
const services = ['temporal', 's3', 'nfs', 'hot-tier'] as const;

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'penstock-background-'));
});
after(() => rm(root, { recursive: true }));

test('a parent killed with SIGKILL leaves no child', async () => {
  const directory = join(root, 'orphaned');
  const program = fileURLToPath(new URL('../../dev/dev.ts', import.meta.url));
  const parent = spawn(process.execPath, [program, '--site', configFile, '--directory', directory, '--services', services.join(',')], { stdio: 'ignore' });
  const state = await eventually('the site to say that it is up', async () => {
    const { phase, state: found } = await siteStatus(directory);
    return phase === 'up' ? found : undefined;
  });
  assert.ok(state.services.every(({ process }) => isAlive(process)));
  parent.kill('SIGKILL');
  for (const { name, process } of state.services) assert.ok(await waitUntilGone(process, 5000), name);
  assert.equal((await siteStatus(directory)).phase, 'down');
});

test('a site in the background goes up once and down once', async () => {
  const directory = join(root, 'background');
  const [one, other] = await Promise.all([siteUp({ configFile, directory, services: ['s3'] }), siteUp({ configFile, directory, services: ['s3'] })]);
  assert.deepEqual(one, other);
  assert.equal((await siteStatus(directory)).phase, 'up');
  assert.equal(await siteDown(directory), true);
  for (const { name, process } of one.services) assert.ok(!isAlive(process), name);
  assert.equal(await siteDown(directory), false);
});

test('a site one of whose services has died says so when it is asked up, where to look, and what to do', async () => {
  const directory = join(root, 'half-dead');
  const state = await siteUp({ configFile, directory, services: ['s3'] });
  const cold = state.services.find(({ name }) => name === 's3-cold') ?? assert.fail();
  process.kill(cold.process.pid, 'SIGKILL');
  assert.ok(await waitUntilGone(cold.process, 5000));
  await assert.rejects(siteUp({ configFile, directory, services: ['s3'] }), (error: Error) => {
    assert.ok(error.message.includes(`the site in ${directory} is up, but s3-cold is gone (its log: ${cold.logFile}).`), error.message);
    assert.match(error.message, /penstock site down/);
    return true;
  });
  const log = await eventually('the supervisor to tell of it', async () => {
    const text = await readFile(join(directory, 'logs', 'supervisor.log'), 'utf8');
    return text.includes('s3-cold ended unexpectedly') ? text : undefined;
  });
  assert.match(log, /s3-cold ended unexpectedly \(SIGKILL\); its log: .*s3-cold\.log\. Nothing starts it again by itself: stop the site/);
  await siteDown(directory);
});

test('the data set that the examples name is there, and the way to more of it is told, without a key', async () => {
  const directory = join(root, 'example');
  const { siteFile } = await siteUp({ configFile, directory, services: ['s3'] });
  const site = await loadSiteFile(siteFile);
  const { credentials, region } = site.stores.warm;
  assert.ok(credentials?.accessKeyId && credentials.secretAccessKey);
  const warm = await openS3('warm', site.stores.warm);
  assert.deepEqual(
    (await warm.list('training-data', 'imagenet/')).entries.map(({ key }) => key),
    ['imagenet/example.txt'],
  );
  // As a person would: the lines as they are printed, with the keys that they name.
  const [, exported = '', upload = ''] = describeUpload(site);
  const keys = execFileSync('sh', ['-c', `${exported.trim()}; echo $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_REGION`])
    .toString()
    .trim();
  const secret = async (reference: string) => (await readFile(reference.replace('file:', ''), 'utf8')).trim();
  assert.equal(keys, `${await secret(credentials.accessKeyId)} ${await secret(credentials.secretAccessKey)} ${region}`);
  assert.ok(
    !describeUpload(site)
      .join()
      .includes(await secret(credentials.secretAccessKey)),
  );
  assert.equal(upload.trim(), `aws --endpoint-url ${site.stores.warm.endpoint} s3 cp FILE s3://training-data/imagenet/`);
  await siteDown(directory);
});

test('siteDown spares a stranger who was given the id of the supervisor', async () => {
  const directory = join(root, 'background');
  const state = await readState(join(directory, 'state.json'));
  const stranger = spawn('sleep', ['60']);
  const identity = identifyProcess(stranger.pid ?? 0) ?? assert.fail();
  const reused = { pid: identity.pid, startTime: '1' };
  await writeFile(
    join(directory, 'state.json'),
    JSON.stringify({ ...state, supervisor: reused, services: [{ name: 's3-hot', process: reused, logFile: '' }] }),
  );
  assert.equal(await siteDown(directory), false);
  assert.ok(isAlive(identity));
  stranger.kill('SIGKILL');
});
