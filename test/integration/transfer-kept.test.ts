/** What is carried beside the content: empty directories, links, modes, extended attributes, holes; and names that two stores understand differently. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstat, mkdir, open, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import type { SymlinkPolicy } from '../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { memoryEndpoint } from '../support/memory-endpoint.ts';
import { contentOf } from '../support/transfer-content.ts';
import { copy, kinds, listPages, type Place, type Places, startPlaces } from '../support/transfer-places.ts';

let places: Places;

before(async () => {
  places = await startPlaces();
});
after(() => places.stop());

const MIB = 2 ** 20;
const verdicts = (failed: readonly { readonly path: string; readonly type: string }[]) => failed.map(({ path, type }) => [path, type]);
async function directory(): Promise<Place> {
  const place = places.place('file');
  await mkdir(place.onDisk, { recursive: true });
  return place;
}

for (const through of kinds) {
  describe(`files that go through ${through} and back`, () => {
    it('keep their modes, times and extended attributes where asked', async () => {
      const [source, middle, target] = [await directory(), places.place(through), places.place('file')];
      await writeFile(join(source.onDisk, 'tool'), 'x', { mode: 0o750 });
      await writeFile(join(source.onDisk, 'plain'), 'y', { mode: 0o640 });
      execFileSync('python3', ['-c', 'import os,sys; os.setxattr(sys.argv[1], "user.origin", "scanner \\u00fc".encode())', join(source.onDisk, 'tool')]);
      const out = await copy(source, middle, await listPages(source.endpoint), { attributes: true });
      assert.deepEqual(out.failed, []);
      const back = await copy(middle, target, await listPages(middle.endpoint), { attributes: true });
      assert.deepEqual(back.failed, []);
      for (const [name, mode] of [
        ['tool', 0o750],
        ['plain', 0o640],
      ] as const) {
        const [before, now] = await Promise.all([stat(join(source.onDisk, name)), stat(join(target.onDisk, name))]);
        assert.equal(now.mode & 0o7777, mode);
        if (through === 'file') assert.equal(Math.floor(now.mtimeMs), Math.floor(before.mtimeMs));
      }
      const found = execFileSync('python3', ['-c', 'import os,sys; print(os.getxattr(sys.argv[1], "user.origin").decode())', join(target.onDisk, 'tool')]);
      assert.equal(found.toString().trim(), 'scanner ü');
    });

    it('keep links that stay inside, as links', async () => {
      const [source, middle, target] = [await directory(), places.place(through), places.place('file')];
      await mkdir(join(source.onDisk, 'data'));
      await writeFile(join(source.onDisk, 'data/real'), 'content');
      await symlink('data/real', join(source.onDisk, 'latest'));
      const out = await copy(source, middle, await listPages(source.endpoint));
      assert.deepEqual([out.done.length, out.failed], [2, []]);
      // A listing of objects does not tell a link; the transfer back finds out where attributes are asked for.
      const back = await copy(middle, target, await listPages(middle.endpoint), { attributes: true });
      assert.deepEqual(back.failed, []);
      assert.equal(await readlink(join(target.onDisk, 'latest')), 'data/real');
      assert.equal(await readFile(join(target.onDisk, 'latest'), 'utf8'), 'content');
      const again = await copy(source, middle, await listPages(source.endpoint));
      assert.deepEqual([again.done.length, again.failed], [2, []]);
    });

    it('keep empty directories that object stores show as keys ending in "/"', async () => {
      const [middle, target] = [places.place(through), places.place('file')];
      const { done, failed } = await copy(
        { endpoint: memoryEndpoint({ 'a/': '', 'a/b/': '', 'a/c': 'x' }), onDisk: '' },
        middle,
        await listPages(memoryEndpoint({ 'a/': '', 'a/b/': '', 'a/c': 'x' })),
      );
      assert.deepEqual([done.length, failed], [3, []]);
      const listed = await listPages(middle.endpoint);
      await copy(middle, target, listed);
      assert.ok((await stat(join(target.onDisk, 'a'))).isDirectory());
      if (through !== 'file') assert.deepEqual(await readdir(join(target.onDisk, 'a')), ['b', 'c']);
    });
  });
}

for (const to of ['object', 'elsewhere'] as const) {
  describe(`objects that go from object to ${to}`, () => {
    it('keep what they are served as and their own metadata, in one request, in blocks and in parts', async () => {
      const [source, target] = [places.place('object'), places.place(to)];
      assert.ok(source.objects && target.objects);
      const servedAs = {
        contentType: 'text/html; charset=utf-8',
        contentEncoding: 'gzip',
        contentDisposition: 'attachment; filename="a b.html"',
        contentLanguage: 'de',
        cacheControl: 'max-age=60',
      };
      const sizes = { small: 5, blocks: 6 * MIB, parts: 70 * MIB } as const;
      for (const [name, bytes] of Object.entries(sizes)) {
        const { store, bucket, prefix } = source.objects;
        await store.writeBytes(bucket, `${prefix}${name}`, Buffer.alloc(bytes, name), {
          ...servedAs,
          metadata: { author: 'somebody', 'penstock-mode': '640' },
        });
      }
      const { failed } = await copy(source, target, await listPages(source.endpoint), { attributes: true });
      assert.deepEqual(failed, []);
      for (const name of Object.keys(sizes)) {
        const found = await target.objects.store.head(target.objects.bucket, `${target.objects.prefix}${name}`);
        assert.deepEqual(found?.servedAs, servedAs, name);
        assert.deepEqual([found?.metadata['author'], found?.metadata['penstock-mode']], ['somebody', '640'], name);
      }
    });
  });
}

describe('links of a source', () => {
  async function linked(policy: SymlinkPolicy) {
    const root = await directory();
    await mkdir(join(root.onDisk, 'set/sub'), { recursive: true });
    await writeFile(join(root.onDisk, 'outside'), 'secret');
    await writeFile(join(root.onDisk, 'set/file'), 'content');
    await writeFile(join(root.onDisk, 'set/sub/file'), 'below');
    await symlink('file', join(root.onDisk, 'set/to-file'));
    await symlink('sub', join(root.onDisk, 'set/to-sub'));
    await symlink('..', join(root.onDisk, 'set/sub/circle'));
    await symlink('/etc/passwd', join(root.onDisk, 'set/absolute'));
    await symlink('../outside', join(root.onDisk, 'set/escape'));
    await symlink('nowhere', join(root.onDisk, 'set/dangling'));
    const store = createPosixFileStore({ name: 'scratch', root: join(root.onDisk, 'set') });
    const source: Place = { endpoint: createFileEndpoint(store, '', { symlinks: policy }), onDisk: join(root.onDisk, 'set') };
    const target = await directory();
    const result = await copy(source, target, await listPages(source.endpoint));
    return { ...result, target, names: (await listPages(target.endpoint)).map(({ path }) => path) };
  }

  it('are kept where they stay inside, and refused one by one where they lead out', async () => {
    const { target, failed, names } = await linked('keep');
    assert.deepEqual(names, ['dangling', 'file', 'sub/circle', 'sub/file', 'to-file', 'to-sub']);
    assert.deepEqual(verdicts(failed), [
      ['absolute', 'Denied'],
      ['escape', 'Denied'],
    ]);
    assert.ok((await lstat(join(target.onDisk, 'to-file'))).isSymbolicLink());
  });

  it('are followed inside the root where asked, and never out of it nor in circles', async () => {
    const { target, failed, names } = await linked('follow');
    assert.deepEqual(names, ['file', 'sub/file', 'to-file', 'to-sub/file']);
    assert.equal(await readFile(join(target.onDisk, 'to-sub/file'), 'utf8'), 'below');
    assert.deepEqual(new Set(failed.map(({ type }) => type)), new Set(['Denied']));
    assert.deepEqual(
      failed.map(({ path }) => path).filter((path) => !path.includes('circle')),
      ['absolute', 'dangling', 'escape'],
    );
  });

  it('are all refused where asked', async () => {
    const { failed, names } = await linked('refuse');
    assert.deepEqual(names, ['file', 'sub/file']);
    assert.equal(failed.length, 6);
  });
});

describe('a sparse file', () => {
  it('stays sparse from file to file, with and without help of the file system', async () => {
    const [source, target] = [await directory(), await directory()];
    const file = await open(join(source.onDisk, 'sparse'), 'w');
    const data = Buffer.alloc(64 * 1024, 'data');
    await file.write(data, 0, data.length, 5 * MIB);
    await file.write(data, 0, data.length, 90 * MIB);
    await file.truncate(128 * MIB);
    await file.close();
    const { done, failed } = await copy(source, target, await listPages(source.endpoint));
    assert.deepEqual(failed, []);
    const [now] = await Promise.all([stat(join(target.onDisk, 'sparse'))]);
    assert.equal(now.size, 128 * MIB);
    assert.ok(now.blocks * 512 < 20 * MIB, `${now.blocks * 512} bytes on disk`);
    const [entry] = done;
    assert.ok(entry);
    assert.ok((await contentOf(target.endpoint, entry)).equals(await readFile(join(source.onDisk, 'sparse'))));
  });
});

describe('names that only one of the two stores can hold', () => {
  const collision = memoryEndpoint({ a: 'file', 'a/b': 'below', c: 'x', 'd/': 'content' });
  const source: Place = { endpoint: collision, onDisk: '' };
  for (const kind of kinds.filter((each) => each !== 'elsewhere')) {
    it(`are refused one by one, naming both, by ${kind}`, async () => {
      const target = places.place(kind);
      const { done, failed } = await copy(source, target, await listPages(collision), { concurrency: 1 });
      assert.equal(done.length, 2);
      const [collided, content] = failed;
      assert.deepEqual([collided?.type, content?.path, content?.type], ['Conflict', 'd/', 'InvalidInput']);
      assert.match(collided?.message ?? '', /^"a" and "a\/b" cannot both be/);
    });
  }
});

describe('a directory of 100,000 entries', () => {
  it('is listed whole, once each and in order', async () => {
    const place = await directory();
    const count = 100_000;
    for (let begin = 0; begin < count; begin += 1000) {
      await Promise.all(Array.from({ length: 1000 }, (_, index) => writeFile(join(place.onDisk, `f${begin + index}`), '')));
    }
    const listed = (await listPages(place.endpoint)).map(({ path }) => path);
    assert.deepEqual(
      listed,
      Array.from({ length: count }, (_, index) => `f${index}`).sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
    );
  });
});
