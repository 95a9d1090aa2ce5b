/** Many files in one batch: durable together, published together, each told by itself. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { FileFacts, FileStore, PublishScope } from '../../drivers/file-store/port.ts';
import { MEMORY, posixStores, temporariesOf } from '../support/posix-store.ts';

const run = promisify(execFile);
const hello = Buffer.from('hello');

async function sealed(store: FileStore, scope: PublishScope, path: string, content = hello): Promise<{ readonly published: Promise<FileFacts> }> {
  const file = await store.createFile(path, { attempt: '1', scope });
  await file.write(content, 0);
  const { published } = await file.seal({ bytes: content.length });
  await file.close();
  return { published };
}
const sealAll = async (store: FileStore, scope: PublishScope, paths: readonly string[]): Promise<Promise<FileFacts>[]> =>
  (await Promise.all(paths.map((path) => sealed(store, scope, path)))).map(({ published }) => published);
const paths = (count: number, directory = 'd') => Array.from({ length: count }, (_, index) => `${directory}/${index}`);
const isSettled = (promise: Promise<unknown>) => Promise.race([promise.then(() => true), new Promise((resolve) => setImmediate(resolve, false))]);

for (const [where, newStore] of [
  ['on disk', posixStores()],
  ['in memory', posixStores(MEMORY)],
] as const) {
  describe(`a batch ${where}`, () => {
    for (const count of [1, 31, 200]) {
      it(`of ${count} shows nothing before its flush, everything behind it`, async () => {
        const store = await newStore();
        const scope = store.createScope();
        const published = await sealAll(store, scope, paths(count));
        assert.deepEqual((await store.list('')).entries, []);
        assert.equal(await isSettled(Promise.race(published)), false);
        await scope.flush();
        const facts = await Promise.all(published);
        assert.deepEqual(
          new Set((await store.list('')).entries.map(({ etag, path }) => `${path} ${etag}`)),
          new Set(facts.map(({ etag, path }) => `${path} ${etag}`)),
        );
        assert.deepEqual(await temporariesOf(store), []);
        await scope.close();
      });
    }

    it('over many directories publishes all, and can be used again', async () => {
      const store = await newStore();
      const scope = store.createScope();
      const wanted = Array.from({ length: 150 }, (_, index) => `${index % 7}/${index}/x`);
      const published = await sealAll(store, scope, wanted);
      await scope.flush();
      await Promise.all(published);
      const { published: again } = await sealed(store, scope, '3/again');
      await scope.flush();
      assert.equal((await again).bytes, 5);
      assert.equal((await store.list('')).entries.length, 151);
      await scope.close();
    });

    it('fails only those whose name is taken', async () => {
      const store = await newStore();
      const scope = store.createScope();
      await store.write('d/17', Buffer.from('there before'));
      await mkdir(join(store.root, 'd/23'));
      const outcomes = Promise.allSettled(await sealAll(store, scope, paths(60)));
      await scope.flush();
      const failed = (await outcomes).flatMap((outcome, index) => (outcome.status === 'rejected' ? [`${index} ${outcome.reason.name}`] : []));
      assert.deepEqual(failed, ['17 Conflict', '23 Conflict']);
      assert.equal((await store.readBytes('d/17')).toString(), 'there before');
      assert.deepEqual(await temporariesOf(store), []);
      await scope.close();
    });

    it('that nobody awaits fails in silence', async () => {
      const store = await newStore();
      const scope = store.createScope();
      await store.write('d/0', hello);
      assert.equal((await sealAll(store, scope, paths(3))).length, 3);
      await scope.flush();
      await scope.close();
    });

    it('that is closed publishes what was not flushed, and gives back what it held', async () => {
      const store = await newStore();
      const open = async () => (await readdir('/proc/self/fd')).length;
      const before = await open();
      for (const count of [5, 100]) {
        const scope = store.createScope();
        const published = await sealAll(store, scope, paths(count, `d${count}`));
        await scope.close();
        await Promise.all(published);
      }
      assert.equal((await store.list('')).entries.length, 105);
      assert.deepEqual(await temporariesOf(store), []);
      assert.ok((await open()) <= before + 2);
    });

    it('holds few descriptors, however many files and directories', async () => {
      const store = await newStore();
      const scope = store.createScope();
      const wanted = Array.from({ length: 300 }, (_, index) => `${index}/x`);
      for (const path of wanted) await sealed(store, scope, path);
      const held = (await readdir('/proc/self/fd')).length;
      assert.ok(held < 64 + 32 + 64, `${held}`);
      await scope.close();
    });

    it('flushes by itself before it holds too many', async () => {
      const store = await newStore();
      const scope = store.createScope();
      let published: Promise<FileFacts>[] = [];
      for (let at = 0; at < 4096; at += 64) {
        published = [
          ...published,
          ...(await sealAll(
            store,
            scope,
            Array.from({ length: 64 }, (_, index) => `d/${at + index}`),
          )),
        ];
      }
      assert.equal((await Promise.all(published)).length, 4096);
      await scope.close();
    });

    it('says which files lie in a directory that was moved meanwhile', async () => {
      const store = await newStore();
      const scope = store.createScope();
      const moved = await sealAll(store, scope, paths(40, 'moved'));
      const stayed = await sealAll(store, scope, paths(2, 'stayed'));
      await rename(join(store.root, 'moved'), join(store.root, 'elsewhere'));
      await mkdir(join(store.root, 'moved'));
      await scope.flush().catch(() => undefined);
      for (const published of moved) await assert.rejects(published, { name: 'IoError', message: /moved while it was written/ });
      await Promise.all(stayed);
      await scope.close();
    });

    it('goes on where a directory was removed and is wanted again', async () => {
      const store = await newStore();
      const scope = store.createScope();
      const { published: lost } = await sealed(store, scope, 'a/b/x');
      await rm(join(store.root, 'a'), { recursive: true });
      const { published: found } = await sealed(store, scope, 'a/b/y');
      await scope.flush().catch(() => undefined);
      await assert.rejects(lost, { name: 'IoError' });
      assert.equal((await found).path, 'a/b/y');
      await scope.close();
    });
  });
}

const memory = posixStores(MEMORY);
const isRoot = process.getuid?.() === 0;

describe('a batch over a file system mounted below the root', { skip: isRoot ? false : 'mounting needs root' }, () => {
  it('syncs what one sync of the root’s file system does not reach, and publishes all', async () => {
    const store = await memory();
    await mkdir(join(store.root, 'mounted'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'penstock-test', join(store.root, 'mounted')]);
    try {
      const scope = store.createScope();
      const published = [...(await sealAll(store, scope, paths(50, 'mounted'))), ...(await sealAll(store, scope, paths(50, 'here')))];
      await scope.flush();
      await Promise.all(published);
      assert.equal((await store.list('')).entries.length, 100);
      await scope.close();
    } finally {
      await run('umount', [join(store.root, 'mounted')]);
    }
  });
});

it('a scope of another store publishes each file by itself', async () => {
  const [store, other] = [await memory(), await memory()];
  await writeFile(join(other.root, 'x'), 'x');
  const scope = other.createScope();
  const { published } = await sealed(store, scope, 'x');
  assert.equal((await published).bytes, 5);
  assert.equal((await store.readBytes('x')).toString(), 'hello');
  await scope.close();
});
