/** The engine's decisions, with endpoints in memory that fail as told. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { copyEntries } from '../../../../datapath/transfer/copy.ts';
import { bufferOf, checkContent, crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import type { Endpoint } from '../../../../datapath/transfer/endpoint.ts';
import { createRateLimiter } from '../../../../datapath/transfer/rate-limiter.ts';
import { type ErrorType, PenstockError } from '../../../../model/errors.ts';
import type { ManifestEntry } from '../../../../model/manifest.ts';

function memory(contents: Readonly<Record<string, string>> = {}): Endpoint & { readonly held: Map<string, string> } {
  const held = new Map(Object.entries(contents));
  const entryOf = (path: string): ManifestEntry | undefined => {
    const text = held.get(path);
    return text === undefined ? undefined : { path, bytes: text.length, modifiedAt: '2026-01-01T00:00:00.000Z', etag: crc32cOf(Buffer.from(text)) };
  };
  return {
    held,
    label: 'memory',
    store: 'memory',
    list: ({ after = '' } = {}) =>
      Promise.resolve({ entries: [...held.keys()].sort().flatMap((path) => (path > after ? (entryOf(path) ?? []) : [])), next: undefined }),
    stat: (path) => Promise.resolve(entryOf(path)),
    open(entry) {
      const now = entryOf(entry.path);
      if (!now) return Promise.reject(new PenstockError('NotFound', `${entry.path} is gone`));
      if (now.etag !== entry.etag) return Promise.reject(new PenstockError('SourceChanged', `${entry.path} changed`));
      return Promise.resolve(Readable.from([Buffer.from(held.get(entry.path) ?? '')]));
    },
    async publish(entry, content) {
      const check = checkContent(content, { subject: entry.path, store: 'memory', bytes: entry.bytes, crc32c: entry.crc32c });
      const text = Buffer.concat((await check.content.toArray()).map(bufferOf)).toString();
      held.set(entry.path, text);
      return { ...entry, crc32c: check.meter.crc32c() };
    },
    remove: (path) => Promise.resolve(void held.delete(path)),
  };
}
const listed = async (endpoint: Endpoint) => (await endpoint.list()).entries;
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${String(index).padStart(3, '0')}`, `content ${index}`]));
const fault = (type: ErrorType) => new PenstockError(type, 'as told', { store: 'memory' });
const copy = (source: Endpoint, target: Endpoint, entries: readonly ManifestEntry[], more = {}) =>
  copyEntries({ source, target, entries, attempt: '1', concurrency: 3, ...more });

describe('a transfer', () => {
  it('never has more entries in flight than told', async () => {
    const [source, target] = [memory(many(50)), memory()];
    let inFlight = 0;
    let most = 0;
    const counting: Endpoint = {
      ...target,
      async publish(...call) {
        inFlight += 1;
        most = Math.max(most, inFlight);
        return target.publish(...call).finally(() => {
          inFlight -= 1;
        });
      },
    };
    assert.equal((await copy(source, counting, await listed(source))).done.length, 50);
    assert.equal(most, 3);
  });

  for (const type of ['StoreThrottled', 'StoreUnavailable', 'OutOfSpace', 'IoError'] satisfies ErrorType[]) {
    it(`ends with the target's ${type} once what is in flight is settled, and starts nothing more`, async () => {
      const [source, target] = [memory(many(50)), memory()];
      let started = 0;
      let settled = 0;
      const failing: Endpoint = {
        ...target,
        async publish(entry, content, options) {
          started += 1;
          try {
            if (entry.path !== 'f001') return await target.publish(entry, content, options);
            content.destroy();
            throw fault(type);
          } finally {
            settled += 1;
          }
        },
      };
      await assert.rejects(copy(source, failing, await listed(source)), { name: type });
      assert.equal(settled, started);
      assert.ok(started < 15, `${started}`);
    });
  }

  it('reports a source file that cannot be read twice as corrupt, and goes on', async () => {
    const [source, target] = [memory(many(5)), memory()];
    for (const type of ['IoError', 'ChecksumMismatch'] satisfies ErrorType[]) {
      let tries = 0;
      const rotten: Endpoint = {
        ...source,
        open: (entry) => {
          if (entry.path !== 'f002') return source.open(entry);
          tries += 1;
          return Promise.resolve(
            Readable.from(
              (async function* () {
                yield Buffer.from('con');
                throw fault(type);
              })(),
            ),
          );
        },
      };
      target.held.clear();
      const { done, failed } = await copy(rotten, target, await listed(source));
      assert.equal(tries, 2);
      assert.deepEqual(
        failed.map(({ path, type }) => [path, type]),
        [['f002', 'CorruptSource']],
      );
      assert.equal(done.length, 4);
    }
  });

  it('moves what could be read at the second try', async () => {
    const [source, target] = [memory(many(3)), memory()];
    let tries = 0;
    const hiccup: Endpoint = {
      ...source,
      open(entry) {
        if (entry.path === 'f001') tries += 1;
        return entry.path === 'f001' && tries === 1 ? Promise.reject(fault('IoError')) : source.open(entry);
      },
    };
    const { done, failed } = await copy(hiccup, target, await listed(source));
    assert.deepEqual([done.length, failed], [3, []]);
  });

  it('reports what keeps changing, instead of chasing it', async () => {
    const [source, target] = [memory(many(3)), memory()];
    const restless: Endpoint = {
      ...source,
      open: (entry) => (entry.path === 'f001' ? Promise.reject(fault('SourceChanged')) : source.open(entry)),
    };
    const { done, failed } = await copy(restless, target, await listed(source));
    assert.deepEqual([done.length, failed.map(({ type }) => type)], [2, ['SourceChanged']]);
  });

  it('moves only what the target does not hold already, whatever an earlier attempt believed', async () => {
    const contents = many(10);
    const [source, target] = [memory(contents), memory({ f000: contents['f000'] ?? '', f001: 'CONTENT 1', f002: 'short' })];
    const published: string[] = [];
    const watching: Endpoint = {
      ...target,
      publish: (entry, ...rest) => {
        published.push(entry.path);
        return target.publish(entry, ...rest);
      },
    };
    const { done } = await copy(source, watching, await listed(source), { replace: true });
    assert.equal(done.length, 10);
    assert.deepEqual(published.sort(), Object.keys(contents).slice(1));
    assert.deepEqual(Object.fromEntries(target.held), contents);
  });

  it('is called off while it waits for its window', async () => {
    const [source, target] = [memory(many(5)), memory()];
    const controller = new AbortController();
    const stopped = createRateLimiter(1);
    await stopped.take(1_000_000);
    const moving = copy(source, target, await listed(source), { limiter: stopped, signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(moving, { name: 'AbortError' });
    assert.equal(target.held.size, 0);
  });

  it('of nothing is done', async () => {
    assert.deepEqual(await copy(memory(), memory(), []), { done: [], failed: [] });
  });
});
