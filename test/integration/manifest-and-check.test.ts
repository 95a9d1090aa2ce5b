/** Manifests as they lie in a store; what a check makes of them is in check.test.ts. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { findManifest, readManifest, readManifestPage, writeManifest, writeManifestRanges } from '../../datapath/transfer/manifest-store.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';

let gateway: TestGateway;

before(async () => {
  gateway = await startTestGateway();
  await gateway.store.ensureBucket('meta');
});
after(() => gateway.stop());

const entry = (index: number): ManifestEntry => ({
  path: `dir/${String(index).padStart(6, '0')}`,
  bytes: index,
  modifiedAt: '2026-03-04T05:06:07.000Z',
  etag: `"${index}"`,
  ...(index % 2 ? { crc32c: 'AAAAAA==' } : {}),
});
const entries = (count: number) => Array.from({ length: count }, (_, index) => entry(index));
const write = (prefix: string, list: Iterable<ManifestEntry>, pageSize = 1000) =>
  writeManifest({ store: gateway.store, storeName: 'warm', bucket: 'meta', prefix, entries: list, pageSize });
const packed = (list: readonly ManifestEntry[]) => {
  const lines = Buffer.from(list.map((each) => `${JSON.stringify(each)}\n`).join(''));
  return { lines, sha256: createHash('sha256').update(lines).digest('hex') };
};
const read = async (items: AsyncIterable<ManifestEntry>) => {
  const all: ManifestEntry[] = [];
  for await (const item of items) all.push(item);
  return all;
};

describe('a manifest', () => {
  it('is read as it was written, whole or a page of it', async () => {
    const ref = await write('m1/', entries(2500));
    assert.deepEqual([ref.store, ref.pages, ref.files, ref.bytes], ['warm', 3, 2500, (2499 * 2500) / 2]);
    assert.deepEqual(await read(readManifest(gateway.store, ref)), entries(2500));
    assert.deepEqual(await readManifestPage(gateway.store, ref, 2), entries(2500).slice(2000));
    await assert.rejects(readManifestPage(gateway.store, ref, 3), { name: 'InvalidInput' });
  });

  it('written again is the same manifest; another list under the same prefix is refused', async () => {
    const ref = await write('m2/', entries(2500));
    assert.deepEqual(await write('m2/', entries(2500)), ref);
    assert.deepEqual(await findManifest({ store: gateway.store, storeName: 'warm', bucket: 'meta', prefix: 'm2/' }), ref);
    await assert.rejects(write('m2/', entries(2499)), { name: 'Conflict' });
    assert.deepEqual(await read(readManifest(gateway.store, ref)), entries(2500));
    assert.equal((await write('elsewhere/', entries(2500))).digest, ref.digest);
    assert.equal(await findManifest({ store: gateway.store, storeName: 'warm', bucket: 'meta', prefix: 'none/' }), undefined);
  });

  it('may be written range by range, side by side, and is read in order', async () => {
    const all = entries(2500);
    const cuts = [0, 1, 800, 800, 2499, 2500];
    const ranges = cuts.slice(1).map((to, index) => () => all.slice(cuts[index], to));
    const ref = await writeManifestRanges({ store: gateway.store, storeName: 'warm', bucket: 'meta', prefix: 'ranges/', ranges, pageSize: 500 });
    assert.deepEqual([ref.pages, ref.files], [1 + 2 + 4 + 1, 2500]);
    assert.deepEqual(await read(readManifest(gateway.store, ref)), all);
  });

  it('of version 1 is still read', async () => {
    const first = packed(entries(3));
    const body = { version: 1, pages: [{ sha256: first.sha256, files: 3, bytes: 3 }] };
    await gateway.store.writeBytes('meta', `v1/000000-${first.sha256.slice(0, 16)}.jsonl.zst`, zstdCompressSync(first.lines));
    await gateway.store.writeBytes('meta', 'v1/index.json', Buffer.from(JSON.stringify(body)));
    const ref = await findManifest({ store: gateway.store, storeName: 'warm', bucket: 'meta', prefix: 'v1/' });
    assert.ok(ref);
    assert.deepEqual(await read(readManifest(gateway.store, ref)), entries(3));
  });

  it('of nothing is one of no pages', async () => {
    const ref = await write('m3/', []);
    assert.deepEqual([ref.pages, ref.files, ref.bytes], [0, 0, 0]);
    assert.deepEqual(await read(readManifest(gateway.store, ref)), []);
  });

  it('whose pages were swapped, damaged or lost is not believed, nor is one of another digest', async () => {
    const ref = await write('m4/', entries(2000));
    const folder = join(gateway.root, 'meta/m4');
    const [first = '', second = ''] = (await readdir(folder)).filter((name) => name.endsWith('.zst')).sort();
    const content = await gateway.store.readBytes('meta', `m4/${first}`);
    await gateway.store.writeBytes('meta', `m4/${second}`, content);
    await assert.rejects(read(readManifest(gateway.store, ref)), { name: 'CorruptSource' });
    await gateway.store.writeBytes('meta', `m4/${second}`, Buffer.from('no page'));
    await assert.rejects(read(readManifest(gateway.store, ref)), { name: 'CorruptSource' });
    await gateway.store.remove('meta', `m4/${second}`);
    await assert.rejects(read(readManifest(gateway.store, ref)), { name: 'NotFound' });
    await assert.rejects(read(readManifest(gateway.store, { ...ref, digest: '0'.repeat(64) })), { name: 'CorruptSource' });
  });
});
