/** Racks abroad and in quarantine, as the writer meets them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RackClosure } from '../../../../model/placement.ts';
import { type MemoryRack, memorySite, noise, read, write } from './support.ts';

const foreign: RackClosure = { kind: 'foreign', why: 'lies in us, not in ch' };
const quarantined: RackClosure = { kind: 'quarantined', why: 'is in quarantine' };
const close = (racks: readonly MemoryRack[], closures: readonly (RackClosure | undefined)[]): MemoryRack[] =>
  racks.map((rack, index) => ({ ...rack, closed: closures[index] }));

describe('closed racks', () => {
  it('abroad get neither a shard nor a manifest, whatever the key', async () => {
    const racks = close(memorySite(), [foreign, undefined, foreign]);
    for (let number = 0; number < 30; number++) await write(racks, `object/${number}`, noise(1000, number));
    assert.deepEqual([racks[0]?.objects.size, racks[2]?.objects.size], [0, 0]);
    assert.ok((racks[1]?.objects.size ?? 0) > 0);
  });

  it('in quarantine get no shard, but stay electors, for writers that know of it and writers that do not must meet', async () => {
    const racks = close(memorySite(), [quarantined]);
    for (let number = 0; number < 30; number++) await write(racks, `object/${number}`, noise(1000, number));
    const names = [...(racks[0]?.objects.keys() ?? [])];
    assert.deepEqual(
      names.filter((name) => name.includes('/shards/')),
      [],
    );
    assert.ok(names.some((name) => name.includes('/manifests/')));
  });

  it('are still read: an object on racks of which four are closed and four others gone', async () => {
    const open = memorySite();
    const data = noise(50_000);
    const { manifest } = await write(open, 'object', data);
    const shut = manifest.shards.slice(0, 4).map(({ rack }) => rack);
    const racks = open.map((rack) => (shut.includes(rack.id) ? { ...rack, closed: quarantined } : rack));
    for (const { rack } of manifest.shards.slice(14)) racks.find(({ id }) => id === rack)?.objects.clear();
    assert.ok((await read(racks, 'object')).equals(data));
  });

  it('leave a write that finds too few others refused, naming each and why, with nothing written', async () => {
    const racks = close(memorySite(), [quarantined, foreign, quarantined, foreign, foreign]);
    await assert.rejects(write(racks, 'object', noise(1000)), {
      name: 'StoreUnavailable',
      message: /15 of the 16 racks needed for "object" can take a shard; not: r01 \(is in quarantine\), r02 \(lies in us, not in ch\), .*r05 \(lies in us/,
    });
    assert.ok(racks.every(({ objects }) => objects.size === 0));
  });
});
