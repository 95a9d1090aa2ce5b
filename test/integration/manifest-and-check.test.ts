/** Manifests as they lie in a store, and what a check finds at a target that was tampered with. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { checkManifest } from '../../datapath/transfer/check.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { Endpoint } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { listAll } from '../../datapath/transfer/list-all.ts';
import { findManifest, readManifest, readManifestPage, writeManifest, writeManifestPage } from '../../datapath/transfer/manifest-store.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';

let gateway: TestGateway;
let directory: string;

before(async () => {
  gateway = await startTestGateway();
  directory = await mkdtemp(join(tmpdir(), 'penstock-manifest-'));
  await gateway.store.ensureBucket('meta');
});
after(async () => {
  await gateway.stop();
  await rm(directory, { recursive: true, force: true });
});

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
    assert.deepEqual(await findManifest({ store: gateway.store, bucket: 'meta', prefix: 'm2/' }, 'warm'), ref);
    await assert.rejects(write('m2/', entries(2499)), { name: 'Conflict' });
    assert.deepEqual(await read(readManifest(gateway.store, ref)), entries(2500));
    assert.equal((await write('elsewhere/', entries(2500))).digest, ref.digest);
    assert.equal(await findManifest({ store: gateway.store, bucket: 'meta', prefix: 'none/' }, 'warm'), undefined);
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

  it('may come to be page by page, and is closed from those pages', async () => {
    const open = { store: 'warm', bucket: 'meta', prefix: 'm5/moved/', pages: 2, files: 2000, bytes: 0, digest: 'not yet' };
    for (const page of [0, 1, 1]) await writeManifestPage(gateway.store, open, page, entries(2000).slice(page * 1000, page * 1000 + 1000));
    assert.deepEqual(await readManifestPage(gateway.store, open, 1), entries(2000).slice(1000));
    assert.deepEqual(await read(readManifest(gateway.store, open)), entries(2000));
    const closed = await writeManifest({
      store: gateway.store,
      storeName: 'warm',
      bucket: 'meta',
      prefix: 'm5/closed/',
      entries: readManifest(gateway.store, open),
    });
    assert.deepEqual(await read(readManifest(gateway.store, closed)), entries(2000));
  });
});

describe('a check', () => {
  const content = { 'a/same': 'same', 'b-flipped': 'to be flipped', 'c-gone': 'to be removed', 'd-cut': 'to be cut short' };
  async function filled(endpoint: Endpoint, onDisk: string): Promise<ManifestEntry[]> {
    for (const [path, text] of Object.entries(content)) {
      const bytes = Buffer.from(text);
      await endpoint.publish({ path, bytes: bytes.length, modifiedAt: '2026-03-04T05:06:07.000Z', etag: 'none' }, Readable.from([bytes]), { attempt: '1' });
    }
    const manifest = (await read(listAll(endpoint))).map((each) => ({
      ...each,
      crc32c: crc32cOf(Buffer.from(Object.entries(content).find(([path]) => path === each.path)?.[1] ?? '')),
    }));
    const flipped = await readFile(join(onDisk, 'b-flipped'));
    flipped[3] = (flipped[3] ?? 0) ^ 1;
    await writeFile(join(onDisk, 'b-flipped'), flipped);
    await endpoint.remove('c-gone');
    return manifest;
  }
  const summary = (result: Awaited<ReturnType<typeof checkManifest>>) => [result.same.count, result.missing, result.differing.count];

  it('of files reads them, and finds the flipped byte and the missing file', async () => {
    const endpoint = createFileEndpoint(createPosixFileStore({ name: 'scratch', root: directory }), 'set');
    const manifest = await filled(endpoint, join(directory, 'set'));
    await writeFile(join(directory, 'set/d-cut'), 'to be');
    const result = await checkManifest({ entries: manifest, target: endpoint });
    assert.deepEqual(summary(result), [1, { count: 1, examples: ['"c-gone"'] }, 2]);
    assert.match(result.differing.examples[0] ?? '', /b-flipped.*CRC32C/);
    assert.match(result.differing.examples[1] ?? '', /d-cut.*5 bytes instead of 15/);
  });

  it('of objects believes the checksum on record, or reads every byte where told to', async () => {
    const endpoint = createObjectEndpoint(gateway.store, 'meta', 'set');
    const manifest = await filled(endpoint, join(gateway.root, 'meta/set'));
    assert.deepEqual(summary(await checkManifest({ entries: manifest, target: endpoint })), [3, { count: 1, examples: ['"c-gone"'] }, 0]);
    const read = await checkManifest({ entries: manifest, target: endpoint, read: 'always' });
    assert.deepEqual(summary(read), [2, { count: 1, examples: ['"c-gone"'] }, 1]);
    assert.match(read.differing.examples[0] ?? '', /b-flipped/);
  });

  it('counts all and lists few, and says where a manifest could not tell', async () => {
    const endpoint = createFileEndpoint(createPosixFileStore({ name: 'scratch', root: directory }), 'nothing');
    const result = await checkManifest({ entries: entries(500), target: endpoint, listed: 3, concurrency: 4 });
    assert.deepEqual([result.missing.count, result.missing.examples.length], [500, 3]);
    const here = createFileEndpoint(createPosixFileStore({ name: 'scratch', root: directory }), 'set');
    const unsigned = (await read(listAll(here))).slice(0, 1);
    assert.equal((await checkManifest({ entries: unsigned, target: here })).sameSize.count, 1);
  });

  it('stops when called off', async () => {
    const endpoint = createFileEndpoint(createPosixFileStore({ name: 'scratch', root: directory }), 'set');
    await assert.rejects(checkManifest({ entries: entries(10), target: endpoint, signal: AbortSignal.abort() }), { name: 'AbortError' });
  });
});
