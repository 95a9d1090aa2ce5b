/** Files opened at any position, and files written at any position by whoever has their session. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { setXattr } from '../../drivers/file-store/libc.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { closeFd, openFd } from '../../drivers/file-store/raw-fs.ts';
import { MEMORY, posixStores, temporariesOf } from '../support/posix-store.ts';

const run = promisify(execFile);
const MIB = 2 ** 20;

for (const [where, newStore] of [
  ['on disk', posixStores()],
  ['in memory', posixStores(MEMORY)],
] as const) {
  describe(`an open file ${where}`, () => {
    it('is read at any position, and told from one that was changed', async () => {
      const store = await newStore();
      const facts = await store.write('d/x', Buffer.from('abcdef'));
      const file = await store.openFile('d/x', { ifMatch: facts.etag });
      assert.deepEqual(file.facts, facts);
      const into = Buffer.alloc(3);
      await file.read(into, 2);
      assert.equal(into.toString(), 'cde');
      await file.verify();
      await assert.rejects(file.read(into, 4), { name: 'SourceChanged' });
      await utimes(join(store.root, 'd/x'), 1, 1);
      await assert.rejects(file.verify(), { name: 'SourceChanged' });
      await file.close();
      await file.close();
      await assert.rejects(store.openFile('d/x', { ifMatch: facts.etag }), { name: 'SourceChanged' });
      await assert.rejects(store.openFile('d/none'), { name: 'NotFound' });
      await assert.rejects(store.openFile('d'), { name: 'NotFound' });
    });

    it('under a scope is found where its directory was made anew meanwhile', async () => {
      const store = await newStore();
      const scope = store.createScope();
      await store.write('d/x', Buffer.from('old'));
      await (await store.openFile('d/x', { scope })).close();
      await rm(join(store.root, 'd'), { recursive: true });
      await store.write('d/x', Buffer.from('newer'));
      const file = await store.openFile('d/x', { scope });
      assert.equal(file.facts.bytes, 5);
      await file.close();
      await scope.close();
    });
  });

  describe(`an unpublished file ${where}`, () => {
    it('is written in any order and appears whole, with its time', async () => {
      const store = await newStore();
      const file = await store.createFile('a/b/x', { attempt: 'allocation/1', bytes: 2 * MIB });
      await Promise.all([file.write(Buffer.alloc(MIB, 'b'), MIB), file.write(Buffer.alloc(MIB, 'a'), 0)]);
      const into = Buffer.alloc(2);
      await file.read(into, MIB - 1);
      assert.equal(into.toString(), 'ab');
      assert.equal(await store.stat('a/b/x'), undefined);
      assert.deepEqual((await store.list('')).entries, []);
      const modifiedAt = '2023-05-06T07:08:09.123Z';
      const { published } = await file.seal({ bytes: 2 * MIB, modifiedAt });
      const facts = await published;
      assert.equal(facts.modifiedAt, modifiedAt);
      assert.deepEqual(facts, await store.stat('a/b/x'));
      await file.close();
      await file.abandon();
      assert.equal((await store.readBytes('a/b/x')).length, 2 * MIB);
      assert.deepEqual(await temporariesOf(store), []);
    });

    it('of a zombie attempt neither publishes over the winner nor touches it', async () => {
      const store = await newStore();
      const zombie = await store.createFile('x', { attempt: '1' });
      const winner = await store.createFile('x', { attempt: '2' });
      await zombie.write(Buffer.from('zombie'), 0);
      await winner.write(Buffer.from('winner'), 0);
      await (await winner.seal({ bytes: 6 })).published;
      await assert.rejects((await zombie.seal({ bytes: 6 })).published, { name: 'Conflict' });
      assert.equal((await store.readBytes('x')).toString(), 'winner');
      assert.deepEqual(await temporariesOf(store), []);
      const replacing = await store.createFile('x', { attempt: '3' });
      await replacing.write(Buffer.from('new'), 0);
      await (await replacing.seal({ bytes: 3, replace: true })).published;
      assert.equal((await store.readBytes('x')).toString(), 'new');
    });

    it('is gone on with by another worker, which publishes what both wrote', async () => {
      const store = await newStore();
      const other = createPosixFileStore({ name: 'another worker', root: store.root });
      const first = await store.createFile('d/x', { attempt: '1' });
      const second = await other.createFile('d/x', { attempt: '2', session: first.session });
      await second.write(Buffer.from('def'), 3);
      await second.close();
      await first.write(Buffer.from('abc'), 0);
      await (await first.seal({ bytes: 6 })).published;
      assert.equal((await store.readBytes('d/x')).toString(), 'abcdef');
      await assert.rejects(other.createFile('d/x', { attempt: '2', session: first.session }), { name: 'NotFound' });
    });

    it('is refused for a session that names anything else', async () => {
      const store = await newStore();
      const { session } = await store.createFile('x', { attempt: '1' });
      for (const forged of ['', '..', '../x', 'a/b', `${session}/..`, `${session}\0`, 'x'.repeat(300)]) {
        await assert.rejects(store.createFile('x', { attempt: '1', session: forged }), { name: 'InvalidInput' }, forged);
      }
      const [temporary] = await temporariesOf(store);
      const outside = await newStore();
      await outside.write('secret', Buffer.from('secret'));
      await rm(join(store.root, temporary ?? ''));
      await link(join(outside.root, 'secret'), join(store.root, temporary ?? ''));
      await assert.rejects(store.createFile('x', { attempt: '1', session }), { name: 'Denied' });
    });

    it('keeps its holes, also those at its end', async () => {
      const store = await newStore();
      const file = await store.createFile('sparse', { attempt: '1' });
      await file.write(Buffer.alloc(MIB, 7), 8 * MIB);
      await (await file.seal({ bytes: 32 * MIB })).published;
      const { blocks, size } = await stat(join(store.root, 'sparse'));
      assert.equal(size, 32 * MIB);
      assert.ok(blocks * 512 < 2 * MIB, `${blocks} blocks`);
      const source = await store.openFile('sparse');
      assert.deepEqual(await source.nextData(0), { start: 8 * MIB, end: 9 * MIB });
      assert.equal(await source.nextData(9 * MIB), undefined);
      const copy = await store.createFile('copy', { attempt: '1' });
      assert.equal(await copy.copyFrom(source, 0, 32 * MIB), true);
      await (await copy.seal({ bytes: 32 * MIB })).published;
      assert.ok((await stat(join(store.root, 'copy'))).blocks * 512 < 2 * MIB);
      assert.ok((await store.readBytes('copy', { limitBytes: 32 * MIB })).equals(await store.readBytes('sparse', { limitBytes: 32 * MIB })));
      await source.close();
    });

    it('takes a range from another file inside the kernel, until it is called off', async () => {
      const store = await newStore();
      const content = randomBytes(3 * MIB);
      await store.write('source', content);
      const source = await store.openFile('source');
      const file = await store.createFile('target', { attempt: '1' });
      assert.equal(await file.copyFrom(source, MIB, 2 * MIB), true);
      await assert.rejects(file.copyFrom(source, 0, MIB, AbortSignal.abort()), { name: 'AbortError' });
      assert.equal(await file.copyFrom(source, 0, MIB), true);
      await (await file.seal({ bytes: 3 * MIB })).published;
      assert.ok((await store.readBytes('target')).equals(content));
      await truncate(join(store.root, 'source'), MIB);
      await assert.rejects(source.verify(), { name: 'SourceChanged' });
      await source.close();
    });

    it('is not sealed with another size than it has', async () => {
      const store = await newStore();
      const file = await store.createFile('x', { attempt: '1' });
      await file.write(Buffer.alloc(10), 0);
      await assert.rejects((await file.seal({ bytes: 9 })).published, { name: 'IoError' });
      assert.deepEqual(await readdir(store.root), []);
    });

    it('carries permissions and extended attributes, never set-id bits', async () => {
      const store = await newStore();
      await writeFile(join(store.root, 'source'), 'x', { mode: 0o640 });
      const fd = await openFd(join(store.root, 'source'), 2);
      const keeping = setXattr(fd, 'user.origin', Buffer.from([0, 255, 10]));
      await assert.doesNotReject(keeping, `this test needs user attributes, which ${store.root} does not keep: ext4, XFS and, from Linux 6.6 on, tmpfs do`);
      await closeFd(fd);
      const source = await store.openFile('source');
      const attributes = await source.attributes();
      await source.close();
      assert.deepEqual(attributes, { mode: 0o640, xattrs: { origin: 'AP8K' } });
      const file = await store.createFile('target', { attempt: '1', mode: 0o600 });
      await (await file.seal({ bytes: 0, attributes: { ...attributes, mode: 0o6640 } })).published;
      assert.equal((await stat(join(store.root, 'target'))).mode & 0o7777, 0o640);
      const copy = await store.openFile('target');
      assert.deepEqual(await copy.attributes(), attributes);
      await copy.close();
      const refused = await store.createFile('large', { attempt: '1' });
      const large = { xattrs: { large: Buffer.alloc(100_000).toString('base64') } };
      await assert.rejects((await refused.seal({ bytes: 0, attributes: large })).published, { name: 'PolicyRefused' });
      assert.deepEqual(await temporariesOf(store), []);
    });

    it('says so where its directory was moved while it was written', async () => {
      const store = await newStore();
      const file = await store.createFile('d/x', { attempt: '1' });
      await rename(join(store.root, 'd'), join(store.root, 'elsewhere'));
      await mkdir(join(store.root, 'd'));
      await assert.rejects((await file.seal({ bytes: 0 })).published, { name: 'IoError', message: /moved while it was written/ });
      assert.deepEqual(await readdir(join(store.root, 'd')), []);
    });

    it('that a killed worker left is swept, and its session with it', async () => {
      const store = await newStore();
      const file = await store.createFile('d/x', { attempt: '1' });
      await file.write(Buffer.from('half'), 0);
      await file.close();
      assert.equal(await store.sweep('', new Date(0).toISOString()), 0);
      assert.equal(await store.sweep('', new Date(Date.now() + 60_000).toISOString()), 1);
      await assert.rejects(store.createFile('d/x', { attempt: '2', session: file.session }), { name: 'NotFound' });
    });

    it("is collected for its successor by the attempt that wrote it, and nobody else's", async () => {
      const store = await newStore();
      const lost = await store.createFile('d/x', { attempt: '7-1-abc' });
      const [other, later] = [await store.createFile('d/x', { attempt: '7-11-abc' }), await store.createFile('d/x', { attempt: '7-2-abc' })];
      assert.equal(await store.collect('d', ['7-1-abc', '7-0-abc']), 1);
      assert.equal(await store.collect('nowhere', ['7-1-abc']), 0);
      await assert.rejects((await lost.seal({ bytes: 0 })).published, { name: 'SessionLost' }, 'an attempt that still runs publishes nothing any more');
      await later.seal({ bytes: 0 });
      await other.abandon();
      assert.deepEqual(await readdir(join(store.root, 'd')), ['x']);
    });
  });
}

const disk = posixStores();
const memory = posixStores(MEMORY);

it('bytes of another file system arrive as they are, or the kernel says it cannot', async () => {
  const [source, target] = [await disk(), await memory()];
  const content = randomBytes(MIB);
  await source.write('x', content);
  const opened = await source.openFile('x');
  const file = await target.createFile('x', { attempt: '1' });
  if (!(await file.copyFrom(opened, 0, MIB))) await file.write(content, 0);
  await (await file.seal({ bytes: MIB })).published;
  assert.ok((await target.readBytes('x')).equals(content));
  await opened.close();
});

const isRoot = process.getuid?.() === 0;
it('a full disk is OutOfSpace, told beforehand where the size is, and nothing is left', {
  skip: isRoot ? false : 'a size-capped tmpfs needs root',
}, async () => {
  const store = await memory();
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'penstock-test', store.root]);
  try {
    await assert.rejects(store.createFile('x', { attempt: '1', bytes: 8 * MIB }), { name: 'OutOfSpace' });
    assert.deepEqual(await readdir(store.root), []);
    const file = await store.createFile('x', { attempt: '1' });
    await assert.rejects(file.write(Buffer.alloc(8 * MIB), 0), { name: 'OutOfSpace' });
    await file.abandon();
    assert.deepEqual(await readdir(store.root), []);
    await store.write('y', Buffer.alloc(MIB));
    assert.equal((await readFile(join(store.root, 'y'))).length, MIB);
  } finally {
    await run('umount', [store.root]);
  }
});
