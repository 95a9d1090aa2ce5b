/** Repair of one object: what it rebuilds, where, and what it leaves alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manifestKey, manifestsOf, newWriteId, shardKey, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { assertWhole, damaged, KEY, repair, SMALL, shardOn } from './damage.ts';
import { impatient, keysOn, memorySite, noise, write } from './support.ts';

const LARGE = 40_000_000;

describe('a repair', () => {
  for (const bytes of [0, 1, SMALL, LARGE]) {
    it(`of an object of ${bytes} bytes rebuilds the shards of lost racks on spares, byte for byte as they were`, async () => {
      const { racks, data, manifest, gone, left } = await damaged([2, 16], bytes);
      const result = await repair(left);
      assert.equal(result.outcome, 'repaired');
      assert.deepEqual(
        result.rebuilt.map(({ index }) => index),
        [2, 16],
      );
      const now = await assertWhole(left, data);
      assert.equal(now.generation, 2);
      for (const index of [2, 16]) {
        const { rack, name } = shardOn(racks, now, index);
        const before = shardOn(racks, manifest, index);
        assert.ok(rack.objects.get(name)?.equals(before.rack.objects.get(before.name) ?? Buffer.alloc(0)));
        assert.ok(!gone.includes(rack));
      }
    });
  }

  it('leaves the shards of another attempt alone, which may be under way', async () => {
    const { left } = await damaged([2]);
    const other = shardKey(KEY, newWriteId(), 5);
    left[3]?.objects.set(other, Buffer.from('under way'));
    await repair(left);
    assert.ok(left[3]?.objects.has(other));
  });

  it('has nothing to do where all is sound', async () => {
    const { left, data } = await damaged([]);
    const before = keysOn(left, 'ec/');
    assert.equal((await repair(left)).outcome, 'sound');
    assert.deepEqual(keysOn(left, 'ec/'), before);
    await assertWhole(left, data);
  });

  it('rebuilds four lost shards though there are two spares, where the racks that lost them are back, empty', async () => {
    const { racks, data, manifest } = await damaged([]);
    for (const index of [0, 5, 13, 17]) shardOn(racks, manifest, index).rack.objects.clear();
    const { rebuilt, left } = await repair(racks);
    assert.deepEqual([rebuilt.length, left], [4, []]);
    await assertWhole(racks, data);
  });

  it('puts as many as there are racks, says which are left, and does them when racks are added', async () => {
    const { data, left } = await damaged([1, 2, 3]);
    const first = await repair(left);
    assert.deepEqual([first.outcome, first.rebuilt.length, first.left], ['repaired', 2, [3]]);
    const more = [...left, ...memorySite(22).slice(20)];
    assert.deepEqual((await repair(more)).left, []);
    await assertWhole(more, data);
  });

  it('without a rack that could take a shard changes nothing, and says why', async () => {
    const { left, manifest } = await damaged([0, 1]);
    const spares = left.filter(({ id }) => !manifest.shards.some(({ rack }) => rack === id));
    for (const rack of spares) rack.faults.set('freeBytes', 'fail');
    const before = keysOn(left, 'ec/');
    await assert.rejects(repair(left), { name: 'StoreUnavailable', message: /can take a shard; not: r\d\d .*the rack is down/ });
    assert.deepEqual(keysOn(left, 'ec/'), before);
  });

  it('keeps off racks in quarantine, and keeps the rooms even', async () => {
    const { left, manifest, gone } = await damaged([4]);
    const inUse = new Set(manifest.shards.map(({ rack }) => rack));
    const [closed] = left.filter(({ id }) => !inUse.has(id));
    const racks = left.map((rack): RackStore => (rack === closed ? { ...rack, closed: { kind: 'quarantined', why: 'is in quarantine' } } : rack));
    const { rebuilt } = await repair(racks);
    assert.notEqual(rebuilt[0]?.rack, closed?.id);
    assert.ok(!gone.some(({ id }) => id === rebuilt[0]?.rack));
  });

  it('believes a scrub that found rot, looks again at what was lost, and finds rot by itself while it reads', async () => {
    const { racks, data, manifest } = await damaged([], LARGE);
    const rot = (index: number) => {
      const { rack, name, shard } = shardOn(racks, manifest, index);
      const body = Buffer.from(rack.objects.get(name) ?? []);
      body[5_000] = (body[5_000] ?? 0) ^ 1;
      rack.objects.set(name, body);
      return shard;
    };
    const rotten = rot(3);
    rot(0);
    const back = shardOn(racks, manifest, 9).shard;
    const result = await repair(racks, [
      { ...rotten, state: 'rotten' },
      { ...back, state: 'lost' },
    ]);
    assert.deepEqual(result.rebuilt.map(({ index }) => index).sort(), [0, 3]);
    await assertWhole(racks, data);
    // What was found then is of no account now.
    assert.equal((await repair(racks, [{ ...rotten, state: 'rotten' }])).outcome, 'sound');
  });

  it('tops up the manifest: copies that were lost, damaged, or never in reach of the electors there are now', async () => {
    const { racks, data } = await damaged([]);
    const holders = racks.filter(({ objects }) => objects.has(manifestKey(KEY)));
    holders[0]?.objects.delete(manifestKey(KEY));
    holders[1]?.objects.delete(manifestKey(KEY));
    holders[2]?.objects.set(manifestKey(KEY), Buffer.from('damaged'));
    assert.equal((await repair(racks)).outcome, 'sound');
    await assertWhole(racks, data);
    for (const rack of racks.filter(({ objects }) => objects.has(manifestKey(KEY))).slice(0, 4)) rack.objects.delete(manifestKey(KEY));
    await repair(racks);
    await assertWhole(racks, data);
  });

  it('where fewer than 14 shards are there names the racks, and changes nothing', async () => {
    const { left, gone } = await damaged([0, 1, 2, 3]);
    const fifth = left.find(({ objects }) => [...objects.keys()].some((name) => name.startsWith(shardPrefix(KEY))));
    const fewer = left.filter((rack) => rack !== fifth);
    const before = keysOn(fewer, 'ec/');
    const names = [...gone.map(({ id }) => id), fifth?.id];
    await assert.rejects(
      repair(fewer),
      (error) => error instanceof Error && error.name === 'NotEnoughShards' && names.every((id) => error.message.includes(id ?? '?')),
    );
    assert.deepEqual(keysOn(fewer, 'ec/'), before);
  });

  it('goes on over many generations: racks lost one after the other, more than the object has shards', async () => {
    let racks = memorySite();
    const data = noise(SMALL);
    await write(racks, KEY, data);
    for (let round = 0; round < 25; round++) {
      const [first] = racks;
      racks = [...racks.slice(1), ...memorySite(21 + round).slice(20 + round)];
      assert.ok(first);
      await repair(racks);
      await assertWhole(racks, data);
    }
    assert.equal(keysOn(racks, manifestsOf(KEY)).length, 10);
  });

  it('called off leaves nothing of its own', async () => {
    const { left, manifest } = await damaged([1], LARGE);
    const before = keysOn(left, 'ec/').sort();
    const controller = new AbortController();
    const repairing = repairErasureObject({
      racks: left,
      key: manifest.key,
      patience: impatient,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('called off')),
    });
    await assert.rejects(repairing, /called off/);
    assert.deepEqual(keysOn(left, 'ec/').sort(), before);
  });
});
