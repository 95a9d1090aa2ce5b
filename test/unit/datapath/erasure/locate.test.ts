/** Where an object is said to lie, whatever has become of its racks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { locateErasureObject } from '../../../../datapath/erasure/locate.ts';
import type { LocatedObject } from '../../../../model/located-object.ts';
import { failAll, impatient, memorySite, noise, sha256, write } from './support.ts';

const KEY = 'acme/vision/a1/checkpoints/c1/weights.bin';
const statesOf = ({ shards }: LocatedObject) => [...Map.groupBy(shards, ({ state }) => state)].map(([state, of]) => `${state} ${of.length}`).sort();

describe('where an object lies', () => {
  it('is its racks and rooms, one shard on each, with nothing wrong', async () => {
    const racks = memorySite();
    const data = noise(100_000);
    const { manifest } = await write(racks, KEY, data);
    const located = await locateErasureObject({ racks, key: KEY, patience: impatient });
    assert.deepEqual([located.writeId, located.generation, located.margin, located.bytes, located.sha256], [manifest.writeId, 1, 4, 100_000, sha256(data)]);
    for (const { index, rack, room, state } of located.shards) {
      const real = racks.find(({ id }) => id === rack);
      assert.equal(state, 'there');
      assert.equal(room, real?.room);
      assert.ok([...(real?.objects.keys() ?? [])].some((name) => name.endsWith(`@${manifest.writeId}.${String(index).padStart(2, '0')}`)));
    }
    assert.deepEqual([new Set(located.shards.map(({ rack }) => rack)).size, located.manifests.filter(({ state }) => state === 'present').length], [18, 5]);
  });

  it('is told with racks gone, shards taken away or cut short, and a rack that the site no longer names', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, noise(100_000));
    const [silent, robbed, cut, forgotten] = manifest.shards.map(({ rack }) => racks.find(({ id }) => id === rack));
    assert.ok(silent && robbed && cut && forgotten);
    failAll(silent);
    const shardsOn = (rack: typeof cut) => [...rack.objects.keys()].filter((name) => name.includes('/shards/'));
    for (const name of shardsOn(robbed)) robbed.objects.delete(name);
    for (const name of shardsOn(cut)) cut.objects.set(name, (cut.objects.get(name) ?? Buffer.alloc(0)).subarray(1));
    const located = await locateErasureObject({ racks: racks.filter((rack) => rack !== forgotten), key: KEY, patience: impatient });
    assert.deepEqual(statesOf(located), ['gone 1', 'there 14', 'unreachable 2', 'wrong length 1']);
    assert.equal(located.margin, 0);
    assert.match(located.shards.find(({ rack }) => rack === forgotten.id)?.note ?? '', /names no such rack/);
    assert.match(located.shards.find(({ rack }) => rack === cut.id)?.note ?? '', /instead of/);
  });

  it('is told with more racks gone than it can be read with', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, noise(100_000));
    const holders = racks.filter((rack) => [...rack.objects.keys()].some((name) => name.includes('/manifests/')));
    const lost = manifest.shards.filter(({ rack }) => rack !== holders[0]?.id).slice(0, 7);
    for (const { rack } of lost) failAll(racks.find(({ id }) => id === rack) ?? assert.fail());
    const located = await locateErasureObject({ racks, key: KEY, patience: impatient });
    assert.deepEqual([located.margin, statesOf(located)], [-3, ['there 11', 'unreachable 7']]);
  });

  it('says which shards await repair, and which racks take no new ones', async () => {
    const racks = memorySite(20).map((rack, index) => ({
      ...rack,
      closed: index < 3 ? ({ kind: 'quarantined', why: 'is in quarantine' } as const) : undefined,
    }));
    const { manifest } = await write(racks, KEY, noise(100_000));
    const inQuarantine = ['r01', 'r02', 'r03'];
    assert.ok(manifest.shards.every(({ rack }) => !inQuarantine.includes(rack)));
    assert.deepEqual(statesOf(await locateErasureObject({ racks, key: KEY, patience: impatient })), ['there 17', 'unwritten 1']);

    // Put in quarantine later, what a rack holds is still read.
    const used = manifest.shards[0]?.rack;
    const later = racks.map((rack) => (rack.id === used ? { ...rack, closed: { kind: 'quarantined', why: 'is in quarantine' } as const } : rack));
    const located = await locateErasureObject({ racks: later, key: KEY, patience: impatient });
    assert.deepEqual(located.shards.find(({ rack }) => rack === used)?.note, 'the rack is in quarantine');
    assert.equal(located.margin, 3);
  });

  it('is NotFound where there is none', async () => {
    await assert.rejects(locateErasureObject({ racks: memorySite(), key: KEY, patience: impatient }), { name: 'NotFound' });
  });
});
