import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { drainFiles, verifyFiles } from '../../../../datapath/checkpoint/drain.ts';
import { restoreFiles } from '../../../../datapath/checkpoint/restore.ts';
import { type EndangeredObject, findErasureObject } from '../../../../datapath/erasure/index.ts';
import { manifestNameOf, shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import { COMMIT_RECORD } from '../../../../model/checkpoint.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { impatient, noise } from '../erasure/support.ts';
import { checkpointSite, PREFIX } from './support.ts';

describe('damage that a drain or a restore comes across', () => {
  let site: Awaited<ReturnType<typeof checkpointSite>>;
  before(async () => {
    site = await checkpointSite();
    await site.commit(
      new Map([
        ['a.bin', noise(20_000)],
        ['b.bin', noise(20_000_000, 2)],
      ]),
    );
    await drainFiles(site.drain);
  });
  after(() => site.close());

  it('is told as repair takes it, by whoever reads it, and repair mends it', async () => {
    const key = `${PREFIX}b.bin`;
    const manifest = await findErasureObject({ racks: site.racks, key });
    const shard = manifest?.shards[2];
    assert.ok(manifest && shard);
    const objects = site.racks.find(({ id }) => id === shard.rack)?.objects;
    const body = Buffer.from(objects?.get(shardNameOf(manifest, shard)) ?? []);
    body[5_000] = (body[5_000] ?? 0) ^ 1;
    objects?.set(shardNameOf(manifest, shard), body);

    for (const work of [verifyFiles, restoreFiles]) {
      const told: EndangeredObject[] = [];
      const onDamage = async (object: EndangeredObject): Promise<void> => void told.push(object);
      await work({ ...site.restore, onDamage });
      assert.partialDeepStrictEqual(told, [{ key, margin: 3, suspects: [{ ...shard, state: 'rotten' }] }], work.name);
    }
    const { rebuilt } = await repairErasureObject({ racks: site.racks, key, suspects: [{ ...shard, state: 'rotten' }], patience: impatient });
    assert.deepEqual(
      rebuilt.map(({ index }) => index),
      [shard.index],
    );
    await verifyFiles({ ...site.inErasureSet, onDamage: () => assert.fail('it is whole again') });
  });

  it('and fewer than five manifest copies keep the source: told, and let go after the repair', async () => {
    for (const name of ['b.bin', COMMIT_RECORD]) {
      const key = `${PREFIX}${name}`;
      const manifest = await findErasureObject({ racks: site.racks, key });
      const copy = manifest && manifestNameOf(manifest);
      assert.ok(copy);
      const holders = site.racks.filter(({ objects }) => objects.has(copy));
      assert.equal(holders.length, 5);
      holders[0]?.objects.delete(copy);
      const told: EndangeredObject[] = [];
      const onDamage = async (object: EndangeredObject): Promise<void> => void told.push(object);
      await assert.rejects(
        verifyFiles({ ...site.inErasureSet, onDamage }),
        (error) =>
          error instanceof PenstockError && error.type === 'StoreUnavailable' && error.errorClass === 'retryable' && /4 manifest copies/.test(error.message),
      );
      assert.partialDeepStrictEqual(told, [{ key, margin: 4, suspects: [] }]);
      await repairErasureObject({ racks: site.racks, key, patience: impatient });
      await verifyFiles({ ...site.inErasureSet, onDamage: () => assert.fail('all copies are there again') });
    }
  });
});
