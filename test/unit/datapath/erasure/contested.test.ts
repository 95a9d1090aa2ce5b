/** What a writer that died left beside a committed manifest: never wrong bytes, never the loss of what was acknowledged. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sweepAbandonedShards } from '../../../../datapath/erasure/abandoned.ts';
import { manifestKey, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { objectsPlacedOn } from '../../../../datapath/erasure/placed-on.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import { scrubErasureObjects } from '../../../../datapath/erasure/scrub.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { diesAfterManifests, electorsOf } from './rivals.ts';
import { all, failAll, impatient, keysOn, memorySite, noise, read, write } from './support.ts';

const KEY = 'a/b';
const A = noise(50_000, 1);
const B = noise(50_000, 2);
const NAME = manifestKey(KEY);

/** A dies after so many copies, those racks go away, B is acknowledged, and they return. */
async function rivals(copiesOfA: number) {
  const racks = memorySite();
  const electors = electorsOf(KEY, racks);
  await diesAfterManifests(racks, KEY, A, copiesOfA);
  for (const rack of electors.slice(0, copiesOfA)) failAll(rack);
  const { manifest, outcome } = await write(racks, KEY, B);
  assert.equal(outcome, 'written');
  for (const { faults } of racks) faults.clear();
  const holdersOfB = electors.filter(({ objects }) => objects.get(NAME)?.includes(manifest.writeId));
  assert.equal(holdersOfB.length, 5);
  return { racks, electors, manifest, holdersOfB };
}

describe("another attempt's manifest beside the committed one", () => {
  it('is never read where the committed copies are lost but one: the read is refused', async () => {
    const { racks, holdersOfB } = await rivals(1);
    for (const rack of holdersOfB.slice(0, 4)) failAll(rack);
    await assert.rejects(read(racks, KEY), { name: 'StoreUnavailable', message: /manifests of 2 contents/ });
    await assert.rejects(write(racks, KEY, A), { name: 'StoreUnavailable', message: /manifests of 2 contents/ });
  });

  it('is not read where the committed copies are only slow', async () => {
    const { racks, holdersOfB } = await rivals(1);
    const slow = racks.map((rack): RackStore => {
      if (!holdersOfB.slice(0, 4).includes(rack)) return rack;
      const late = () => new Promise((resolve) => setTimeout(resolve, 400));
      return {
        ...rack,
        readManifest: async (name, options) => {
          await late();
          return await rack.readManifest(name, options);
        },
        list: async (prefix, options) => {
          await late();
          return await rack.list(prefix, options);
        },
      };
    });
    assert.ok((await read(slow, KEY)).equals(B));
  });

  it('is told by a scrub, and taken away by a repair, so that four more racks may go', async () => {
    const { racks, manifest, holdersOfB } = await rivals(3);
    const [found] = await scrubbed(racks);
    assert.equal(found?.problems.filter((line) => line.includes('manifest of another attempt')).length, 3);
    await repairErasureObject({ racks, key: KEY, patience: impatient });
    assert.equal(keysOn(racks, NAME).length, 5);
    assert.deepEqual((await scrubbed(racks))[0]?.problems, []);
    for (const rack of holdersOfB.slice(0, 4)) failAll(rack);
    assert.ok((await read(racks, KEY)).equals(B));
    assert.equal(keysOn(racks, `${shardPrefix(KEY)}${manifest.writeId}`).length, 18);
  });

  it('where neither has five copies any more is not made the winner: repair, scrub and sweep refuse, and nothing is lost', async () => {
    const { racks, electors, manifest } = await rivals(4);
    electors[8]?.objects.clear();
    const before = keysOn(racks, 'ec/');
    await assert.rejects(repairErasureObject({ racks, key: KEY, patience: impatient }), { name: 'StoreUnavailable', message: /manifests of 2 contents/ });
    const [found] = await scrubbed(racks);
    assert.deepEqual([found?.key, found?.margin], [KEY, -1]);
    assert.match(found?.problems[0] ?? '', /manifests of 2 contents/);
    const placed = await all(objectsPlacedOn({ racks, prefix: '', patience: impatient }, ['r01']));
    assert.deepEqual(
      placed.map(({ isConcerned }) => isConcerned),
      [true],
    );
    const swept = await sweepAbandonedShards({ racks, prefix: '', olderThanMilliseconds: Date.now() + 1000, patience: impatient });
    assert.equal(swept.shardsRemoved, 0);
    assert.deepEqual(keysOn(racks, 'ec/'), before);
    // A person has found out which was meant.
    for (const { objects } of electors) if (objects.has(NAME) && !objects.get(NAME)?.includes(manifest.writeId)) objects.delete(NAME);
    await repairErasureObject({ racks, key: KEY, patience: impatient });
    assert.ok((await read(racks, KEY)).equals(B));
  });

  it("of equal content stands in no one's way", async () => {
    const racks = memorySite();
    const electors = electorsOf(KEY, racks);
    await diesAfterManifests(racks, KEY, B, 4);
    for (const rack of electors.slice(0, 4)) failAll(rack);
    await write(racks, KEY, B);
    for (const { faults } of racks) faults.clear();
    electors[8]?.objects.clear();
    assert.ok((await read(racks, KEY)).equals(B));
    await repairErasureObject({ racks, key: KEY, patience: impatient });
    assert.equal(keysOn(racks, NAME).length, 5);
    assert.ok((await read(racks, KEY)).equals(B));
  });
});

const scrubbed = (racks: readonly RackStore[]) => all(scrubErasureObjects({ racks, prefix: '', patience: impatient }));
