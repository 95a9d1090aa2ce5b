import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from './support.ts';

const launcher = join(repository, 'cli/penstock.mjs');
const launch = (file: string, ...parameters: string[]) => spawnSync(process.execPath, [file, ...parameters], { encoding: 'utf8', cwd: tmpdir() });

test('the launcher passes arguments, output and exit code through', () => {
  assert.equal(launch(launcher, '--help').status, 0);
  const wrong = launch(launcher, 'allocation', 'status');
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /missing required argument 'allocation'/);
});

test('it works from wherever npm links it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-bin-'));
  try {
    await symlink(launcher, join(directory, 'penstock'));
    assert.equal(launch(join(directory, 'penstock'), '--help').status, 0);
  } finally {
    await rm(directory, { recursive: true });
  }
});
