/** One contract for both kinds of endpoint, and for the engine between each two of them, against a real S3 gateway and a real file system. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { Endpoint } from '../../datapath/transfer/endpoint.ts';
import { createRateLimiter } from '../../datapath/transfer/rate-limiter.ts';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import { contentOf, MODIFIED_AT, textOf } from '../support/transfer-content.ts';
import { copy, fill, kinds, listPages, type Places, put, startPlaces } from '../support/transfer-places.ts';

let places: Places;

before(async () => {
  places = await startPlaces();
});
after(() => places.stop());

const UNUSUAL = ['.dot/.x', '100%', 'a file with spaces', 'a+b', 'a-b', 'a.b', 'a/b', 'a0', 'e=1&f;g', 'quo"te\'', 'ünïcödé', '日本/語', '😀', '\uFF5E'];

for (const kind of kinds.filter((each) => each !== 'elsewhere')) {
  describe(`an ${kind} endpoint`, () => {
    it('keeps unusual names apart and lists them in the byte order of their paths, page by page', async () => {
      const { endpoint } = places.place(kind);
      const all = await fill(endpoint, Object.fromEntries(UNUSUAL.map((path) => [path, `content of ${path}`])));
      const expected = UNUSUAL.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      assert.deepEqual(
        all.map((entry) => entry.path),
        expected,
      );
      for (const limit of [1, 2, 3, 5]) assert.deepEqual(await listPages(endpoint, limit), all);
      for (const entry of all) assert.equal(await textOf(endpoint, entry), `content of ${entry.path}`);
    });

    it('starts a listing behind any path, whether it exists or not', async () => {
      const { endpoint } = places.place(kind);
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
      const { endpoint } = places.place(kind);
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
      const { endpoint, onDisk } = places.place(kind);
      const source = places.place(kind);
      const [entry] = await fill(source.endpoint, { x: 'jello' });
      assert.ok(entry);
      const { failed } = await copyEntries({
        source: source.endpoint,
        target: endpoint,
        entries: [{ ...entry, crc32c: crc32cOf(Buffer.from('hello')) }],
        attempt: '1',
        concurrency: 1,
      });
      assert.deepEqual(
        failed.map(({ path, type }) => [path, type]),
        [['x', 'CorruptSource']],
      );
      assert.equal(await endpoint.stat('x'), undefined);
      assert.deepEqual(await readdir(onDisk).catch(() => []), []);
    });

    it('takes equal content twice, other content only with replace', async () => {
      const { endpoint } = places.place(kind);
      await put(endpoint, 'x', 'one');
      assert.equal((await put(endpoint, 'x', 'one')).crc32c, crc32cOf(Buffer.from('one')));
      await assert.rejects(put(endpoint, 'x', 'two'), { name: 'Conflict' });
      await assert.rejects(put(endpoint, 'x', 'three'), { name: 'Conflict' });
      await put(endpoint, 'x', 'two', { replace: true });
      const [entry] = await listPages(endpoint);
      assert.ok(entry);
      assert.equal(await textOf(endpoint, entry), 'two');
    });

    it('lets one of many rivals win, whole', async () => {
      const { endpoint, onDisk } = places.place(kind);
      const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(100_000));
      const outcomes = await Promise.allSettled(contents.map((content, index) => put(endpoint, 'x', content, { attempt: `${index}` })));
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
      assert.equal(winners.length, 1);
      const [entry] = await listPages(endpoint);
      assert.ok(entry);
      assert.equal(await textOf(endpoint, entry), contents[winners[0] ?? -1]);
      assert.deepEqual(await readdir(onDisk), ['x']);
    });

    it('refuses paths that could mean another place', async () => {
      const { endpoint } = places.place(kind);
      for (const path of ['', '/x', '../x', 'a/../x', './x', 'a//x', 'x/', '..', '../', 'nul\0']) {
        await assert.rejects(put(endpoint, path, 'x'), { name: 'InvalidInput' }, JSON.stringify(path));
      }
    });

    it('names both where one name would have to be a file and a directory', async () => {
      const { endpoint } = places.place(kind);
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
      const { endpoint } = places.place(kind);
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
        const [source, target] = [places.place(from), places.place(to)];
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
        for (const entry of done) assert.equal(crc32cOf(await contentOf(target.endpoint, entry)), entry.crc32c);
        const unwritable: Endpoint = { ...target.endpoint, create: () => Promise.reject(new Error('nothing is to be published again')) };
        const again = await copyEntries({ source: source.endpoint, target: unwritable, entries, attempt: '2', concurrency: 4 });
        assert.deepEqual(
          again.done.map((entry) => entry.crc32c),
          done.map((entry) => entry.crc32c),
        );
      });

      it('reports each entry that cannot be moved once, and moves the others', async () => {
        const [source, target] = [places.place(from), places.place(to)];
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
        const [source, target] = [places.place(from), places.place(to)];
        const entries = await fill(source.endpoint, { x: 'before' });
        await put(source.endpoint, 'x', 'afterwards', { replace: true });
        const { done, failed } = await copy(source, target, entries);
        assert.deepEqual(failed, []);
        const [entry] = done;
        assert.ok(entry);
        assert.equal(await textOf(target.endpoint, entry), 'afterwards');
      });

      it('stops within a second when cancelled, and leaves no temporary name', async () => {
        const [source, target] = [places.place(from), places.place(to)];
        const entries = await fill(source.endpoint, { large: Buffer.alloc(30 * 2 ** 20, 'x') });
        const controller = new AbortController();
        const limiter = createRateLimiter(4 * 2 ** 20);
        // Copied by their store, nothing of them is seen before they are there: called off while they wait for their window.
        if (from === to && from !== 'file') limiter.setRate(0);
        let cancelledAt = 0;
        const onProgress = ({ doneBytes }: { readonly doneBytes: number }) => {
          if (doneBytes === 0 || cancelledAt > 0) return;
          cancelledAt = performance.now();
          controller.abort();
        };
        const moving = copy(source, target, entries, { signal: controller.signal, limiter, onProgress });
        if (from === to && from !== 'file') setImmediate(() => onProgress({ doneBytes: 1 }));
        await assert.rejects(moving, { name: 'AbortError' });
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
