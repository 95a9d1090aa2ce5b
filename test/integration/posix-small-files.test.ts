/** Many small files in one batch: written and published by a thread, with the same promises as one by one. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import type { FileThread } from '../../drivers/file-store/file-thread.ts';
import { createGroupCommit } from '../../drivers/file-store/group-commit.ts';
import type { FileFacts, FileStore, FileWholeOptions, PublishScope } from '../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { walkFrom } from '../../drivers/file-store/posix-scope.ts';
import { writeWholeAt } from '../../drivers/file-store/posix-whole.ts';
import { SMALL_FILE_BYTES } from '../../drivers/file-store/small-files.ts';
import { PenstockError } from '../../model/errors.ts';
import { memoryEndpoint } from '../support/memory-endpoint.ts';
import { MEMORY, posixStores, temporariesOf } from '../support/posix-store.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const hello = Buffer.from('hello');
/** So many names are published by the thread. */
const FIRST = 64;

const writeAll = (store: FileStore, scope: PublishScope, paths: readonly string[], options: Partial<FileWholeOptions> = {}) =>
  Promise.allSettled(paths.map((path) => store.writeWhole(path, Buffer.from(path), { attempt: '1', scope, ...options })));
const pathsIn = (directory: string, count: number) => Array.from({ length: count }, (_, index) => `${directory}/${index}`);
const threads: Worker[] = [];
process.on('worker', (thread) => threads.push(thread));

async function publications(outcomes: Awaited<ReturnType<typeof writeAll>>): Promise<PromiseSettledResult<FileFacts>[]> {
  return Promise.all(
    outcomes.map(async (outcome): Promise<PromiseSettledResult<FileFacts>> => {
      if (outcome.status === 'rejected') return outcome;
      return (await Promise.allSettled([outcome.value.published]))[0];
    }),
  );
}
/** Flushes, and tells what failed: index and type. */
async function failures(scope: PublishScope, outcomes: Awaited<ReturnType<typeof writeAll>>): Promise<string[]> {
  await scope.flush().catch(() => undefined);
  return (await publications(outcomes)).flatMap((outcome, index) => (outcome.status === 'rejected' ? [`${index} ${outcome.reason.name}`] : []));
}
/** A scope whose thread is at work already. */
async function busyScope(store: FileStore): Promise<PublishScope> {
  const scope = store.createScope();
  const before = threads.length;
  assert.deepEqual(await failures(scope, await writeAll(store, scope, pathsIn('first', FIRST))), []);
  assert.equal(threads.length, before + 1);
  return scope;
}

