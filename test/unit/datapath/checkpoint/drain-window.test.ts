import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { drainFiles, storedBytes, verifyFiles } from '../../../../datapath/checkpoint/drain.ts';
import { MEMBER_BYTES_BELOW } from '../../../../datapath/erasure/pack-format.ts';
import { createRateLimiter, type RateLimiter } from '../../../../datapath/transfer/rate-limiter.ts';
import { noise } from '../erasure/support.ts';
import { checkpointSite } from './support.ts';

const LARGE_BYTES = MEMBER_BYTES_BELOW + 3_000_000;
const SMALL_BYTES = 5000;

describe('a drain within a window', () => {
  let site: Awaited<ReturnType<typeof checkpointSite>>;
  before(async () => {
    site = await checkpointSite();
    await site.commit(
      new Map([...['a', 'b', 'c'].map((name, index) => [`${name}.small`, noise(SMALL_BYTES, index)] as const), ['large.bin', noise(LARGE_BYTES, 9)]]),
    );
  });
  after(() => site.close());

  it('stores nothing while the window is shut, and passes every byte with its parity through it', async () => {
    const opened = createRateLimiter(0);
    let passed = 0;
    const asked = Promise.withResolvers<void>();
    const limiter: RateLimiter = {
      async take(bytes, signal) {
        asked.resolve();
        await opened.take(bytes, signal);
        passed += bytes;
      },
      rate: opened.rate,
    };
    const files = { ...site.drain, limiter };
    const control = new AbortController();
    const shut = drainFiles({ ...files, signal: control.signal });
    await asked.promise;
    control.abort(new Error('still shut'));
    await assert.rejects(shut, { message: 'still shut' });
    assert.equal(passed, 0);
    assert.ok(
      site.racks.every(({ objects }) => [...objects.keys()].every((key) => !key.includes('large.bin'))),
      'no shard was begun',
    );
    opened.setRate(Infinity);
    await drainFiles(files);
    const least = storedBytes(LARGE_BYTES + 3 * SMALL_BYTES);
    assert.ok(passed >= least && passed <= least * 1.01, `${passed} bytes for ${least}`);
    passed = 0;
    await verifyFiles({ ...site.inErasureSet, limiter });
    // Headers and tables are read too: 354 kB of these 18 shards and packs.
    assert.ok(passed >= least && passed <= least * 1.02, `${passed} bytes read back for ${least}`);
  });
});
