import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { lockHolder, tryLock, waitForLock } from '../../../dev/lock.ts';
import { identifyProcess, isAlive, signalProcess } from '../../../dev/process-identity.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-lock-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('a lock is held once, and again after its release', async () => {
  const path = join(directory, 'lock');
  const first = await tryLock(path);
  assert.ok('release' in first);
  assert.deepEqual(await tryLock(path), { heldBy: identifyProcess(process.pid) });
  assert.equal((await lockHolder(path))?.pid, process.pid);
  await first.release();
  assert.ok('release' in (await tryLock(path)));
});

test("a dead process's lock is taken over, even where its id lives on in another process", async () => {
  const path = join(directory, 'lock');
  await mkdir(path);
  await writeFile(join(path, `owner-${process.pid}-1`), '');
  assert.equal(await lockHolder(path), undefined);
  assert.ok('release' in (await tryLock(path)));
});

test('a lock whose owner died before naming itself is taken over after ten seconds', async () => {
  const path = join(directory, 'lock');
  await mkdir(path);
  assert.deepEqual(await tryLock(path), { heldBy: undefined });
  const past = new Date(Date.now() - 11_000);
  await utimes(path, past, past);
  assert.ok('release' in (await tryLock(path)));
});

test('of many that wait, one at a time holds the lock', async () => {
  let holders = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const lock = await waitForLock(join(directory, 'lock'), () => undefined);
      holders += 1;
      assert.equal(holders, 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      holders -= 1;
      await lock.release();
    }),
  );
});

test('a process is known by its start too, so a stranger with its id is never signalled', async () => {
  const child = spawn('sleep', ['30']);
  const identity = identifyProcess(child.pid ?? 0);
  assert.ok(identity && isAlive(identity));
  assert.equal(signalProcess({ ...identity, startTime: '1' }, 'SIGKILL'), false);
  assert.ok(isAlive(identity));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  assert.equal(signalProcess(identity, 'SIGKILL'), true);
  await ended;
  assert.equal(isAlive(identity), false);
});
