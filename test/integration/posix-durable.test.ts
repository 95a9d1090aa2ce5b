/** What is durable when: of files left by killed attempts, of batches that are called off, of directories made for others. */
import assert from 'node:assert/strict';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { commitWave } from '../../drivers/file-store/commit-wave.ts';
import type { Directories } from '../../drivers/file-store/contained-path.ts';
import { createGroupCommit } from '../../drivers/file-store/group-commit.ts';
import { createFileAt } from '../../drivers/file-store/posix-create.ts';
import { walkFrom } from '../../drivers/file-store/posix-scope.ts';
import { tellsWriteErrors } from '../../drivers/file-store/volume.ts';
import { MEMORY, posixStores, temporariesOf } from '../support/posix-store.ts';

const disk = posixStores();
const memory = posixStores(MEMORY);
const hello = Buffer.from('hello');
const noSignal = new AbortController().signal;

it('a file that was begun and not written syncs the directories made for it', async () => {
  const store = await disk();
  const file = await store.createFile('d/e/x', { attempt: '1' });
  await rename(join(store.root, 'd'), join(store.root, 'elsewhere'));
  await assert.rejects(file.close(), { name: 'NotFound' });
  const abandoned = await store.createFile('f/g/x', { attempt: '1' });
  await abandoned.abandon();
  await rename(join(store.root, 'f'), join(store.root, 'moved'));
  await abandoned.close();
});

describe('a file that lies there already', () => {
  it('is made durable with its directory and those above by the flush', async () => {
    const store = await disk();
    await store.write('a/b/x', hello);
    const scope = store.createScope();
    await scope.keep?.('a/b/x');
    await scope.flush();
    await scope.keep?.('a/b/x');
    await rename(join(store.root, 'a'), join(store.root, 'elsewhere'));
    await assert.rejects(scope.flush(), { name: 'NotFound' });
    await assert.rejects(scope.keep?.('a/none') ?? Promise.resolve(), { name: 'NotFound' });
    await scope.close();
  });

  it('has the volume synced for it, and is told where that fails', async () => {
    const { name: store, root } = await disk();
    const walk = walkFrom(root, store);
    const place = { root, store, walk, directories: walk };
    let syncs = 0;
    const sync = async () => {
      syncs += 1;
    };
    const volume = { covers: () => true, sync, close: () => undefined };
    const wave = { files: [], deferred: new Set<string>(), kept: '1-1', ending: noSignal };
    assert.equal((await commitWave(place, volume, wave)).kept, undefined);
    assert.equal(syncs, 1);
    assert.equal((await commitWave(place, { ...volume, sync: () => Promise.reject(new Error('lost')) }, wave)).kept?.message, 'lost');
    // Trusted no more since it was kept.
    assert.equal((await commitWave(place, { ...volume, covers: () => false }, wave)).kept?.name, 'IoError');
  });
});

describe('a batch', () => {
  it('is flushed unasked once much content was sealed', async () => {
    const store = await memory();
    const scope = store.createScope();
    const file = await store.createFile('sparse', { attempt: '1', scope });
    const { published } = await file.seal({ bytes: 2 ** 30 });
    assert.equal((await published).bytes, 2 ** 30);
    await scope.close();
  });

  it('is flushed unasked once what it holds is old', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const store = await memory();
    const scope = store.createScope();
    for (const path of ['x', 'y']) {
      const file = await store.createFile(path, { attempt: '1', scope });
      await file.write(hello, 0);
      const { published } = await file.seal({ bytes: 5 });
      context.mock.timers.tick(5_000);
      assert.equal((await published).path, path);
    }
    await scope.close();
  });

  it('that is called off on a slow disk is left within about a second; nothing is published later', async () => {
    const store = await memory();
    await mkdir(join(store.root, 'd'));
    const walk = walkFrom(store.root, store.name);
    const { promise: gate, resolve: disksTurn } = Promise.withResolvers<void>();
    let isSlow = false;
    const directories: Directories = async (...walked) => {
      if (isSlow) await gate;
      return walk(...walked);
    };
    const batch = createGroupCommit({ root: store.root, store: store.name, walk, directories });
    const create = (path: string) => createFileAt({ store: store.name, walk, directories, batch, defer: () => undefined }, path, { attempt: '1' });
    const file = await create('d/x');
    await file.write(hello, 0);
    const { published } = await file.seal({ bytes: 5 });
    const straggler = await create('d/z');
    isSlow = true;
    const start = performance.now();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await batch.close(new Set(), release);
    const took = performance.now() - start;
    assert.ok(took > 900 && took < 3_000, `${took} ms`);
    await assert.rejects(straggler.seal({ bytes: 0 }), { message: /batch ended before/ });
    disksTurn();
    await released;
    await assert.rejects(published, { name: 'IoError', message: /batch ended before/ });
    await straggler.abandon();
    assert.deepEqual((await store.list('')).entries, []);
    assert.deepEqual(await temporariesOf(store), []);
  });
});

it('one sync of the file system is trusted from Linux 5.8 on', () => {
  const trusted = ['4.18.0-553.el8_10.x86_64', '5.4.0', '5.7.19', '5.8.0', '5.14.0-427.el9', '5.10-rc1', '6.1', 'unknown'].filter(tellsWriteErrors);
  assert.deepEqual(trusted, ['5.8.0', '5.14.0-427.el9', '5.10-rc1', '6.1']);
});
