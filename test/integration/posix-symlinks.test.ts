/** Symbolic links: left out, kept, followed inside the root, refused; and no way outside. */
import assert from 'node:assert/strict';
import { lstat, mkdir, readlink, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { FileStore, SymlinkPolicy } from '../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { posixStores, temporariesOf } from '../support/posix-store.ts';

const newStore = posixStores();

/** Path, size, and target or reason of every entry, page by page, each from a walk of its own. */
async function listed(store: FileStore, symlinks: SymlinkPolicy, path = '', limit = 2): Promise<string[]> {
  const found: string[] = [];
  for (let after: string | undefined; ; ) {
    const fresh = createPosixFileStore(store);
    const page: Awaited<ReturnType<FileStore['list']>> = await fresh.list(path, { symlinks, limit, ...(after === undefined ? {} : { after }) });
    for (const { linkTarget, path: name, refused } of page.entries) {
      found.push([name, ...(linkTarget === undefined ? [] : [`-> ${linkTarget}`]), ...(refused === undefined ? [] : [`(${refused})`])].join(' '));
    }
    if (page.next === undefined) return found;
    after = page.next;
  }
}

async function storeWithLinks(): Promise<FileStore> {
  const store = await newStore();
  const outside = await newStore();
  await outside.write('secret', Buffer.from('of another'));
  await store.write('data/a', Buffer.from('content of a'));
  await store.write('data/sub/b', Buffer.from('b'));
  const link = (target: string, path: string) => symlink(target, join(store.root, path));
  await link('data/a', 'file');
  await link('file', 'twice');
  await link(join(store.root, 'data/a'), 'absolute');
  await link('data', 'tree');
  await link('..', 'data/up');
  await link('nowhere', 'broken');
  await link('loop', 'loop');
  await link(join(outside.root, 'secret'), 'escape');
  await link('../../../../../../../../etc/passwd', 'dots');
  await link(outside.root, 'escapes');
  return store;
}

describe('links in a listing', () => {
  it('are left out, kept or refused as told', async () => {
    const store = await storeWithLinks();
    assert.deepEqual(await listed(store, 'skip'), ['data/a', 'data/sub/b']);
    assert.ok((await listed(store, 'keep')).includes('twice -> file'));
    assert.ok((await listed(store, 'keep')).includes('data/up -> ..'));
    assert.ok((await listed(store, 'refuse')).includes('tree -> data (symbolic links are refused here)'));
    assert.equal((await listed(store, 'keep')).length, 12);
  });

  it('are followed inside the root, each directory once on a path; every other says why not', async () => {
    const store = await storeWithLinks();
    const found = (await listed(store, 'follow')).map((entry) => entry.replace(/ -> \S+/, ''));
    const outside = '(it leads outside)';
    assert.deepEqual(found, [
      'absolute',
      'broken (it leads nowhere)',
      'data/a',
      'data/sub/b',
      'data/up (it leads in a circle)',
      `dots ${outside}`,
      `escape ${outside}`,
      `escapes ${outside}`,
      'file',
      'loop (it leads over more than 40 links, or in a circle)',
      'tree/a',
      'tree/sub/b',
      'tree/up (it leads in a circle)',
      'twice',
    ]);
    // What a listing begins with is no link: it would lead out of what was named.
    for (const path of ['tree', 'escapes']) await assert.rejects(store.list(path, { symlinks: 'follow' }), { name: 'Denied' });
    assert.deepEqual(await store.listDirectories(''), ['data']);
  });

  it('have the facts of what they lead to, and open as it', async () => {
    const store = await storeWithLinks();
    const facts = await store.stat('twice', { symlinks: 'follow' });
    assert.deepEqual(facts, { ...(await store.stat('data/a')), path: 'twice' });
    for (const scope of [undefined, store.createScope()]) {
      for (const path of ['twice', 'tree/a', 'absolute', 'tree/up/tree/a']) {
        const file = await store.openFile(path, { symlinks: 'follow', ...(facts ? { ifMatch: facts.etag } : {}), ...(scope ? { scope } : {}) });
        const into = Buffer.alloc(12);
        await file.read(into, 0);
        await file.close();
        assert.equal(into.toString(), 'content of a');
        assert.equal(file.facts.path, path);
      }
      for (const path of ['escape', 'escapes/secret', 'dots', 'loop'])
        await assert.rejects(store.openFile(path, { symlinks: 'follow' }), { name: 'Denied' }, path);
      await assert.rejects(store.openFile('broken', { symlinks: 'follow' }), { name: 'NotFound' });
      await assert.rejects(store.openFile('twice', scope ? { scope } : {}), { name: 'Denied' });
      await scope?.close();
    }
    assert.equal(await store.stat('twice'), undefined);
    assert.equal((await store.stat('twice', { symlinks: 'keep' }))?.linkTarget, 'file');
    assert.equal((await store.stat('broken', { symlinks: 'follow' }))?.refused, 'it leads nowhere');
  });

  it('lead nowhere else while they are swapped', async () => {
    const store = await newStore();
    const outside = await newStore();
    await outside.write('secret', Buffer.from('of another'));
    await store.write('real/secret', Buffer.from('our own'));
    await symlink('real', join(store.root, 'good'));
    await symlink(outside.root, join(store.root, 'bad'));
    const stop = new AbortController();
    const swapping = (async () => {
      const at = (name: string) => join(store.root, name);
      for (; !stop.signal.aborted; ) {
        for (const name of ['good', 'bad']) {
          await rename(at(name), at('link'));
          await rename(at('link'), at(name));
        }
      }
    })();
    const outcomes = { read: 0, refused: 0 };
    try {
      for (let round = 0; round < 20_000 && (round < 500 || outcomes.read === 0 || outcomes.refused === 0); round += 1) {
        try {
          const file = await store.openFile('link/secret', { symlinks: 'follow' });
          const into = Buffer.alloc(7);
          await file.read(into, 0);
          await file.close();
          assert.equal(into.toString(), 'our own');
          outcomes.read += 1;
        } catch (error) {
          assert.ok(error instanceof Error && ['NotFound', 'Denied', 'Conflict'].includes(error.name), String(error));
          outcomes.refused += 1;
        }
      }
    } finally {
      stop.abort();
      await swapping;
    }
    assert.ok(outcomes.read > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
  });
});

describe('a link that is written', () => {
  it('is published as it is, with its time, and once', async () => {
    const store = await newStore();
    await mkdir(join(store.root, 'd'));
    const scope = store.createScope();
    const modifiedAt = '2023-05-06T07:08:09.123Z';
    for (const [path, options] of [
      ['d/alone', {}],
      ['d/batched', { scope }],
    ] as const) {
      const file = await store.createFile(path, { attempt: '1', ...options });
      const { published } = await file.seal({ bytes: 0, modifiedAt, attributes: { linkTarget: '../x/y' } });
      await scope.flush();
      const facts = await published;
      assert.deepEqual(facts, await store.stat(path, { symlinks: 'keep' }));
      assert.deepEqual([facts.linkTarget, facts.bytes, facts.modifiedAt], ['../x/y', 0, modifiedAt]);
      assert.equal(await readlink(join(store.root, path)), '../x/y');
      const again = await store.createFile(path, { attempt: '2' });
      await assert.rejects((await again.seal({ bytes: 0, attributes: { linkTarget: 'other' } })).published, { name: 'Conflict' });
      const replacing = await store.createFile(path, { attempt: '3' });
      await (await replacing.seal({ bytes: 0, replace: true })).published;
      assert.ok((await lstat(join(store.root, path))).isFile());
    }
    await scope.close();
    assert.deepEqual(await temporariesOf(store), []);
  });

  it('is refused where it would lead outside', async () => {
    const store = await newStore();
    await writeFile(join(store.root, 'x'), 'x');
    for (const linkTarget of ['/etc/passwd', '../../x', 'sub/../../../x', join(store.root, 'x'), '']) {
      const file = await store.createFile('d/link', { attempt: '1' });
      await assert.rejects((await file.seal({ bytes: 0, attributes: { linkTarget } })).published, (error: Error) => {
        assert.equal(error.name, 'Denied');
        return error.message.includes('"d/link"') && error.message.includes(JSON.stringify(linkTarget === '' ? '.' : linkTarget));
      });
      await file.abandon();
    }
    assert.deepEqual(await temporariesOf(store), []);
  });
});
