/** A site that grows until a key has other electors: its generations stay known. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sweepAbandonedShards } from '../../../../datapath/erasure/abandoned.ts';
import { shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { electorsFor } from '../../../../datapath/erasure/manifest-copies.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import { stopAt } from './steps.ts';
import { impatient, keysOn, memoryRack, memorySite, noise, read, write } from './support.ts';

const data = noise(10_000);

/** None of the racks that hold a copy is an elector any more. */
async function grown(repairs: number) {
  const old = memorySite();
  const racks = [...old, ...Array.from({ length: 40 }, (_, index) => memoryRack(`x${index}`, `room-${'abcd'[index % 4]}`))];
  const keys = Array.from({ length: 10_000 }, (_, index) => `a/k${index}`);
  const key = keys.find((each) => !electorsFor(each, racks).some((rack) => electorsFor(each, old).slice(0, 5).includes(rack)));
  assert.ok(key);
  let { manifest } = await write(old, key, data);
  for (let round = 0; round < repairs; round++) {
    for (const shard of manifest.shards.filter(({ repairId }) => repairId === undefined).slice(0, 4)) {
      old.find(({ id }) => id === shard.rack)?.objects.delete(shardNameOf(manifest, shard));
    }
    ({ manifest } = await repairErasureObject({ racks: old, key, patience: impatient }));
  }
  return { racks, key, manifest };
}

describe('a site that has grown', () => {
  it('keeps the latest generation where a repair dies at any of its steps', async () => {
    for (let at = 0; ; at++) {
      const { racks, key, manifest } = await grown(2);
      const steps = stopAt(racks, at, 'dies before');
      await repairErasureObject({ racks: steps.racks, key, patience: impatient }).catch(() => undefined);
      assert.ok((await read(racks, key)).equals(data), `${at}: ${steps.taken[at]}`);
      await sweepAbandonedShards({ racks, prefix: '', olderThanMilliseconds: Date.now() + 3_600_000, patience: impatient });
      assert.ok((await read(racks, key)).equals(data), `${at}: ${steps.taken[at]}, then a sweep`);
      const repaired = await repairErasureObject({ racks, key, patience: impatient });
      assert.equal(repaired.manifest.generation, manifest.generation);
      if (steps.taken.length <= at) break;
    }
  });

  it('takes equal content of a repaired object for what it is', async () => {
    const { racks, key } = await grown(1);
    assert.equal((await write(racks, key, data)).outcome, 'existed');
    assert.ok(keysOn(racks, 'ec/').length > 0);
    assert.ok((await read(racks, key)).equals(data));
  });
});
