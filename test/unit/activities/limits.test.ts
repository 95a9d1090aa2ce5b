/** The movers' watch over limits, with records in memory and the clock in the test's hand. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it, mock } from 'node:test';
import { createLimitWatch } from '../../../activities/limits.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { PenstockError } from '../../../model/errors.ts';
import { storeLimitKey, transferLimitKey } from '../../../model/limits.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';

const manifest = { store: 'warm', bucket: 'penstock-system', prefix: 'manifests/a/', pages: 1, files: 1, bytes: 1, digest: '', units: 1 };
const place = (store: string) => ({ store, bucket: 'a', prefix: '' });
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the watch over limits', () => {
  const records = new Map<string, number>();
  let reads = 0;
  let isDown = false;
  let watch: ReturnType<typeof createLimitWatch>;

  beforeEach(async () => {
    records.clear();
    reads = 0;
    isDown = false;
    const { stores } = recordingStores(await loadSiteFile(siteFile));
    const warm = {
      ...stores.warm,
      readBytes: (_bucket: string, key: string) => {
        reads += 1;
        const bytesPerSecond = records.get(key);
        if (isDown) return Promise.reject(new PenstockError('StoreUnavailable', 'down'));
        if (bytesPerSecond === undefined) return Promise.reject(new PenstockError('NotFound', key));
        return Promise.resolve(Buffer.from(JSON.stringify({ bytesPerSecond })));
      },
    };
    watch = createLimitWatch({ ...stores, warm });
  });

  it('limits nothing where nothing is on record', async () => {
    const { limiter, done } = await watch.limiterFor({ manifest, source: place('warm'), target: place('cold') });
    assert.equal(limiter.rate(), Infinity);
    await limiter.take(1e15);
    done();
  });

  it('gives a lane its part of the transfer, and both stores their say', async () => {
    records.set(transferLimitKey('t'), 1000).set(storeLimitKey('warm'), 600).set(storeLimitKey('cold'), 700);
    const of = (source: string, target: string, limit?: { transferId: string; lanes: number }) =>
      watch.limiterFor({ manifest, source: place(source), target: place(target), ...(limit ? { limit } : {}) });
    assert.equal((await of('warm', 'cold', { transferId: 't', lanes: 4 })).limiter.rate(), 250);
    assert.equal((await of('warm', 'cold', { transferId: 't', lanes: 1 })).limiter.rate(), 600);
    assert.equal((await of('hot', 'cold')).limiter.rate(), 700);
    assert.equal((await of('hot', 'hot')).limiter.rate(), Infinity);
  });

  it('knows staging’s share beside them', async () => {
    const { limiter } = await watch.limiterFor({ manifest, source: place('warm'), target: place('hot'), lane: 'staging' });
    assert.equal(limiter.rate(), 0.3e9);
  });

  it('follows the records while somebody moves, keeps the last word while they cannot be read, and rests when nobody does', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      records.set(transferLimitKey('t'), 0);
      const { limiter, done } = await watch.limiterFor({ manifest, source: place('warm'), target: place('cold'), limit: { transferId: 't', lanes: 2 } });
      let passed = false;
      const taking = limiter.take(1).then(() => {
        passed = true;
      });
      await settle();
      assert.equal(passed, false);
      isDown = true;
      mock.timers.tick(2000);
      await settle();
      assert.equal(limiter.rate(), 0);
      isDown = false;
      records.delete(transferLimitKey('t'));
      mock.timers.tick(2000);
      await taking;
      assert.equal(limiter.rate(), Infinity);
      done();
      const before = reads;
      mock.timers.tick(60_000);
      await settle();
      assert.equal(reads, before);
    } finally {
      mock.timers.reset();
    }
  });

  it('lets go of everything where a record cannot be read at first', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      isDown = true;
      await assert.rejects(watch.limiterFor({ manifest, source: place('warm'), target: place('cold') }), { type: 'StoreUnavailable' });
      const before = reads;
      mock.timers.tick(60_000);
      await settle();
      assert.equal(reads, before);
      isDown = false;
      assert.equal((await watch.limiterFor({ manifest, source: place('warm'), target: place('cold') })).limiter.rate(), Infinity);
    } finally {
      mock.timers.reset();
    }
  });
});
