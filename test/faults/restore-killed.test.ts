/** A restore killed in the middle of a file, on a real file system. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import { eventually } from '../support/wait.ts';

const STANDING = fileURLToPath(new URL('restore-killed-process.ts', import.meta.url));

test('a restore that is killed in the middle of a file leaves a temporary name, and never the final one', async (context) => {
  const root = await mkdtemp(join(tmpdir(), 'penstock-restore-killed-'));
  context.after(() => rm(root, { recursive: true }));
  const restoring = spawn(process.execPath, [STANDING, root], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(restoring, 'exit');
  try {
    const unfinished = await eventually('a part of the file to be written', async () => {
      const [name] = await readdir(join(root, 'back')).catch(() => []);
      return name !== undefined && (await stat(join(root, 'back', name))).size > 0 ? name : undefined;
    });
    assert.ok(unfinished.startsWith(TEMPORARY_PREFIX), unfinished);
  } finally {
    restoring.kill('SIGKILL');
    await ended;
  }
  const left = await readdir(join(root, 'back'));
  assert.equal(left.length, 1);
  assert.ok(
    left.every((name) => name.startsWith(TEMPORARY_PREFIX)),
    left.join(', '),
  );
});
