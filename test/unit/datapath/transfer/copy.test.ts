/** The engine's decisions, with endpoints in memory that fail as told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { copyEntries } from '../../../../datapath/transfer/copy.ts';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import { BLOCK_BYTES, type Endpoint } from '../../../../datapath/transfer/endpoint.ts';
import { createRateLimiter } from '../../../../datapath/transfer/rate-limiter.ts';
import { type ErrorType, PenstockError } from '../../../../model/errors.ts';
import type { ManifestEntry } from '../../../../model/manifest.ts';
import { aroundRead, aroundSeal, memoryEndpoint as memory } from '../../../support/memory-endpoint.ts';

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
    const counting = aroundSeal(target, (_entry, seal) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      return seal().finally(() => {
        inFlight -= 1;
      });
    });
    assert.equal((await copy(source, counting, await listed(source))).done.length, 50);
    assert.equal(most, 3);
  });

  it('compares what lies there already in all lanes at once, and waits for none of them', async () => {
    const [source, target] = [memory(many(50)), memory(many(50))];
    const { done, failed } = await copy(source, target, await listed(source), { concurrency: 32 });
    assert.deepEqual([done.length, failed], [50, []]);
  });

  for (const type of ['OutOfSpace', 'IoError'] satisfies ErrorType[]) {
    it(`ends with the target's ${type} once what is in flight is settled, and starts nothing more`, async () => {
      const [source, target] = [memory(many(50)), memory()];
      let started = 0;
      let settled = 0;
      const failing = aroundSeal(target, async (entry, seal) => {
        started += 1;
        try {
          if (entry.path === 'f001') throw fault(type);
          return await seal();
        } finally {
          settled += 1;
        }
      });
      await assert.rejects(copy(source, failing, await listed(source)), { name: type });
      assert.equal(settled, started);
      if (type === 'OutOfSpace') assert.ok(started < 15, `${started}`);
    });
  }

  it('reports a source file that cannot be read twice as corrupt, and goes on', async () => {
    const [source, target] = [memory(many(5)), memory()];
    for (const type of ['IoError', 'ChecksumMismatch'] satisfies ErrorType[]) {
      const rotten = aroundRead(source, (entry, read) => (entry.path === 'f002' ? Promise.reject(fault(type)) : read()));
      target.held.clear();
      const { done, failed } = await copy(rotten, target, await listed(source));
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
    const hiccup = aroundRead(source, (entry, read) => {
      if (entry.path === 'f001') tries += 1;
      return entry.path === 'f001' && tries === 1 ? Promise.reject(fault('IoError')) : read();
    });
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
    const watching = aroundSeal(target, (entry, seal) => {
      published.push(entry.path);
      return seal();
    });
    const { done } = await copy(source, watching, await listed(source), { replace: true });
    assert.equal(done.length, 10);
    assert.deepEqual(published.sort(), Object.keys(contents).slice(1));
    assert.deepEqual(Object.fromEntries([...target.held].map(([path, content]) => [path, content.toString()])), contents);
  });

  it('waits out a store that throttles or is away for a moment, with less and less at once', async () => {
    for (const type of ['StoreThrottled', 'StoreUnavailable'] satisfies ErrorType[]) {
      const [source, target] = [memory(many(20)), memory()];
      let refused = 0;
      const busy = aroundSeal(target, (_entry, seal) => {
        refused += 1;
        return refused <= 10 ? Promise.reject(fault(type)) : seal();
      });
      const { done, failed } = await copy(source, busy, await listed(source));
      assert.deepEqual([done.length, failed], [20, []]);
    }
  });

  it('moves an entry of many blocks part by part, and repeats only the part that failed', async () => {
    const content = Buffer.alloc(5 * BLOCK_BYTES + 1, 'penstock');
    const [source, target] = [memory({ large: content }), memory()];
    const reads: number[] = [];
    let failures = 1;
    const flaky: Endpoint = {
      ...source,
      async open(entry, options) {
        const reader = await source.open(entry, options);
        return {
          ...reader,
          read: (into, offset) => {
            reads.push(offset / BLOCK_BYTES);
            return offset === 2 * BLOCK_BYTES && failures-- > 0 ? Promise.reject(fault('StoreUnavailable')) : reader.read(into, offset);
          },
        };
      },
    };
    const { done } = await copy(flaky, target, await listed(source));
    assert.equal(done[0]?.crc32c, crc32cOf(content));
    assert.ok(target.held.get('large')?.equals(content));
    assert.deepEqual(reads.sort(), [0, 1, 2, 2, 3, 4, 5]);
  });

  it('is called off while it waits for its window', async () => {
    const [source, target] = [memory(many(5)), memory()];
    const controller = new AbortController();
    const stopped = createRateLimiter(0);
    const moving = copy(source, target, await listed(source), { limiter: stopped, signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(moving, { name: 'AbortError' });
    assert.equal(target.held.size, 0);
  });

  it('of nothing is done', async () => {
    assert.deepEqual(await copy(memory(), memory(), []), { done: [], failed: [] });
  });
});
