/** A sweep that cannot be sure which manifest counts collects nothing; a reader that cannot be sure says so. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SweptPage, sweepAbandonedShards } from '../../../../datapath/erasure/abandoned.ts';
import { laterManifestKey, manifestKey, manifestsOf, newWriteId, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { encodeManifest, shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import { tidyObject } from '../../../../datapath/erasure/tidy.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { electorsOf } from './rivals.ts';
import { stopAt } from './steps.ts';
import { failAll, impatient, keysOn, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const KEY = 'a/b';
const data = noise(50_000);

const sweep = (racks: readonly RackStore[]): Promise<SweptPage> =>
  sweepAbandonedShards({ racks, prefix: '', olderThanMilliseconds: Date.now() + 3_600_000, patience: impatient });
const repair = (racks: readonly RackStore[]) => repairErasureObject({ racks, key: KEY, patience: impatient });

/** All shards replaced over the years; the first generation has a copy where the latest has none. */
async function rebuilt() {
  const racks = memorySite();
  const [first] = electorsOf(KEY, racks);
  first?.faults.set('writeManifest', 'fail');
  const written = await write(racks, KEY, data);
  first?.faults.clear();
  let { manifest } = written;
  while (manifest.shards.some(({ repairId }) => repairId === undefined)) {
    for (const shard of manifest.shards.filter(({ repairId }) => repairId === undefined).slice(0, 4)) {
      racks.find(({ id }) => id === shard.rack)?.objects.delete(shardNameOf(manifest, shard));
    }
    ({ manifest } = await repair(racks));
  }
  const latest = racks.filter(({ objects }) => objects.has(laterManifestKey(KEY, manifest.writeId, manifest.generation ?? 1)));
  assert.equal(latest.length, 5);
  assert.ok(racks.some((rack) => rack.objects.has(manifestKey(KEY)) && !latest.includes(rack)));
  return { racks, latest, oldest: written.manifest };
}

describe('a sweep', () => {
  it('leaves rebuilt shards alone where the electors that know of them fall silent behind the page', async () => {
    const { racks, latest } = await rebuilt();
    const before = keysOn(racks, 'ec/');
    const flaky = racks.map((rack): RackStore => (latest.includes(rack) ? { ...rack, list: (prefix, options) => listThenFail(rack, prefix, options) } : rack));
    const swept = await sweep(flaky);
    assert.deepEqual([swept.shardsRemoved, swept.postponed.length > 0], [0, true]);
    for (const { faults } of racks) faults.clear();
    assert.deepEqual(keysOn(racks, 'ec/'), before);
    assert.ok((await read(racks, KEY)).equals(data));
  });

  it('does not tidy for a generation that was not committed', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, data);
    const electors = electorsOf(KEY, racks);
    const away = manifest.shards.flatMap(({ rack }) => racks.find(({ id }) => id === rack) ?? []).filter((rack) => !electors.includes(rack));
    for (const rack of away.slice(0, 2)) failAll(rack);
    await assert.rejects(repair(stopAt(racks, 3, 'dies before').racks));
    assert.equal(keysOn(racks, `${manifestsOf(KEY)}2.`).length, 1);
    for (const { faults } of racks) faults.clear();
    const swept = await sweep(racks);
    assert.equal(swept.shardsRemoved, 0);
    assert.match(swept.postponed[0] ?? '', /1 of 5 copies/);
    for (const shard of manifest.shards) assert.ok(racks.find(({ id }) => id === shard.rack)?.objects.has(shardNameOf(manifest, shard)));
    // A repair completes it; then it is a generation like any other.
    await repair(racks);
    await sweep(racks);
    assert.equal(keysOn(racks, shardPrefix(KEY)).length, 18);
    assert.ok((await read(racks, KEY)).equals(data));
  });

  it('collects nothing of a key while one rack is silent, a copy is missing, or another attempt has one', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, data);
    const [elector] = electorsOf(KEY, racks);
    const stray = `${shardPrefix(KEY)}${manifest.writeId}.00`;
    const spare = racks.find(({ id }) => !manifest.shards.some(({ rack }) => rack === id));
    spare?.objects.set(stray, Buffer.from('replaced'));
    const copy = elector?.objects.get(manifestKey(KEY)) ?? assert.fail();
    elector?.objects.delete(manifestKey(KEY));
    assert.equal((await sweep(racks)).shardsRemoved, 0, 'four copies');
    elector?.objects.set(manifestKey(KEY), Buffer.from('damaged'));
    assert.equal((await sweep(racks)).shardsRemoved, 0, 'a damaged copy');
    elector?.objects.set(manifestKey(KEY), copy);
    elector?.faults.set('list', (prefix) => (prefix.startsWith(manifestsOf(KEY)) ? 'fail' : undefined));
    assert.equal((await sweep(racks)).shardsRemoved, 0, 'a silent rack');
    elector?.faults.clear();
    const rival = encodeManifest({ ...manifest, writeId: newWriteId() });
    racks.find(({ objects }) => !objects.has(manifestKey(KEY)))?.objects.set(manifestKey(KEY), rival);
    assert.equal((await sweep(racks)).shardsRemoved, 0, 'a rival');
    for (const { objects } of racks) if (objects.get(manifestKey(KEY))?.equals(rival)) objects.delete(manifestKey(KEY));
    assert.equal((await sweep(racks)).shardsRemoved, 1);
  });
});

describe('tidying up', () => {
  it('for an older generation removes nothing', async () => {
    const { racks, latest, oldest } = await rebuilt();
    const before = keysOn(racks, 'ec/');
    const request = { racks, manifest: oldest, olderThanMilliseconds: Date.now() + 3_600_000 };
    assert.equal(await tidyObject(request, { patience: impatient }), 0);
    for (const rack of latest) failAll(rack);
    assert.equal(await tidyObject(request, { patience: impatient }), 0);
    assert.deepEqual(keysOn(racks, 'ec/'), before);
  });
});

describe('a reader', () => {
  it('that cannot learn the latest generation says so, and not that shards are lost', async () => {
    const { racks, latest } = await rebuilt();
    for (const { faults } of latest) faults.set('list', 'fail');
    await assert.rejects(read(racks, KEY), { name: 'StoreUnavailable', message: /did not list their manifests/ });
    for (const { faults } of latest.slice(0, 1)) faults.clear();
    assert.ok((await read(racks, KEY)).equals(data));
  });
});

/** It answers once more, and is gone. */
async function listThenFail(rack: MemoryRack, prefix: string, options: Parameters<RackStore['list']>[1]) {
  const page = await rack.list(prefix, options);
  failAll(rack);
  return page;
}
