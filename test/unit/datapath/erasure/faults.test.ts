import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { findErasureObject, newWriteId, verifyErasureObject } from '../../../../datapath/erasure/index.ts';
import { manifestKey, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { electorsFor } from '../../../../datapath/erasure/manifest-copies.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { failAll, keysOn, type MemoryRack, memorySite, noise, read, streamOf, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
const SMALL = 10_000;
const LARGE = 40_000_000;

describe('a write', () => {
  it('avoids racks that are down from the start', async () => {
    const racks = memorySite();
    for (const rack of racks.slice(0, 2)) failAll(rack);
    const { manifest, missingShards } = await write(racks, KEY, noise(SMALL));
    assert.deepEqual(missingShards, []);
    assert.ok(manifest.shards.every(({ rack }) => rack !== 'r01' && rack !== 'r02'));
  });

  it('replaces racks that fail at the start of their shard, without two shards on one rack', async () => {
    const racks = memorySite();
    for (const rack of racks.slice(0, 2)) rack.faults.set('writeShard', 'fail');
    const { manifest, missingShards, faults } = await write(racks, KEY, noise(LARGE));
    assert.deepEqual(missingShards, []);
    assert.equal(new Set(manifest.shards.map(({ rack }) => rack)).size, 18);
    assert.ok(faults.every(({ rack }) => rack === 'r01' || rack === 'r02'));
    assert.ok((await verifyErasureObject({ racks, key: KEY })).ok);
  });

  it('leaves racks out that hang, down to sixteen shards, and says which are missing', async () => {
    const racks = memorySite(18);
    for (const rack of racks.slice(0, 2)) rack.faults.set('writeShard', 'hang');
    const data = noise(LARGE);
    const { manifest, missingShards, faults } = await write(racks, KEY, data);
    assert.equal(missingShards.length, 2);
    assert.deepEqual(faults.map(({ rack }) => rack).sort(), ['r01', 'r02']);
    assert.equal(manifest.shards.length, 16);
    // Two more racks may still go.
    assert.ok((await read(racks.slice(4), KEY)).equals(data));
    const facts = await verifyErasureObject({ racks, key: KEY });
    assert.deepEqual([facts.ok, facts.margin], [true, 2]);
  });

  for (const [fault, type] of [
    ['fail', 'StoreUnavailable'],
    ['hang', 'StoreUnavailable'],
    ['full', 'OutOfSpace'],
  ] as const) {
    for (const bytes of [SMALL, LARGE]) {
      it(`below sixteen shards fails clean where racks ${fault} (${bytes} bytes)`, async () => {
        const racks = memorySite(18);
        for (const rack of racks.slice(0, 3)) rack.faults.set('writeShard', fault);
        await assert.rejects(write(racks, KEY, noise(bytes)), { name: type, message: /r01.*|r02.*|r03.*/ });
        assert.deepEqual(keysOn(racks, 'ec/'), []);
        assert.equal(await findErasureObject({ racks, key: KEY }), undefined);
      });
    }
  }

  it('fails before reading anything where fewer than sixteen racks answer', async () => {
    const racks = memorySite(18);
    for (const rack of racks.slice(0, 3)) rack.faults.set('freeBytes', 'fail');
    let wasRead = false;
    const content = new Readable({
      read() {
        wasRead = true;
        this.push(null);
      },
    });
    await assert.rejects(write(racks, KEY, noise(SMALL), { content }), { name: 'StoreUnavailable' });
    assert.equal(wasRead, false);
  });

  it('shows nothing before its commit', async () => {
    const racks = memorySite();
    const seen: boolean[] = [];
    const watching = racks.map(
      (rack): RackStore => ({
        ...rack,
        async writeShard(key, content, options) {
          seen.push((await findErasureObject({ racks, key: KEY })) !== undefined);
          await rack.writeShard(key, content, options);
          seen.push((await findErasureObject({ racks, key: KEY })) !== undefined);
        },
        async writeManifest(key, body, options) {
          // When the first manifest goes out, the quorum of shards must be there.
          assert.ok(keysOn(racks, shardPrefix(KEY)).length >= 16);
          await rack.writeManifest(key, body, options);
        },
      }),
    );
    await write(watching, KEY, noise(SMALL));
    assert.deepEqual(new Set(seen), new Set([false]));
  });

  it('ends within a second or so when cancelled, and leaves nothing', async () => {
    const racks = memorySite();
    const { promise: isHanging, resolve: hangs } = Promise.withResolvers<void>();
    racks[0]?.faults.set('writeShard', () => {
      hangs();
      return 'hang';
    });
    const controller = new AbortController();
    const chunk = noise(1_000_000);
    const endless = Readable.from(
      (async function* () {
        for (;;) {
          yield chunk;
          await new Promise((resolve) => setImmediate(resolve));
        }
      })(),
      { objectMode: false },
    );
    const writing = write(racks, KEY, noise(0), {
      content: endless,
      bytes: 10 ** 12,
      signal: controller.signal,
      patience: { requestMilliseconds: 10_000, stallMilliseconds: 60_000 },
    });
    await isHanging;
    controller.abort(new Error('cancelled by the test'));
    const started = performance.now();
    await assert.rejects(writing, /cancelled by the test/);
    assert.ok(performance.now() - started < 2_500);
    assert.deepEqual(keysOn(racks, 'ec/'), []);
    assert.ok(endless.destroyed);
  });

  it('passes on an error of its source, and leaves nothing', async () => {
    const racks = memorySite();
    const content = Readable.from(
      (async function* () {
        yield noise(5_000);
        throw new PenstockError('IoError', 'the source broke.');
      })(),
      { objectMode: false },
    );
    await assert.rejects(write(racks, KEY, noise(SMALL), { content }), { name: 'IoError', message: /source broke/ });
    assert.deepEqual(keysOn(racks, 'ec/'), []);
  });
});

describe('a commit', () => {
  it('goes on to other electors where some are down, and is found with any four racks gone', async () => {
    const racks = memorySite();
    for (const elector of electorsFor(KEY, racks).slice(0, 4)) memory(elector).faults.set('writeManifest', 'fail');
    await write(racks, KEY, noise(SMALL));
    assert.equal(keysOn(racks, manifestKey(KEY)).length, 5);
  });

  it('in doubt keeps the shards, and the next attempt completes it', async () => {
    const racks = memorySite();
    const electors = electorsFor(KEY, racks).map(memory);
    for (const elector of electors.slice(2)) elector.faults.set('writeManifest', 'fail');
    await assert.rejects(
      write(racks, KEY, noise(SMALL)),
      (error) => error instanceof PenstockError && error.errorClass === 'retryable' && /next attempt completes/.test(error.message),
    );
    assert.equal(keysOn(racks, manifestKey(KEY)).length, 2);
    for (const elector of electors) elector.faults.clear();
    const { outcome } = await write(racks, KEY, noise(SMALL));
    assert.equal(outcome, 'existed');
    assert.equal(keysOn(racks, manifestKey(KEY)).length, 5);
    assert.equal(keysOn(racks, shardPrefix(KEY)).length, 18);
  });

  it('that could not put a single copy leaves nothing', async () => {
    const racks = memorySite();
    for (const rack of racks) rack.faults.set('readManifest', 'fail');
    await assert.rejects(write(racks, KEY, noise(SMALL)), { name: 'StoreUnavailable' });
    for (const rack of racks) rack.faults.clear();
    assert.deepEqual(keysOn(racks, 'ec/'), []);
  });

  it('finds its own effect where the answers to its puts were lost', async () => {
    const racks = memorySite();
    const lossy = racks.map(
      (rack): RackStore => ({
        ...rack,
        async writeManifest(key, body, options) {
          await rack.writeManifest(key, body, options);
          throw new PenstockError('StoreUnavailable', 'the answer was lost.', { store: rack.id });
        },
      }),
    );
    const { outcome } = await write(lossy, KEY, noise(SMALL));
    assert.equal(outcome, 'written');
    assert.ok((await read(racks, KEY)).equals(noise(SMALL)));
  });

  it('removes a stale manifest whose shards are gone', async () => {
    const racks = memorySite();
    await write(racks, KEY, noise(SMALL));
    for (const { objects } of racks) for (const key of objects.keys()) if (key.startsWith(shardPrefix(KEY))) objects.delete(key);
    const { outcome } = await write(racks, KEY, noise(SMALL, 2));
    assert.equal(outcome, 'written');
    assert.ok((await read(racks, KEY)).equals(noise(SMALL, 2)));
  });
});

describe('two writers of one key', () => {
  it('with equal content both succeed, and one set of shards remains', async () => {
    for (let round = 0; round < 10; round++) {
      const racks = memorySite();
      const data = noise(SMALL);
      const results = await Promise.all([write(racks, KEY, data), write(racks, KEY, data), write(racks, KEY, data)]);
      assert.equal(new Set(results.map(({ manifest }) => manifest.writeId)).size, 1);
      assert.equal(results.filter(({ outcome }) => outcome === 'written').length, 1);
      assert.equal(keysOn(racks, shardPrefix(KEY)).length, 18);
      assert.equal(keysOn(racks, manifestKey(KEY)).length, 5);
    }
  });

  it('with different content one succeeds and the other is a Conflict that leaves nothing', async () => {
    for (let round = 0; round < 10; round++) {
      const racks = memorySite();
      const contents = [noise(SMALL, 1), noise(SMALL, 2)] as const;
      const results = await Promise.allSettled(contents.map((data) => write(racks, KEY, data)));
      const winner = results.findIndex(({ status }) => status === 'fulfilled');
      const [lost, ...more] = results.filter((result) => result.status === 'rejected');
      assert.equal(more.length, 0);
      assert.ok(lost?.reason instanceof PenstockError && lost.reason.type === 'Conflict');
      assert.ok((await read(racks, KEY)).equals(contents[winner] ?? Buffer.alloc(0)));
      assert.equal(keysOn(racks, shardPrefix(KEY)).length, 18);
    }
  });

  it('one after the other: equal content exists, different content or length is a Conflict, and nothing is written', async () => {
    const racks = memorySite();
    await write(racks, KEY, noise(SMALL));
    const before = keysOn(racks, 'ec/').sort();
    assert.equal((await write(racks, KEY, noise(SMALL))).outcome, 'existed');
    await assert.rejects(write(racks, KEY, noise(SMALL, 2)), { name: 'Conflict' });
    await assert.rejects(write(racks, KEY, noise(SMALL + 1)), { name: 'Conflict' });
    assert.deepEqual(keysOn(racks, 'ec/').sort(), before);
  });

  it('a zombie that wakes before its commit finds its successor, and removes only what is its own', async () => {
    const racks = memorySite();
    const data = noise(SMALL);
    const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
    const { promise: isAsleep, resolve: sleeps } = Promise.withResolvers<void>();
    const source = Readable.from(
      (async function* () {
        yield data.subarray(0, 5_000);
        sleeps();
        await woken;
        yield data.subarray(5_000);
      })(),
      { objectMode: false },
    );
    const zombieId = newWriteId();
    const zombie = write(racks, KEY, data, { content: source, writeId: zombieId, patience: { requestMilliseconds: 5_000, stallMilliseconds: 5_000 } });
    await isAsleep;
    const successor = await write(racks, KEY, data, { content: streamOf(data) });
    wake();
    assert.equal((await zombie).manifest.writeId, successor.manifest.writeId);
    assert.equal(keysOn(racks, shardPrefix(KEY)).filter((key) => key.includes(zombieId)).length, 0);
    assert.ok((await verifyErasureObject({ racks, key: KEY })).ok);
  });

  it('never both win while electors fail at random', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const racks = memorySite();
      const random = noise(4000, seed);
      let step = 0;
      for (const rack of racks) rack.faults.set('writeManifest', () => ((random[step++ % random.length] ?? 0) < 90 ? 'fail' : undefined));
      const contents = [noise(500, 1), noise(500, 2)] as const;
      const results = await Promise.allSettled(contents.map((data) => write(racks, KEY, data)));
      const won = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
      assert.ok(won.length <= 1, `seed ${seed}: both won`);
      const [winner] = won;
      if (winner !== undefined) assert.ok((await read(racks, KEY)).equals(contents[winner] ?? Buffer.alloc(0)), `seed ${seed}`);
    }
  });
});

function memory(rack: RackStore): MemoryRack {
  assert.ok('objects' in rack && rack.objects instanceof Map && 'faults' in rack && rack.faults instanceof Map);
  return { ...rack, objects: rack.objects, faults: rack.faults };
}
