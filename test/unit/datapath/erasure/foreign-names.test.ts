/** What others have put among the manifests, and objects that cannot be read: counted or passed over, and never in the way of the rest. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listErasureObjects } from '../../../../datapath/erasure/index.ts';
import { manifestKey } from '../../../../datapath/erasure/layout.ts';
import { type ScrubbedObject, scrubErasureObjects } from '../../../../datapath/erasure/scrub.ts';
import { failAll, impatient, type MemoryRack, memorySite, noise, write } from './support.ts';

const FOREIGN = ['x/', '../y', 'a\u0001b', 'z'.repeat(950)];

async function scrub(racks: readonly MemoryRack[]): Promise<ScrubbedObject[]> {
  const found: ScrubbedObject[] = [];
  for await (const object of scrubErasureObjects({ racks, prefix: '', patience: impatient })) found.push(object);
  return found;
}

describe('among the manifests', () => {
  it('names that no object can have are no objects', async () => {
    const racks = memorySite();
    await write(racks, 'zz/last', noise(500));
    for (const key of FOREIGN) racks[0]?.objects.set(manifestKey(key), Buffer.from('junk'));
    assert.deepEqual((await listErasureObjects({ racks, prefix: '', patience: impatient })).keys, ['zz/last']);
    assert.deepEqual(
      (await scrub(racks)).map(({ key, margin }) => [key, margin]),
      [['zz/last', 4]],
    );
  });

  it('one whose copies are all damaged is told, and the scrub goes on behind it', async () => {
    const racks = memorySite();
    await write(racks, 'zz/last', noise(500));
    for (const { objects } of racks) objects.set(manifestKey('damaged'), Buffer.from('junk'));
    const [damaged, last] = await scrub(racks);
    assert.partialDeepStrictEqual(damaged, { key: 'damaged', margin: -14, storedBytes: 0, suspects: [] });
    assert.match(damaged?.problems.join() ?? '', /it cannot be looked at: .*damaged/);
    assert.partialDeepStrictEqual(last, { key: 'zz/last', margin: 4, problems: [] });
  });

  it('but where the racks went silent in the middle, the scrub waits for them and judges nothing', async () => {
    const racks = memorySite();
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const key of keys) await write(racks, key, noise(500));
    const found: ScrubbedObject[] = [];
    const reading = async () => {
      for await (const object of scrubErasureObjects({ racks, prefix: '', patience: impatient })) {
        found.push(object);
        for (const rack of racks) failAll(rack);
      }
    };
    await assert.rejects(reading(), { name: 'StoreUnavailable' });
    assert.partialDeepStrictEqual(found[0], { key: 'a', problems: [] });
    assert.ok(found.length < keys.length);
    // Of those that were being read when it happened, no shard is called lost that was only not seen.
    assert.ok(found.every(({ isReadable, suspects, unseenShards }) => (isReadable && suspects.length === 0) || unseenShards > 0));
  });
});
