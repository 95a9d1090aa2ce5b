/** Content that others touched since it was written: rotten, cut, written beside the gateway, or led elsewhere by a link. */
import assert from 'node:assert/strict';
import { lstat, readdir, readFile, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MODIFIED_AT } from '../support/transfer-content.ts';
import { copy, fill, kinds, listPages, type Places, startPlaces } from '../support/transfer-places.ts';

let places: Places;

before(async () => {
  places = await startPlaces();
});
after(() => places.stop());

describe('what lies at rest', () => {
  for (const kind of kinds) {
    it(`is not believed by a transfer to ${kind}: a flipped byte in a source object ends that entry alone`, async () => {
      const [source, target] = [places.place('object'), places.place(kind)];
      const entries = await fill(source.endpoint, { good: 'good', rotten: 'rotten' });
      await flip(join(source.onDisk, 'rotten'));
      const { done, failed } = await copy(source, target, entries);
      assert.deepEqual(
        done.map((entry) => entry.path),
        ['good'],
      );
      assert.deepEqual(
        failed.map(({ path, type }) => [path, type]),
        [['rotten', 'CorruptSource']],
      );
      assert.deepEqual(await readdir(target.onDisk), ['good']);
    });
  }

  it('is not believed by a transfer: a truncated source object ends that entry alone', async () => {
    const [source, target] = [places.place('object'), places.place('file')];
    const entries = await fill(source.endpoint, { short: 'it was longer once' });
    await truncate(join(source.onDisk, 'short'), 5);
    const { done, failed } = await copy(source, target, entries);
    assert.deepEqual(done, []);
    assert.equal(failed.length, 1);
    assert.deepEqual(await readdir(target.onDisk).catch(() => []), []);
  });

  for (const kind of kinds) {
    it(`arrives at ${kind} as the object it is, where it has content and calls itself a link`, async () => {
      const [source, target] = [places.place('object'), places.place(kind)];
      assert.ok(source.objects);
      const { store, bucket, prefix } = source.objects;
      const metadata = { 'penstock-link': Buffer.from('elsewhere').toString('base64') };
      await store.writeBytes(bucket, `${prefix}link`, Buffer.alloc(0), { metadata });
      await store.writeBytes(bucket, `${prefix}object`, Buffer.from('its content'), { metadata });
      for (const attributes of [true, false]) {
        const { done, failed } = await copy(source, target, await listPages(source.endpoint), { attributes, replace: true });
        assert.deepEqual(
          [done.map(({ path, linkTarget }) => [path, linkTarget]), failed],
          [
            [
              ['link', 'elsewhere'],
              ['object', undefined],
            ],
            [],
          ],
        );
        assert.ok((await lstat(join(target.onDisk, 'object'))).isFile());
        assert.equal(await readFile(join(target.onDisk, 'object'), 'utf8'), 'its content');
        assert.equal((await target.endpoint.stat('object'))?.linkTarget, undefined);
        await target.endpoint.remove('object');
      }
    });
  }

  it('includes what others wrote beside the gateway, which has neither etag nor checksum', async () => {
    const [source, target] = [places.place('object'), places.place('object')];
    await fill(source.endpoint, { own: '1' });
    await writeFile(join(source.onDisk, 'beside'), 'written over NFS');
    const entries = await listPages(source.endpoint);
    const { done, failed } = await copy(source, target, entries);
    assert.deepEqual(failed, []);
    assert.deepEqual(
      done.map((entry) => entry.path),
      ['beside', 'own'],
    );
    await writeFile(join(source.onDisk, 'beside'), 'and then changed');
    await utimes(join(source.onDisk, 'beside'), 1, 1);
    const beside = entries.find((entry) => entry.path === 'beside');
    assert.ok(beside);
    await assert.rejects(source.endpoint.open(beside), { name: 'SourceChanged' });
  });

  it('is never reached through a symbolic link, be it in the source or in the target', async () => {
    const [source, target] = [places.place('file'), places.place('file')];
    const secret = join(places.directory, 'secret');
    await writeFile(secret, 'of another tenant');
    const entries = await fill(source.endpoint, { 'dir/real': '1', plain: '2' });
    await symlink(secret, join(source.onDisk, 'dir/link'));
    await symlink(places.directory, join(source.onDisk, 'tree'));
    assert.deepEqual(
      (await listPages(source.endpoint)).map((entry) => [entry.path, entry.linkTarget]),
      [
        ['dir/link', secret],
        ['dir/real', undefined],
        ['plain', undefined],
        ['tree', places.directory],
      ],
    );
    for (const path of ['dir/link', 'tree/secret']) {
      await assert.rejects(source.endpoint.open({ path, bytes: 17, modifiedAt: MODIFIED_AT, etag: 'x' }), { name: 'Denied' });
    }
    await fill(target.endpoint, { other: '1' });
    await symlink(places.directory, join(target.onDisk, 'dir'));
    await symlink(secret, join(target.onDisk, 'plain'));
    const { done, failed } = await copy(source, target, entries);
    assert.deepEqual(done, []);
    assert.deepEqual(failed.map(({ path, type }) => [path, type]).toSorted(), [
      ['dir/real', 'Denied'],
      ['plain', 'Conflict'],
    ]);
    assert.equal(await readFile(secret, 'utf8'), 'of another tenant');
    assert.ok(!(await readdir(places.directory)).includes('real'));
  });
});

async function flip(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  await writeFile(file, bytes);
}
