/** Removals that sleep, and repairs that sleep beside removals: a successor is not lost, and what was removed stays away. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listErasureObjects, removeErasureObject } from '../../../../datapath/erasure/index.ts';
import { manifestKey, manifestsOf, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { electorsOf } from './rivals.ts';
import { stopAt } from './steps.ts';
import { impatient, keysOn, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const KEY = 'a/b';
const SMALL = 2_000;
const PATIENT = { requestMilliseconds: 60_000, stallMilliseconds: 60_000 };

const remove = (racks: readonly RackStore[], patience = impatient) => removeErasureObject({ racks, key: KEY, patience });
const repair = (racks: readonly RackStore[], patience = impatient) => repairErasureObject({ racks, key: KEY, patience });

describe('a removal that sleeps', () => {
  const kinds = [
    { racks: 'can compare', site: (): readonly MemoryRack[] => memorySite(), copiesLost: 0 },
    { racks: 'cannot compare', site: (): readonly MemoryRack[] => memorySite().map((rack) => Object.assign(rack, { removeIf: undefined })), copiesLost: 1 },
  ];
  for (const { racks: kind, site, copiesLost } of kinds) {
    it(`at any step, until the key has another object, takes ${copiesLost} copies of its manifest at most where racks ${kind}`, () =>
      atAnyStep(site, copiesLost));
  }

  async function atAnyStep(site: () => readonly MemoryRack[], copiesLost: number): Promise<void> {
    for (let at = 0; ; at++) {
      const racks = site();
      await write(racks, KEY, noise(SMALL, 1));
      const sleeper = stopAt(racks, at, 'sleeps');
      const sleeping = remove(sleeper.racks, PATIENT).catch((error: unknown) => error);
      if ((await Promise.race([sleeper.reached.then(() => 'asleep'), sleeping])) !== 'asleep') break;
      await remove(racks);
      const other = noise(SMALL, 2);
      const { manifest } = await write(racks, KEY, other);
      sleeper.wake();
      await sleeping;
      const step = `${at}: ${sleeper.taken[at]}`;
      assert.ok((await read(racks, KEY)).equals(other), step);
      assert.equal(keysOn(racks, `${shardPrefix(KEY)}${manifest.writeId}`).length, 18, step);
      assert.ok(keysOn(racks, manifestKey(KEY)).length >= 5 - copiesLost, step);
      await repair(racks);
      assert.equal(keysOn(racks, manifestKey(KEY)).length, 5, step);
    }
  }
});

describe('a writer that sleeps while it clears a dead manifest away', () => {
  it('does not take the copies of the one that was faster', async () => {
    const racks = memorySite();
    await write(racks, KEY, noise(SMALL, 3));
    for (const { objects } of racks) for (const name of [...objects.keys()]) if (name.startsWith(shardPrefix(KEY))) objects.delete(name);
    const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
    const { promise: asleep, resolve: sleeps } = Promise.withResolvers<void>();
    const slow = racks.map(
      (rack): RackStore => ({
        ...rack,
        async removeIf(name, content, options) {
          sleeps();
          await woken;
          return (await rack.removeIf?.(name, content, options)) ?? assert.fail();
        },
      }),
    );
    const slower = write(slow, KEY, noise(SMALL, 2), { patience: PATIENT }).catch((error: unknown) => error);
    assert.equal(await Promise.race([asleep.then(() => 'asleep'), slower]), 'asleep');
    const first = noise(SMALL, 1);
    await write(racks, KEY, first);
    wake();
    const lost = await slower;
    assert.ok(lost instanceof Error && lost.name === 'Conflict', String(lost));
    assert.ok((await read(racks, KEY)).equals(first));
    assert.equal(keysOn(racks, manifestKey(KEY)).length, 5);
    assert.equal(keysOn(racks, shardPrefix(KEY)).length, 18);
  });
});

describe('a repair beside a removal', () => {
  it('that sleeps before it puts a copy back, and wakes when all is gone, leaves nothing to be seen', async () => {
    for (const copiesLost of [1, 4]) {
      const racks = memorySite();
      await write(racks, KEY, noise(SMALL));
      for (const { objects } of electorsOf(KEY, racks).slice(0, copiesLost)) objects.delete(manifestKey(KEY));
      const sleeper = stopAt(racks, 0, 'sleeps');
      const sleeping = repair(sleeper.racks, PATIENT).catch((error: unknown) => error);
      await sleeper.reached;
      await remove(racks);
      sleeper.wake();
      assert.ok((await sleeping) instanceof Error);
      assert.deepEqual(keysOn(racks, manifestsOf(KEY)), []);
      assert.deepEqual((await listErasureObjects({ racks, prefix: '', patience: impatient })).keys, []);
    }
  });

  it('whichever of the two sleeps at whichever step, the key is free afterwards', async () => {
    // Every third step of each: the whole table takes a minute.
    for (let at = 0; ; at += 3) {
      let isOver = false;
      for (let removalAt = at % 3; ; removalAt += 3) {
        const racks = memorySite();
        await write(racks, KEY, noise(SMALL));
        for (const { objects } of electorsOf(KEY, racks).slice(0, 2)) objects.clear();
        const repairing = stopAt(racks, at, 'sleeps');
        const repaired = repair(repairing.racks, PATIENT).catch((error: unknown) => error);
        isOver = (await Promise.race([repairing.reached.then(() => 'asleep'), repaired])) !== 'asleep';
        if (isOver) break;
        const removing = stopAt(racks, removalAt, 'sleeps');
        const removed = remove(removing.racks, PATIENT);
        const isRemoved = (await Promise.race([removing.reached.then(() => 'asleep'), removed])) !== 'asleep';
        repairing.wake();
        await repaired;
        removing.wake();
        await removed;
        assert.deepEqual(keysOn(racks, manifestsOf(KEY)), [], `the repair slept at ${repairing.taken[at]}, the removal at ${removing.taken[removalAt]}`);
        if (isRemoved) break;
      }
      if (isOver) break;
    }
  });
});
