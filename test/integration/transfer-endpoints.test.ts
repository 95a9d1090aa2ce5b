/** One contract for both kinds of endpoint, and for the engine between each two of them, against a real S3 gateway and a real file system. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type CopyOptions, copyEntries } from '../../datapath/transfer/copy.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { Endpoint } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createRateLimiter } from '../../datapath/transfer/rate-limiter.ts';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';

let gateway: TestGateway;
let directory: string;
let serial = 0;

before(async () => {
  gateway = await startTestGateway();
  directory = await mkdtemp(join(tmpdir(), 'penstock-files-'));
  await gateway.store.ensureBucket('data');
});
after(async () => {
  await gateway.stop();
  await rm(directory, { recursive: true, force: true });
});

type Kind = 'object' | 'file';
/** The directory on disk where an endpoint's content lies, for both kinds: a test may tamper with it. */
interface Place {
  readonly endpoint: Endpoint;
  readonly onDisk: string;
}
function place(kind: Kind): Place {
  serial += 1;
  const name = `set-${serial}`;
  if (kind === 'object') return { endpoint: createObjectEndpoint(gateway.store, 'data', name), onDisk: join(gateway.root, 'data', name) };
  return { endpoint: createFileEndpoint(createPosixFileStore({ name: 'scratch', root: directory }), name), onDisk: join(directory, name) };
}

const kinds: readonly Kind[] = ['object', 'file'];
const UNUSUAL = ['.dot/.x', '100%', 'a file with spaces', 'a+b', 'a-b', 'a.b', 'a/b', 'a0', 'e=1&f;g', 'quo"te\'', 'ünïcödé', '日本/語', '😀', '\uFF5E'];
const MODIFIED_AT = '2026-03-04T05:06:07.891Z';

async function fill(endpoint: Endpoint, contents: Readonly<Record<string, string | Buffer>>): Promise<ManifestEntry[]> {
  for (const [path, content] of Object.entries(contents)) await put(endpoint, path, content);
  return listAll(endpoint);
}
function put(endpoint: Endpoint, path: string, content: string | Buffer, options = {}): Promise<ManifestEntry> {
  const bytes = Buffer.from(content);
  const entry = { path, bytes: bytes.length, modifiedAt: MODIFIED_AT, etag: 'none' };
  return endpoint.publish(entry, Readable.from([bytes]), { attempt: '1', ...options });
}
async function listAll(endpoint: Endpoint, limit?: number): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for (let after: string | undefined; ; ) {
    const page: Awaited<ReturnType<Endpoint['list']>> = await endpoint.list({ ...(after ? { after } : {}), ...(limit ? { limit } : {}) });
    entries.push(...page.entries);
    if (page.next === undefined) return entries;
    after = page.next;
  }
}
async function textOf(endpoint: Endpoint, entry: ManifestEntry): Promise<string> {
  return Buffer.concat(await (await endpoint.open(entry)).toArray()).toString();
}
function copy(source: Place, target: Place, entries: readonly ManifestEntry[], options: Partial<CopyOptions> = {}) {
  return copyEntries({ source: source.endpoint, target: target.endpoint, entries, attempt: '1', concurrency: 4, ...options });
}

