/** What a check finds at a target that was tampered with: of files, of objects, and of what should not be there at all. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type CheckOptions, checkManifest, type PathFinding } from '../../datapath/transfer/check.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { Endpoint } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { listAll } from '../../datapath/transfer/list-all.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { checkKinds } from '../../model/check.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';

const contents = { 'a/same': 'same', 'b-flipped': 'to be flipped', 'c-gone': 'to be removed', 'd-cut': 'to be cut short' };

let gateway: TestGateway;
before(async () => {
  gateway = await startTestGateway();
  await gateway.store.ensureBucket('meta');
});
after(() => gateway.stop());

async function list(endpoint: Endpoint): Promise<ManifestEntry[]> {
  const all: ManifestEntry[] = [];
  for await (const entry of listAll(endpoint))
    all.push({ ...entry, crc32c: crc32cOf(Buffer.from(Object.entries(contents).find(([path]) => path === entry.path)?.[1] ?? '')) });
  return all;
}

/** Its manifest as it was; then a byte is flipped below the store, and an entry goes. */
async function tampered(endpoint: Endpoint, onDisk: string): Promise<ManifestEntry[]> {
  const manifest = await list(endpoint);
  const flipped = await readFile(join(onDisk, 'b-flipped'));
  flipped[3] = (flipped[3] ?? 0) ^ 1;
  await writeFile(join(onDisk, 'b-flipped'), flipped);
  await endpoint.remove('c-gone');
  return manifest;
}
async function files(name: string): Promise<{ endpoint: Endpoint; onDisk: string }> {
  const onDisk = join(gateway.directory, name);
  for (const [path, text] of Object.entries(contents)) {
    await mkdir(dirname(join(onDisk, path)), { recursive: true });
    await writeFile(join(onDisk, path), text);
  }
  return { endpoint: createFileEndpoint(createPosixFileStore({ name: 'scratch', root: gateway.directory }), name), onDisk };
}
async function objects(name: string): Promise<{ endpoint: Endpoint; onDisk: string }> {
  for (const [path, text] of Object.entries(contents)) await gateway.store.writeBytes('meta', `${name}/${path}`, Buffer.from(text));
  return { endpoint: createObjectEndpoint(gateway.store, 'meta', name), onDisk: join(gateway.root, 'meta', name) };
}

async function check(options: CheckOptions) {
  const findings: PathFinding[] = [];
  const result = await checkManifest({ ...options, onFinding: (finding) => findings.push(finding) });
  const counts = Object.fromEntries(checkKinds.map((kind) => [kind, result[kind].count]).filter(([, count]) => count !== 0));
  return { result, counts, found: findings.map(({ kind, path }) => `${kind} ${path}`).sort() };
}

describe('a check', () => {
  it('of files reads them, and finds the flipped byte, the missing file and the one cut short', async () => {
    const { endpoint, onDisk } = await files('set');
    const entries = await tampered(endpoint, onDisk);
    await writeFile(join(onDisk, 'd-cut'), 'to be');
    const { result, counts } = await check({ entries, target: endpoint });
    assert.deepEqual(counts, { same: 1, missing: 1, differing: 2 });
    assert.deepEqual(result.missing.examples, ['"c-gone"']);
    assert.match(result.differing.examples[0] ?? '', /b-flipped.*CRC32C/);
    assert.match(result.differing.examples[1] ?? '', /d-cut.*5 bytes instead of 15/);
  });

  it('of objects believes the checksum on record, or reads every byte where told to', async () => {
    const { endpoint, onDisk } = await objects('set');
    const entries = await tampered(endpoint, onDisk);
    assert.deepEqual((await check({ entries, target: endpoint })).counts, { same: 3, missing: 1 });
    const read = await check({ entries, target: endpoint, read: 'always' });
    assert.deepEqual(read.found, ['differing b-flipped', 'missing c-gone']);
  });

  for (const [kind, make] of [
    ['files', files],
    ['objects', objects],
  ] as const) {
    it(`of ${kind} names what is extra, once, page by page, and nothing that belongs there`, async () => {
      const { endpoint, onDisk } = await make(`extra-${kind}`);
      const entries = await list(endpoint);
      for (const path of ['0-first', 'a/t', 'aa', 'z-last', 'ü']) {
        if (kind === 'files') await writeFile(join(onDisk, path), 'extra');
        else await gateway.store.writeBytes('meta', `extra-${kind}/${path}`, Buffer.from('extra'));
      }
      const expected = ['0-first', 'a/t', 'aa', 'z-last', 'ü'].map((path) => `extra ${path}`);
      const whole = await check({ entries, target: endpoint, extra: {} });
      assert.deepEqual([whole.counts, whole.found], [{ same: 4, extra: 5 }, expected]);
      const cut = entries[1]?.path ?? '';
      const first = await check({ entries: entries.slice(0, 2), target: endpoint, extra: { until: cut } });
      const second = await check({ entries: entries.slice(2), target: endpoint, extra: { after: cut } });
      assert.deepEqual([...first.found, ...second.found].sort(), expected);
      assert.deepEqual((await check({ entries: [], target: endpoint, extra: {} })).counts, { extra: 9 });
    });
  }

  it('tells what could not be read from what differs: nothing is known about it', async () => {
    const { endpoint } = await files('unreadable');
    const entries = await list(endpoint);
    const denied = new Map([
      ['b-flipped', new PenstockError('Denied', 'no right to read it')],
      ['d-cut', new PenstockError('IoError', 'the disk gives nothing')],
      ['a/same', new PenstockError('ChecksumMismatch', 'not what was stored')],
    ]);
    const target: Endpoint = {
      ...endpoint,
      open: (entry, options) => (denied.has(entry.path) ? Promise.reject(denied.get(entry.path)) : endpoint.open(entry, options)),
    };
    const { counts, result } = await check({ entries, target });
    assert.deepEqual(counts, { same: 1, differing: 1, unreadable: 2 });
    assert.match(result.unreadable.examples[0] ?? '', /"b-flipped": .*no right to read it/);
    await assert.rejects(check({ entries, target: { ...endpoint, stat: () => Promise.reject(new PenstockError('StoreUnavailable', 'away')) } }), {
      type: 'StoreUnavailable',
    });
  });

  it('counts all and lists few, and says where a manifest could not tell', async () => {
    const { endpoint } = await files('few');
    const absent = Array.from({ length: 500 }, (_, index) => ({
      path: `gone/${index}`,
      bytes: 1,
      modifiedAt: '2026-03-04T05:06:07.000Z',
      etag: 'e',
      crc32c: 'AAAAAA==',
    }));
    const { result } = await check({ entries: absent, target: endpoint, listed: 3, concurrency: 4 });
    assert.deepEqual([result.missing.count, result.missing.examples.length], [500, 3]);
    const unsigned = (await list(endpoint)).map(({ crc32c: _, ...entry }) => entry);
    assert.equal((await check({ entries: unsigned, target: endpoint })).counts['sameSize'], 4);
  });

  it('stops when called off', async () => {
    const { endpoint } = await files('stopped');
    await assert.rejects(checkManifest({ entries: await list(endpoint), target: endpoint, signal: AbortSignal.abort() }), { name: 'AbortError' });
  });
});
