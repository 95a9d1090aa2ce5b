/** Whose processes a site's are: none survives its parent, and none but its own is ever ended. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { identifyProcess, isAlive, waitUntilGone } from '../../dev/process-identity.ts';
import { siteDown, siteStatus, siteUp } from '../../dev/site/background.ts';
import { readState } from '../../dev/site/state.ts';
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