for (const kind of kinds) {
  describe(`an ${kind} endpoint`, () => {
    it('keeps unusual names apart and lists them in the byte order of their paths, page by page', async () => {
      const { endpoint } = place(kind);
      const all = await fill(endpoint, Object.fromEntries(UNUSUAL.map((path) => [path, `content of ${path}`])));
      const expected = UNUSUAL.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      assert.deepEqual(
        all.map((entry) => entry.path),
        expected,
      );
      for (const limit of [1, 2, 3, 5]) assert.deepEqual(await listAll(endpoint, limit), all);
      for (const entry of all) assert.equal(await textOf(endpoint, entry), `content of ${entry.path}`);
    });

    it('starts a listing behind any path, whether it exists or not', async () => {
      const { endpoint } = place(kind);
      const all = (await fill(endpoint, Object.fromEntries(UNUSUAL.map((path) => [path, path])))).map((entry) => entry.path);
      for (const after of ['', '0', 'a', 'a/', 'a/b', 'a/b/c', 'a/a', 'b', '日本', '日本/', '\u{10FFFF}', ...all]) {
        const page = await endpoint.list({ after });
        const expected = all.filter((path) => Buffer.compare(Buffer.from(path), Buffer.from(after)) > 0);
        assert.deepEqual(
          page.entries.map((entry) => entry.path),
          expected,
          `behind ${JSON.stringify(after)}`,
        );
      }
    });

    it('answers what it published: size, checksum, the time of modification', async () => {
      const { endpoint } = place(kind);
      const published = await put(endpoint, 'a/b', 'hello');
      assert.equal(published.crc32c, crc32cOf(Buffer.from('hello')));
      const now = await endpoint.stat('a/b');
      assert.equal(now?.bytes, 5);
      assert.equal(now?.modifiedAt, MODIFIED_AT);
      assert.equal(now?.etag, published.etag);
      assert.equal(await textOf(endpoint, published), 'hello');
      assert.equal(await endpoint.stat('a/c'), undefined);
      assert.equal(await endpoint.stat('a'), undefined);
      assert.equal(await endpoint.stat('a/b/c'), undefined);
    });

    it('publishes nothing where the content is not the one announced', async () => {
      const { endpoint, onDisk } = place(kind);
      const entry = { path: 'x', bytes: 5, modifiedAt: MODIFIED_AT, etag: 'none' };
      const publish = (announced: ManifestEntry, content: string) => endpoint.publish(announced, Readable.from([Buffer.from(content)]), { attempt: '1' });
      await assert.rejects(publish({ ...entry, crc32c: crc32cOf(Buffer.from('hello')) }, 'jello'), { name: 'ChecksumMismatch' });
      await assert.rejects(publish(entry, 'hell'), { name: 'StoreUnavailable' });
      await assert.rejects(publish(entry, 'hello!'), { name: 'SourceChanged' });
      assert.equal(await endpoint.stat('x'), undefined);
      assert.deepEqual(await readdir(onDisk).catch(() => []), []);
    });

    it('takes equal content twice, other content only with replace', async () => {
      const { endpoint } = place(kind);
      await put(endpoint, 'x', 'one');
      assert.equal((await put(endpoint, 'x', 'one')).crc32c, crc32cOf(Buffer.from('one')));
      await assert.rejects(put(endpoint, 'x', 'two'), { name: 'Conflict' });
      await assert.rejects(put(endpoint, 'x', 'three'), { name: 'Conflict' });
      await put(endpoint, 'x', 'two', { replace: true });
      const [entry] = await listAll(endpoint);
      assert.ok(entry);
      assert.equal(await textOf(endpoint, entry), 'two');
    });

    it('lets one of many rivals win, whole', async () => {
      const { endpoint, onDisk } = place(kind);
      const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(100_000));
      const outcomes = await Promise.allSettled(contents.map((content, index) => put(endpoint, 'x', content, { attempt: `${index}` })));
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
      assert.equal(winners.length, 1);
      const [entry] = await listAll(endpoint);
      assert.ok(entry);
      assert.equal(await textOf(endpoint, entry), contents[winners[0] ?? -1]);
      assert.deepEqual(await readdir(onDisk), ['x']);
    });

    it('refuses paths that could mean another place', async () => {
      const { endpoint } = place(kind);
      for (const path of ['', '/x', '../x', 'a/../x', './x', 'a//x', 'x/', '..', 'nul\0']) {
        await assert.rejects(put(endpoint, path, 'x'), { name: 'InvalidInput' }, JSON.stringify(path));
      }
    });

    it('names both where one name would have to be a file and a directory', async () => {
      const { endpoint } = place(kind);
      await put(endpoint, 'a', 'file');
      await put(endpoint, 'd/e', 'below');
      await assert.rejects(
        put(endpoint, 'a/b', 'below'),
        (error: Error) => error.name === 'Conflict' && error.message.includes('a"') && /a\/b/.test(error.message),
      );
      await assert.rejects(
        put(endpoint, 'd', 'file'),
        (error: Error) => error.name === 'Conflict' && /directory/.test(error.message) && error.message.includes('d"'),
      );
    });

    it('opens only the version that was listed', async () => {
      const { endpoint } = place(kind);
      const [listed] = await fill(endpoint, { x: 'one' });
      assert.ok(listed);
      await put(endpoint, 'x', 'other', { replace: true });
      await assert.rejects(async () => textOf(endpoint, listed), { name: 'SourceChanged' });
      await endpoint.remove('x');
      await endpoint.remove('x');
      await assert.rejects(async () => textOf(endpoint, listed), { name: 'NotFound' });
    });
  });
}

