/** A repair that dies, meets another or sleeps: at any of its steps it costs nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { removeErasureObject, verifyErasureObject } from '../../../../datapath/erasure/index.ts';
import { manifestsOf } from '../../../../datapath/erasure/layout.ts';
import { shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { assertWhole, damaged, KEY, PATIENT, repair, SMALL, shardOn } from './damage.ts';
import { stopAt } from './steps.ts';
import { impatient, keysOn, noise, read, write } from './support.ts';

/** How many changing steps an undisturbed repair takes. */
async function stepsOfRepair(): Promise<number> {
  const { left } = await damaged([2, 16]);
  const steps = stopAt(left, Number.MAX_SAFE_INTEGER, 'dies before');
  await repair(steps.racks);
  return steps.taken.length;
}

describe('a repair that dies', () => {
  for (const how of ['dies before', 'dies after'] as const) {
    it(`${how.replace('dies ', '')} any of its steps leaves an object that reads as before, and that the next repair makes whole`, async () => {
      const count = await stepsOfRepair();
      assert.ok(count >= 8, `${count} steps: two shards, five manifests, and what they replaced`);
      for (let at = 0; at < count; at++) {
        const { left, data, manifest } = await damaged([2, 16]);
        const steps = stopAt(left, at, how);
        await repair(steps.racks).catch(() => undefined);
        const step = `${at}: ${steps.taken[at]}`;
        // Two more of the racks that held it before may go at this moment.
        const also = manifest.shards.filter(({ index }) => index === 0 || index === 8).map(({ rack }) => rack);
        assert.ok(
          (
            await read(
              left.filter(({ id }) => !also.includes(id)),
              KEY,
            )
          ).equals(data),
          step,
        );
        await repair(left);
        await assertWhole(left, data, { allowsMade: true });
      }
    });
  }
});

describe('two repairs at once', () => {
  it('meet: one wins, the other leaves nothing', async () => {
    for (let round = 0; round < 10; round++) {
      const { left, data } = await damaged([round, 17 - round]);
      const results = await Promise.all([repair(left), repair(left), repair(left)]);
      assert.ok(results.some(({ outcome }) => outcome === 'repaired'));
      const manifest = await assertWhole(left, data);
      assert.equal(new Set(results.map((result) => result.manifest.repairId)).size, 1);
      assert.equal(manifest.generation, 2);
    }
  });
});

describe('a repair that falls asleep at any of its steps', () => {
  it('and wakes when others have repaired twice since harms nothing', async () => {
    const count = await stepsOfRepair();
    for (let at = 0; at < count; at++) {
      const { left, data } = await damaged([2, 16]);
      const sleeper = stopAt(left, at, 'sleeps');
      const sleeping = repair(sleeper.racks, [], PATIENT).catch((error: unknown) => error);
      await sleeper.reached;
      const { manifest } = await repair(left);
      // A shard of the other repair's is lost, and rebuilt in its turn.
      const { rack, name } = shardOn(left, manifest, 2);
      rack.objects.delete(name);
      await repair(left);
      await assertWhole(left, data, { allowsMade: true });
      sleeper.wake();
      await sleeping;
      await assertWhole(left, data, { allowsMade: true });
    }
  });

  it('and wakes when a rack that it missed has come back, and others have built on what lies there, leaves that alone', async () => {
    const count = await stepsOfRepair();
    for (let at = 0; at < count; at++) {
      const { racks, data, manifest } = await damaged([2, 16]);
      const sleeper = stopAt(racks, at, 'sleeps');
      const sleeping = repair(sleeper.racks, [], PATIENT).catch((error: unknown) => error);
      await sleeper.reached;
      shardOn(racks, manifest, 16).rack.faults.clear();
      const { manifest: second } = await repair(racks);
      const { rack, name } = shardOn(racks, second, 2);
      rack.objects.delete(name);
      const { manifest: third } = await repair(racks);
      sleeper.wake();
      await sleeping;
      const missing = third.shards.filter((shard) => !racks.find(({ id }) => id === shard.rack)?.objects.has(shardNameOf(third, shard)));
      assert.deepEqual(missing, [], `asleep at ${at}: ${sleeper.taken[at]}`);
      assert.ok((await read(racks, KEY)).equals(data));
    }
  });

  it('and wakes when a removal has begun makes nothing of the object visible again', async () => {
    const { left } = await damaged([2, 16]);
    const sleeper = stopAt(left, 3, 'sleeps');
    const sleeping = repair(sleeper.racks, [], PATIENT).catch((error: unknown) => error);
    await sleeper.reached;
    for (const { objects } of left) for (const name of [...objects.keys()]) if (name.startsWith(manifestsOf(KEY))) objects.delete(name);
    sleeper.wake();
    assert.ok((await sleeping) instanceof Error);
    assert.deepEqual(keysOn(left, manifestsOf(KEY)), []);
  });

  it('and wakes when the object is another one by now touches nothing of it', async () => {
    const count = await stepsOfRepair();
    for (let at = 0; at < count; at++) {
      const { left, racks } = await damaged([2, 16]);
      const sleeper = stopAt(left, at, 'sleeps');
      const sleeping = repair(sleeper.racks, [], PATIENT).catch((error: unknown) => error);
      await sleeper.reached;
      for (const rack of racks) rack.faults.clear();
      await removeErasureObject({ racks: left, key: KEY, patience: impatient });
      const other = noise(SMALL, 7);
      await write(left, KEY, other);
      sleeper.wake();
      await sleeping;
      assert.ok((await read(left, KEY)).equals(other));
      const facts = await verifyErasureObject({ racks: left, key: KEY, patience: impatient });
      assert.deepEqual([facts.ok, facts.margin, facts.manifestCopies], [true, 4, 5]);
    }
  });
});
