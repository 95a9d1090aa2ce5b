/** Trees as users leave them: closed directories, times beyond the calendar, read-only files, links that lead out together. */
import assert from 'node:assert/strict';
import { chmod, mkdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { posixStores, temporariesOf } from '../support/posix-store.ts';
import { unprivileged } from '../support/unprivileged.ts';

const newStore = posixStores();
const hello = Buffer.from('hello');

it('a directory that cannot be read is listed as one refused entry, in its place, on pages of any size', async () => {
  const store = await newStore();
  await chmod(dirname(store.root), 0o755);
  for (const path of ['d/bad/hidden', 'd/bad-x', 'd/bad.y', 'd/closed/hidden', 'd/good/x', 'z']) await store.write(path, hello);
  await chmod(join(store.root, 'd/bad'), 0o000);
  // May be opened, and not searched.
  await chmod(join(store.root, 'd/closed'), 0o444);
  const expected = ['d/bad (it cannot be read (EACCES))', 'd/bad-x', 'd/bad.y', 'd/closed (it cannot be read (EACCES))', 'd/good/x', 'z'];
  await unprivileged(async () => {
    for (const limit of [1, 2, 100]) {
      const found: string[] = [];
      for (let after: string | undefined; ; ) {
        const page: Awaited<ReturnType<typeof store.list>> = await createPosixFileStore(store).list('', { limit, ...(after === undefined ? {} : { after }) });
        found.push(...page.entries.map(({ path, refused }) => (refused === undefined ? path : `${path} (${refused})`)));
        if (page.next === undefined) break;
        after = page.next;
      }
      assert.deepEqual(found, expected);
    }
    await assert.rejects(store.list('d/bad'), { name: 'Denied' });
    await assert.rejects(store.list('d/closed'), { name: 'Denied' });
  });
  for (const path of ['d/bad', 'd/closed']) await chmod(join(store.root, path), 0o755);
});

it('a directory that cannot be read does not keep the others from being swept', async () => {
  const store = await newStore();
  await chmod(dirname(store.root), 0o755);
  for (const directory of ['a', 'b', 'c', 'd']) {
    const path = join(store.root, directory);
    await mkdir(path);
    await writeFile(join(path, `${TEMPORARY_PREFIX}9-dead`), 'half');
    await chmod(path, directory === 'b' ? 0o000 : 0o777);
  }
  const swept = await unprivileged(() => store.sweep('', new Date(Date.now() + 60_000).toISOString()));
  assert.equal(swept, 3);
  await chmod(join(store.root, 'b'), 0o755);
  assert.equal((await temporariesOf(store)).length, 1);
});

it('a time beyond the calendar is listed as its end, and told apart by the etag', async () => {
  const store = await newStore();
  const LAST = '9999-12-31T23:59:59.999Z';
  await store.write('far', hello);
  // ext4 ends in 2446, so the driver is asked for what it makes of any file system's.
  const { factsOf } = await import('../../drivers/file-store/posix-open.ts');
  const stats = await stat(join(store.root, 'far'), { bigint: true });
  const at = (mtimeNs: bigint) => factsOf('far', Object.assign(Object.create(stats), { mtimeNs }));
  for (const seconds of [253_402_300_800n, 2n ** 62n]) {
    assert.equal(at(seconds * 1_000_000_000n).modifiedAt, LAST);
    assert.equal(at(-seconds * 1_000_000_000n).modifiedAt, '0000-01-01T00:00:00.000Z');
    assert.equal(at(seconds * 1_000_000_000n).etag, `5-${seconds}000000000`);
  }
  await utimes(join(store.root, 'far'), 1, 1);
  assert.equal((await store.stat('far'))?.modifiedAt, '1970-01-01T00:00:01.000Z');
});

it('a time that is none leaves the file with the present', async () => {
  const store = await newStore();
  const before = Date.now() - 1_000;
  const { modifiedAt } = await store.write('x', hello, { modifiedAt: 'yesterday' });
  assert.ok(Date.parse(modifiedAt) >= before, modifiedAt);
  const file = await store.createFile('link', { attempt: '1' });
  await (await file.seal({ bytes: 0, modifiedAt: '+999999-01-01', attributes: { linkTarget: 'x' } })).published;
});

it('a read-only file may be gone on with by another worker, and ends up read-only', async () => {
  const store = await newStore();
  await chmod(store.root, 0o777);
  await chmod(dirname(store.root), 0o755);
  await unprivileged(async () => {
    const first = await store.createFile('x', { attempt: '1', mode: 0o444 });
    const second = await createPosixFileStore(store).createFile('x', { attempt: '2', session: first.session });
    await second.write(hello, 0);
    await second.close();
    await (await first.seal({ bytes: 5, attributes: { mode: 0o444 } })).published;
  });
  assert.equal((await stat(join(store.root, 'x'))).mode & 0o777, 0o444);
});

it('a link with `..` behind a name is refused: what is named may be a link itself', async () => {
  const store = await newStore();
  await mkdir(join(store.root, 'p'));
  await symlink('.', join(store.root, 'p/d'));
  const sealed = async (linkTarget: string) => {
    const file = await store.createFile('p/L', { attempt: '1' });
    await (await file.seal({ bytes: 0, attributes: { linkTarget } })).published.finally(() => file.abandon());
  };
  for (const target of ['d/../../other/secret', 'd/..', '../p/..']) await assert.rejects(sealed(target), { name: 'Denied' }, target);
  await sealed('.././x/./y');
});