for (const from of kinds) {
  for (const to of kinds) {
    describe(`a transfer from ${from} to ${to}`, () => {
      it('moves everything, checksummed, and moves nothing twice', async () => {
        const [source, target] = [place(from), place(to)];
        const large = Buffer.alloc(20 * 2 ** 20 + 7, 'penstock');
        const entries = await fill(source.endpoint, { ...Object.fromEntries(UNUSUAL.map((path) => [path, path])), large, 'zero-bytes': '' });
        const progress: number[] = [];
        const { done, failed } = await copy(source, target, entries, { onProgress: ({ doneBytes }) => progress.push(doneBytes) });
        assert.deepEqual(failed, []);
        assert.deepEqual(
          done.map(({ path, bytes }) => ({ path, bytes })),
          entries.map(({ path, bytes }) => ({ path, bytes })),
        );
        assert.equal(done.find((entry) => entry.path === 'large')?.crc32c, crc32cOf(large));
        assert.equal(
          progress.at(-1),
          entries.reduce((sum, entry) => sum + entry.bytes, 0),
        );
        for (const entry of done) assert.equal(crc32cOf(Buffer.concat(await (await target.endpoint.open(entry)).toArray())), entry.crc32c);
        const unwritable: Endpoint = { ...target.endpoint, publish: () => Promise.reject(new Error('nothing is to be published again')) };
        const again = await copyEntries({ source: source.endpoint, target: unwritable, entries, attempt: '2', concurrency: 4 });
        assert.deepEqual(
          again.done.map((entry) => entry.crc32c),
          done.map((entry) => entry.crc32c),
        );
      });

      it('reports each entry that cannot be moved once, and moves the others', async () => {
        const [source, target] = [place(from), place(to)];
        const entries = await fill(source.endpoint, { gone: '1', kept: '2', taken: '3' });
        await source.endpoint.remove('gone');
        await put(target.endpoint, 'taken', 'x');
        const { done, failed } = await copy(source, target, entries);
        assert.deepEqual(
          done.map((entry) => entry.path),
          ['kept'],
        );
        assert.deepEqual(failed.map(({ path, type }) => [path, type]).toSorted(), [
          ['gone', 'NotFound'],
          ['taken', 'Conflict'],
        ]);
      });

      it('follows a source that changed since it was listed', async () => {
        const [source, target] = [place(from), place(to)];
        const entries = await fill(source.endpoint, { x: 'before' });
        await put(source.endpoint, 'x', 'afterwards', { replace: true });
        const { done, failed } = await copy(source, target, entries);
        assert.deepEqual(failed, []);
        const [entry] = done;
        assert.ok(entry);
        assert.equal(await textOf(target.endpoint, entry), 'afterwards');
      });

      it('stops within a second when cancelled, and leaves no temporary name', async () => {
        const [source, target] = [place(from), place(to)];
        const entries = await fill(source.endpoint, { large: Buffer.alloc(30 * 2 ** 20, 'x') });
        const controller = new AbortController();
        const limiter = createRateLimiter(4 * 2 ** 20);
        let cancelledAt = 0;
        const onProgress = ({ doneBytes }: { readonly doneBytes: number }) => {
          if (doneBytes === 0 || cancelledAt > 0) return;
          cancelledAt = performance.now();
          controller.abort();
        };
        await assert.rejects(copy(source, target, entries, { signal: controller.signal, limiter, onProgress }), { name: 'AbortError' });
        assert.ok(performance.now() - cancelledAt < 1000);
        assert.equal(await target.endpoint.stat('large'), undefined);
        const left = await readdir(target.onDisk, { recursive: true }).catch(() => []);
        assert.deepEqual(
          left.filter((name) => name.includes(TEMPORARY_PREFIX) || name === 'large'),
          [],
        );
      });
    });
  }
}

describe('what lies at rest', () => {
  it('is not believed by a transfer: a flipped byte in a source object ends that entry alone', async () => {
    const [source, target] = [place('object'), place('file')];
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

  it('is not believed by a transfer: a truncated source object ends that entry alone', async () => {
    const [source, target] = [place('object'), place('file')];
    const entries = await fill(source.endpoint, { short: 'it was longer once' });
    await truncate(join(source.onDisk, 'short'), 5);
    const { done, failed } = await copy(source, target, entries);
    assert.deepEqual(done, []);
    assert.equal(failed.length, 1);
    assert.deepEqual(await readdir(target.onDisk).catch(() => []), []);
  });

  it('includes what others wrote beside the gateway, which has neither etag nor checksum', async () => {
    const [source, target] = [place('object'), place('object')];
    await fill(source.endpoint, { own: '1' });
    await writeFile(join(source.onDisk, 'beside'), 'written over NFS');
    const entries = await listAll(source.endpoint);
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
    const [source, target] = [place('file'), place('file')];
    const secret = join(directory, 'secret');
    await writeFile(secret, 'of another tenant');
    const entries = await fill(source.endpoint, { 'dir/real': '1', plain: '2' });
    await symlink(secret, join(source.onDisk, 'dir/link'));
    await symlink(directory, join(source.onDisk, 'tree'));
    assert.deepEqual(
      (await listAll(source.endpoint)).map((entry) => entry.path),
      ['dir/real', 'plain'],
    );
    for (const path of ['dir/link', 'tree/secret']) {
      await assert.rejects(source.endpoint.open({ path, bytes: 17, modifiedAt: MODIFIED_AT, etag: 'x' }), { name: 'Denied' });
    }
    await fill(target.endpoint, { other: '1' });
    await symlink(directory, join(target.onDisk, 'dir'));
    await symlink(secret, join(target.onDisk, 'plain'));
    const { done, failed } = await copy(source, target, entries);
    assert.deepEqual(done, []);
    assert.deepEqual(failed.map(({ path, type }) => [path, type]).toSorted(), [
      ['dir/real', 'Denied'],
      ['plain', 'Conflict'],
    ]);
    assert.equal(await readFile(secret, 'utf8'), 'of another tenant');
    assert.ok(!(await readdir(directory)).includes('real'));
  });
});

async function flip(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  await writeFile(file, bytes);
}