for (const [where, newStore] of [
  ['on disk', posixStores()],
  ['in memory', posixStores(MEMORY)],
] as const) {
  describe(`many small files ${where}`, () => {
    it('are shown by the flush and not before, with content, mode and time as asked for', async () => {
      const store = await newStore();
      const scope = await busyScope(store);
      const modifiedAt = '2001-02-03T04:05:06.789012345Z';
      const outcomes = await writeAll(store, scope, pathsIn('d/e', 300), { modifiedAt, mode: 0o600, attributes: { mode: 0o751 } });
      assert.equal((await store.list('d')).entries.length, 0);
      assert.deepEqual(await failures(scope, outcomes), []);
      const facts = (await publications(outcomes)).flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      for (const fact of facts) {
        assert.deepEqual(fact, await store.stat(fact.path));
        assert.equal(fact.modifiedAt, modifiedAt);
        assert.equal((await stat(join(store.root, fact.path))).mode & 0o777, 0o751);
        assert.equal((await store.readBytes(fact.path)).toString(), fact.path);
      }
      assert.deepEqual(await temporariesOf(store), []);
      await scope.close();
    });

    it('fail one by one: by a taken name, a directory, a name too long, a file in the way', async () => {
      const store = await newStore();
      const scope = await busyScope(store);
      await store.write('d/17', hello);
      await mkdir(join(store.root, 'd/23'));
      const paths = pathsIn('d', 200);
      paths[31] = `d/${'x'.repeat(300)}`;
      paths[32] = 'first/0/below';
      assert.deepEqual(await failures(scope, await writeAll(store, scope, paths)), ['17 Conflict', '23 Conflict', '31 InvalidInput', '32 Conflict']);
      assert.equal((await store.readBytes('d/17')).toString(), 'hello');
      assert.equal((await store.readBytes('d/199')).toString(), 'd/199');
      assert.deepEqual(await temporariesOf(store), []);
      await scope.close();
    });

    it('replace what is there where they are told to, but no directory', async () => {
      const store = await newStore();
      const scope = await busyScope(store);
      await mkdir(join(store.root, 'first/3x'));
      const paths = [...pathsIn('first', FIRST), 'first/3x'];
      assert.deepEqual(await failures(scope, await writeAll(store, scope, paths, { replace: true, mode: 0o600 })), [`${FIRST} Conflict`]);
      assert.equal((await stat(join(store.root, 'first/7'))).mode & 0o777, 0o600);
      assert.deepEqual(await temporariesOf(store), []);
      await scope.close();
    });

    it('do not follow a link out of the store, nor into a directory that was put in place of theirs', async () => {
      const [store, outside] = [await newStore(), await newStore()];
      const scope = await busyScope(store);
      await symlink(outside.root, join(store.root, 'link'));
      assert.ok((await failures(scope, await writeAll(store, scope, pathsIn('link', 100)))).every((failure) => failure.endsWith(' Denied')));
      const outcomes = await writeAll(store, scope, pathsIn('d', 100));
      await rename(join(store.root, 'd'), join(outside.root, 'moved'));
      await symlink(join(outside.root, 'moved'), join(store.root, 'd'));
      assert.equal((await failures(scope, outcomes)).length, 100);
      assert.deepEqual(await readdir(outside.root), ['moved']);
      await scope.close();
    });

    it('of any size arrive as they were', async () => {
      const store = await newStore();
      const scope = await busyScope(store);
      let round = 0;
      const size = fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: SMALL_FILE_BYTES - 1, max: SMALL_FILE_BYTES + 1 }));
      await fc.assert(
        fc.asyncProperty(fc.array(size, { maxLength: 40 }), fc.infiniteStream(fc.nat(255)), async (sizes, fills) => {
          round += 1;
          const contents = sizes.map((bytes) => Buffer.alloc(bytes, fills.next().value));
          const sealed = await Promise.all(contents.map((content, index) => store.writeWhole(`${round}/${index}`, content, { attempt: '1', scope })));
          await scope.flush();
          await Promise.all(sealed.map(({ published }) => published));
          for (const [index, content] of contents.entries()) assert.ok(content.equals(await readFile(join(store.root, `${round}/${index}`))));
        }),
        { numRuns: 20 },
      );
      await scope.close();
    });

    it('end their thread with their scope', async () => {
      const scope = await busyScope(await newStore());
      const thread = threads.at(-1);
      assert.ok(thread && thread.threadId > 0);
      await scope.close();
      assert.equal(thread.threadId, -1);
    });
  });
}

const memory = posixStores(MEMORY);

describe('many small files on a file system that is full', { skip: isRoot ? false : 'mounting needs root' }, () => {
  it('are OutOfSpace where they do not fit, and nothing is left of those', async () => {
    const store = await memory();
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'penstock-test', store.root]);
    try {
      const small = createPosixFileStore(store);
      const scope = await busyScope(small);
      const outcomes = await Promise.allSettled(pathsIn('d', 40).map((path) => small.writeWhole(path, Buffer.alloc(65_536, 1), { attempt: '1', scope })));
      const failed = await failures(scope, outcomes);
      assert.ok(failed.length > 20 && failed.length < 40, `${failed.length}`);
      assert.ok(failed.every((failure) => failure.endsWith(' OutOfSpace')));
      assert.equal((await small.list('d')).entries.length, 40 - failed.length);
      assert.deepEqual(await temporariesOf(small), []);
      await scope.close();
    } finally {
      await run('umount', [store.root]);
    }
  });
});

