/** What tenants, killed attempts and full disks do to a file store: planted links, leftovers, no space. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import { posixStores } from '../support/posix-store.ts';

const run = promisify(execFile);
const MIB = 2 ** 20;
const newStore = posixStores();

const hello = Buffer.from('hello');

/** IoError: nobody can say any more whether the file lies there; SessionLost: what was written under a temporary name is gone. */
const OF_A_MOVED_DIRECTORY: readonly string[] = ['NotFound', 'Denied', 'Conflict', 'IoError', 'SessionLost'];

describe('a link', () => {
  it('is never followed, not even while it is swapped with a directory', async () => {
    const store = await newStore();
    const outside = await newStore();
    await mkdir(join(store.root, 'real'));
    await writeFile(join(outside.root, 'secret'), 'of another');
    await writeFile(join(store.root, 'real/secret'), 'our own');
    await symlink(outside.root, join(store.root, 'planted'));
    const stop = new AbortController();
    const swapping = (async () => {
      const dir = join(store.root, 'dir');
      const swap = async (name: string) => {
        // A write may have made the directory anew meanwhile.
        await rm(dir, { recursive: true, force: true }).catch(() => undefined);
        await rename(join(store.root, name), dir).then(
          () => rename(dir, join(store.root, name)),
          () => undefined,
        );
      };
      for (; !stop.signal.aborted; ) {
        await swap('real');
        await swap('planted');
      }
    })();
    const outcomes = { read: 0, refused: 0 };
    const round = async (number: number) => {
      await store.readBytes('dir/secret').then(
        (content) => {
          outcomes.read += 1;
          assert.equal(content.toString(), 'our own');
        },
        (error: Error) => {
          outcomes.refused += 1;
          assert.ok(['NotFound', 'Denied', 'Conflict'].includes(error.name), error.message);
        },
      );
      await store.write(`dir/${number}`, hello).catch((error: Error) => assert.ok(OF_A_MOVED_DIRECTORY.includes(error.name), error.message));
      if (number % 100 === 0) await store.remove('dir/secret-never-there').catch(() => undefined);
    };
    try {
      for (let number = 0; number < 1500; number += 1) await round(number);
    } finally {
      stop.abort();
      await swapping;
    }
    assert.ok(outcomes.read > 0 && outcomes.refused > 0);
    assert.deepEqual(await readdir(outside.root), ['secret']);
  });

  it('is removed with its tree, and what it points at stays', async () => {
    const store = await newStore();
    const outside = await newStore();
    await outside.write('kept', hello);
    await store.write('tree/a/b', hello);
    await symlink(outside.root, join(store.root, 'tree/link'));
    await store.remove('tree');
    await store.remove('tree');
    assert.deepEqual(await readdir(store.root), []);
    assert.deepEqual(await readdir(outside.root), ['kept']);
  });
});

describe('upkeep', () => {
  it('sweeps what killed attempts left, and only what is old', async () => {
    const store = await newStore();
    await store.write('d/kept', hello);
    await writeFile(join(store.root, 'd', `${TEMPORARY_PREFIX}1-dead`), 'half');
    assert.equal(await store.sweep('', new Date(0).toISOString()), 0);
    assert.equal(await store.sweep('', new Date(Date.now() + 60_000).toISOString()), 1);
    assert.deepEqual(await readdir(join(store.root, 'd')), ['kept']);
    assert.equal(await store.sweep('nowhere', new Date().toISOString()), 0);
  });

  it('syncs what others wrote, and says so where there is nothing to sync', async () => {
    const store = await newStore();
    await mkdir(join(store.root, 'job/a'), { recursive: true });
    await Promise.all(Array.from({ length: 40 }, (_, index) => writeFile(join(store.root, `job/a/${index}`), 'x')));
    await store.sync('job');
    await store.sync('job/a/1');
    await store.sync('');
    await assert.rejects(store.sync('job/none'), { name: 'NotFound' });
    assert.ok((await store.freeBytes()) > 0);
  });

  it('makes directories, and is content with those there are', async () => {
    const store = await newStore();
    await store.ensureDirectory('a/b/c', { mode: 0o700 });
    await store.ensureDirectory('a/b/c');
    assert.equal((await stat(join(store.root, 'a/b/c'))).mode & 0o777, 0o700);
    await store.write('f', hello);
    await assert.rejects(store.ensureDirectory('f/g'), { name: 'Conflict' });
  });
});

const isRoot = process.getuid?.() === 0;
describe('a full disk', { skip: isRoot ? false : 'a size-capped tmpfs needs root' }, () => {
  it('is OutOfSpace, costs nothing that was there, and nothing is left of the attempt', async () => {
    const store = await newStore();
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'penstock-test', store.root]);
    try {
      await store.write('first', Buffer.alloc(MIB));
      await assert.rejects(store.write('second', Buffer.alloc(8 * MIB)), { name: 'OutOfSpace', store: 'rack r01' });
      const stream = Readable.from(Array.from({ length: 16 }, () => Buffer.alloc(MIB)));
      await assert.rejects(store.write('first', stream, { replace: true }), { name: 'OutOfSpace' });
      assert.deepEqual(await readdir(store.root), ['first']);
      assert.equal((await readFile(join(store.root, 'first'))).length, MIB);
      await store.write('third', Buffer.alloc(2 * MIB));
    } finally {
      await run('umount', [store.root]);
    }
  });
});
