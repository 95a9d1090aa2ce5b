/** The file store's promises, on a real file system. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import type { FileFacts, FileStore } from '../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { posixStores } from '../support/posix-store.ts';

const run = promisify(execFile);
const MIB = 2 ** 20;
const newStore = posixStores();

async function listAll(store: FileStore, path = '', limit?: number): Promise<FileFacts[]> {
  const entries: FileFacts[] = [];
  for (let next: string | undefined; ; ) {
    const page: Awaited<ReturnType<FileStore['list']>> = await store.list(path, { ...(next ? { after: next } : {}), ...(limit ? { limit } : {}) });
    entries.push(...page.entries);
    if (page.next === undefined) return entries;
    next = page.next;
  }
}
const temporaries = async (store: FileStore) => (await readdir(store.root, { recursive: true })).filter((name) => name.includes(TEMPORARY_PREFIX));
const hello = Buffer.from('hello');

describe('a listing', () => {
  it('has every file once, in the byte order of paths, whatever the tree and the page', async () => {
    const step = fc.stringMatching(/^[-.+a0Zé😀]{1,3}$/u).filter((name) => name !== '.' && name !== '..');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), async (paths, limit) => {
        const store = await newStore();
        const written = new Set<string>();
        for (const path of paths.map((steps) => steps.join('/'))) {
          const isWritten = await store.write(path, hello).then(
            () => true,
            (error: Error) => {
              assert.equal(error.name, 'Conflict');
              return false;
            },
          );
          if (isWritten) written.add(path);
        }
        const expected = [...written].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
        assert.deepEqual(
          (await listAll(store, '', limit)).map((entry) => entry.path),
          expected,
        );
        // The same from anywhere, without what an earlier page remembered.
        const fresh = createPosixFileStore({ name: 'again', root: store.root });
        for (const [index, path] of expected.entries()) {
          assert.deepEqual(
            (await fresh.list('', { after: path })).entries.map((entry) => entry.path),
            expected.slice(index + 1),
          );
        }
      }),
      { numRuns: 30 },
    );
  });

  it('of a directory with 60,000 names is complete, within bounded memory', async () => {
    const store = await newStore();
    const count = 60_000;
    await mkdir(join(store.root, 'big'));
    await run('python3', ['-c', `import os\nfor i in range(${count}): os.close(os.open('big/%d' % i, os.O_CREAT))`], { cwd: store.root });
    const heapBefore = process.memoryUsage().heapUsed;
    let seen = 0;
    let peak = 0;
    let last: Buffer = Buffer.alloc(0);
    for (let next: string | undefined; ; ) {
      const page: Awaited<ReturnType<FileStore['list']>> = await store.list('big', next ? { after: next } : {});
      for (const entry of page.entries) {
        const path = Buffer.from(entry.path);
        assert.ok(Buffer.compare(last, path) < 0);
        last = path;
      }
      seen += page.entries.length;
      peak = Math.max(peak, process.memoryUsage().heapUsed - heapBefore);
      if (page.next === undefined) break;
      next = page.next;
    }
    assert.equal(seen, count);
    assert.ok(peak < 200 * MIB, `${peak} bytes`);
  });

  it('skips links, sockets, FIFOs and temporary names; a FIFO does not hold up a reader', async () => {
    const store = await newStore();
    await store.write('real', hello);
    await symlink('real', join(store.root, 'link'));
    await symlink('/', join(store.root, 'tree'));
    await run('mkfifo', [join(store.root, 'fifo')]);
    await writeFile(join(store.root, `${TEMPORARY_PREFIX}9-dead`), 'half');
    assert.deepEqual(
      (await listAll(store)).map((entry) => entry.path),
      ['real'],
    );
    assert.equal(await store.stat('fifo'), undefined);
    assert.equal(await store.stat('link'), undefined);
    await assert.rejects(store.read('fifo'), { name: 'NotFound' });
    await assert.rejects(store.list('tree'), { name: 'Denied' });
    assert.deepEqual(await listAll(store, 'nowhere'), []);
  });

  it('shows a name that is not UTF-8 instead of losing it in silence', async () => {
    const store = await newStore();
    await writeFile(Buffer.concat([Buffer.from(`${store.root}/bad-`), Buffer.from([0xff])]), 'x');
    const [entry] = await listAll(store);
    assert.ok(entry?.path.startsWith('bad-'));
    await assert.rejects(store.read(entry?.path ?? ''), (error: Error) => error.name === 'NotFound' && /UTF-8/.test(error.message));
  });
});

describe('a write', () => {
  it('keeps the time of modification to the millisecond', async () => {
    const store = await newStore();
    let name = 0;
    await fc.assert(
      fc.asyncProperty(fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }), async (date) => {
        const modifiedAt = date.toISOString();
        name += 1;
        const path = `f${name}`;
        assert.equal((await store.write(path, hello, { modifiedAt })).modifiedAt, modifiedAt);
        assert.equal((await store.stat(path))?.modifiedAt, modifiedAt);
      }),
      { numRuns: 50 },
    );
  });

  it('takes a name once, replaces only where told, and says what is in its way', async () => {
    const store = await newStore();
    await store.write('a', hello);
    await assert.rejects(store.write('a', hello), { name: 'Conflict' });
    await store.write('a', Buffer.from('other'), { replace: true });
    assert.equal((await store.readBytes('a')).toString(), 'other');
    await store.write('d/e', hello);
    await assert.rejects(store.write('d', hello), { name: 'Conflict' });
    await assert.rejects(store.write('d', hello, { replace: true }), { name: 'Conflict' });
    await assert.rejects(store.write('a/b', hello), { name: 'Conflict' });
    assert.deepEqual(await temporaries(store), []);
  });

  it('by a zombie attempt can neither publish over the winner nor touch its file', async () => {
    const store = await newStore();
    let wake: (() => void) | undefined;
    const asleep = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const zombie = store.write(
      'x',
      Readable.from(
        (async function* () {
          yield Buffer.from('zom');
          await asleep;
          yield Buffer.from('bie');
        })(),
      ),
      { attempt: '1' },
    );
    await store.write('x', Buffer.from('winner'), { attempt: '2' });
    wake?.();
    await assert.rejects(zombie, { name: 'Conflict' });
    assert.equal((await store.readBytes('x')).toString(), 'winner');
    assert.deepEqual(await temporaries(store), []);
  });

  it('that fails or is called off leaves no name', async () => {
    const store = await newStore();
    await assert.rejects(
      store.write(
        'x',
        Readable.from(
          (async function* () {
            yield hello;
            throw new Error('the source broke');
          })(),
        ),
      ),
      /the source broke/,
    );
    const controller = new AbortController();
    const endless = Readable.from(
      (async function* () {
        for (let n = 0; ; n += 1) {
          if (n === 5) controller.abort();
          yield hello;
        }
      })(),
    );
    await assert.rejects(store.write('y', endless, { signal: controller.signal }), { name: 'AbortError' });
    assert.deepEqual(await readdir(store.root), []);
  });

  it('of a batch syncs each directory once, at its flush', async () => {
    const store = await newStore();
    const scope = store.createScope();
    const deferred: string[] = [];
    const counting = {
      ...scope,
      defer: (directory: string) => {
        deferred.push(directory);
        scope.defer(directory);
      },
    };
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.write(`d/e/${index}`, hello, { scope: counting })));
    assert.deepEqual([...new Set(deferred)].sort(), ['', 'd', 'd/e']);
    await scope.flush();
    assert.equal((await listAll(store)).length, 20);
  });

  it('refuses every path that could lead elsewhere', async () => {
    const store = await newStore();
    for (const path of ['', '/etc/x', '../x', 'a/../../x', './a', 'a//b', 'a/', 'nul\0', '..', `${TEMPORARY_PREFIX}x`, '\ud800']) {
      await assert.rejects(store.write(path, hello), { name: 'InvalidInput' }, JSON.stringify(path));
    }
    await assert.rejects(store.write('x'.repeat(300), hello), { name: 'InvalidInput' });
  });
});

describe('a read', () => {
  it('of a range gives those bytes, of a file that changes meanwhile an error', async () => {
    const store = await newStore();
    const facts = await store.write('x', Buffer.alloc(MIB, 'a'));
    await store.write('abc', Buffer.from('abcdef'));
    assert.equal(Buffer.concat(await (await store.read('abc', { start: 1, end: 3 })).toArray()).toString(), 'bcd');
    const content = await store.read('x', { ifMatch: facts.etag });
    const chunks = content[Symbol.asyncIterator]();
    await chunks.next();
    await utimes(join(store.root, 'x'), 1, 1);
    await assert.rejects(
      async () => {
        for (let item = await chunks.next(); !item.done; item = await chunks.next());
      },
      { name: 'SourceChanged' },
    );
    await assert.rejects(store.read('x', { ifMatch: facts.etag }), { name: 'SourceChanged' });
    await assert.rejects(store.readBytes('abc', { limitBytes: 3 }), { name: 'InvalidInput' });
  });

  it('that nobody consumes gives its handle back when it is destroyed', async () => {
    const store = await newStore();
    await store.write('x', hello);
    const open = async () => (await readdir('/proc/self/fd')).length;
    const before = await open();
    const streams = await Promise.all(Array.from({ length: 20 }, () => store.read('x')));
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('close', resolve).destroy())));
    assert.ok((await open()) <= before + 1);
  });
});

it('names the store and the path in an error, and quotes what could forge a line', async () => {
  const store = await newStore();
  await assert.rejects(store.read('a\nb'), (error: Error) => error.message.startsWith('rack r01: "a\\nb"'));
});