it('what one sync of the root’s file system does not reach is written without the thread, and published', {
  skip: isRoot ? false : 'mounting needs root',
}, async () => {
  const store = await memory();
  await mkdir(join(store.root, 'mounted'));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'penstock-test', join(store.root, 'mounted')]);
  try {
    const scope = await busyScope(store);
    assert.deepEqual(await failures(scope, await writeAll(store, scope, pathsIn('mounted', 100))), []);
    assert.equal((await store.list('mounted')).entries.length, 100);
    await scope.close();
  } finally {
    await run('umount', [join(store.root, 'mounted')]);
  }
});

it('a transfer of many small objects writes them so, and reports the one whose name is taken', async () => {
  const store = await memory();
  const contents = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`${index % 3}/${index}`, Buffer.alloc(index * 17, index)]));
  const source = memoryEndpoint(contents);
  await store.write('in/2/200', Buffer.alloc(200 * 17, 'other'));
  const before = threads.length;
  const { entries } = await source.list();
  const { done, failed } = await copyEntries({ source, target: createFileEndpoint(store, 'in'), entries, attempt: '1', concurrency: 32 });
  assert.equal(threads.length, before + 1);
  assert.deepEqual(
    failed.map(({ path, type }) => [path, type]),
    [['2/200', 'Conflict']],
  );
  assert.equal(done.length, 299);
  for (const { crc32c, modifiedAt, path } of done) {
    const content = await store.readBytes(`in/${path}`);
    assert.ok(content.equals(contents[path] ?? hello));
    assert.deepEqual([crc32c, modifiedAt], [crc32cOf(content), '2026-01-01T00:00:00.000Z']);
  }
  assert.deepEqual(await temporariesOf(store), []);
});

describe('names that a thread is to publish', () => {
  /** Files of two directories, of which one has enough for the thread. */
  async function flushed(run: FileThread['run']) {
    const store = await memory();
    const walk = walkFrom(store.root, store.name);
    const thread: FileThread = { run, close: () => Promise.resolve() };
    const batch = createGroupCommit({ root: store.root, store: store.name, walk, directories: walk, thread });
    const writing = { store: store.name, walk, directories: walk, batch, defer: () => undefined };
    const sealed = await Promise.all([...pathsIn('many', FIRST), ...pathsIn('few', 3)].map((path) => writeWholeAt(writing, path, hello, { attempt: '1' })));
    await batch.flush(new Set());
    await batch.close(new Set(), () => undefined);
    const outcomes = await Promise.allSettled(sealed.map(({ published }) => published));
    return { store, outcomes: outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.name : outcome.value.path)) };
  }

  it('are told so where it died; those of another directory are published', async () => {
    const { outcomes, store } = await flushed(() => Promise.reject(new PenstockError('IoError', 'the thread died')));
    assert.deepEqual(outcomes, [...Array.from({ length: FIRST }, () => 'IoError'), ...pathsIn('few', 3)]);
    assert.equal((await store.list('')).entries.length, 3);
  });

  it('are a Conflict where another file took their place, and tried by themselves where it could not', async () => {
    const { outcomes, store } = await flushed(async ({ names }) => ({
      written: [],
      published: names.map((_, index) => (index === 0 ? 'replaced' : undefined)),
    }));
    // Whichever was sealed first.
    const refused = outcomes.indexOf('Conflict');
    assert.ok(refused >= 0 && refused < FIRST, `${refused}`);
    assert.deepEqual(outcomes, [...pathsIn('many', FIRST), ...pathsIn('few', 3)].with(refused, 'Conflict'));
    assert.equal((await store.list('')).entries.length, FIRST - 1 + 3);
  });
});

it('a file with extended attributes, or one of another store’s scope, is written by itself', async () => {
  const [store, other] = [await memory(), await memory()];
  const scope = await busyScope(store);
  const outcome = await store.writeWhole('kept', hello, { attempt: '1', scope, attributes: { xattrs: { origin: Buffer.from('here').toString('base64') } } });
  const elsewhere = await other.writeWhole('x', hello, { attempt: '1', scope });
  assert.equal((await elsewhere.published).bytes, 5);
  await scope.flush();
  assert.equal((await outcome.published).bytes, 5);
  const file = await store.openFile('kept');
  assert.deepEqual((await file.attributes()).xattrs, { origin: Buffer.from('here').toString('base64') });
  await file.close();
  await scope.close();
});
