/** What a scrub finds, what is collected by age and what never is, and manifests made from shards. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sweepAbandonedShards } from '../../../../datapath/erasure/abandoned.ts';
import { claimErasureObject } from '../../../../datapath/erasure/claim.ts';
import { findErasureObject, listErasureObjects, removeErasureObject } from '../../../../datapath/erasure/index.ts';
import { manifestsOf, newRepairId, newWriteId, shardKey, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { objectsPlacedOn } from '../../../../datapath/erasure/placed-on.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import { type ScrubbedObject, scrubErasureObjects } from '../../../../datapath/erasure/scrub.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { eventually } from '../../../support/wait.ts';
import { stopAt } from './steps.ts';
import { all, failAll, impatient, keysOn, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const BYTES = 10_000;
const PATIENT = { requestMilliseconds: 20_000, stallMilliseconds: 20_000 };
const IN_AN_HOUR = Date.now() + 3_600_000;
const AN_HOUR_AGO = Date.now() - 3_600_000;

async function scrub(
  racks: readonly RackStore[],
  more: { after?: string; pace?: (bytes: number) => Promise<void>; limit?: number } = {},
): Promise<ScrubbedObject[]> {
  return await all(scrubErasureObjects({ racks, prefix: '', patience: impatient, ...more }));
}

async function sweep(racks: readonly RackStore[], olderThanMilliseconds: number) {
  const total = { shardsRemoved: 0, unclaimed: [] as string[], postponed: [] as string[] };
  for (let after: string | undefined; ; ) {
    const page = await sweepAbandonedShards({ racks, prefix: '', after, olderThanMilliseconds, limit: 7, patience: impatient });
    total.shardsRemoved += page.shardsRemoved;
    total.unclaimed.push(...page.unclaimed.map(({ key }) => key));
    total.postponed.push(...page.postponed);
    if (page.next === undefined) return { ...total, unclaimed: [...new Set(total.unclaimed)] };
    after = page.next;
  }
}

/** Of the event loop. */
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const rot = (rack: MemoryRack | undefined, name: string, at: number): void => {
  const body = Buffer.from(rack?.objects.get(name) ?? []);
  body[at] = (body[at] ?? 0) ^ 1;
  rack?.objects.set(name, body);
};

describe('a scrub', () => {
  it('tells of each object how many racks may still be lost, and what is wrong with it', async () => {
    const racks = memorySite();
    for (const key of ['a', 'b', 'c/d', 'e']) await write(racks, key, noise(BYTES));
    const manifestOf = async (key: string) => (await findErasureObject({ racks, key, patience: impatient })) ?? assert.fail();
    const [b, c] = [await manifestOf('b'), await manifestOf('c/d')];
    const [first, second] = b.shards;
    assert.ok(first && second && c.shards[0]);
    rot(
      racks.find(({ id }) => id === first.rack),
      shardNameOf(b, first),
      4_100,
    );
    racks.find(({ id }) => id === second.rack)?.objects.delete(shardNameOf(b, second));
    racks.find(({ objects }) => [...objects.keys()].some((name) => name.startsWith(manifestsOf('e'))))?.objects.delete(`${manifestsOf('e')}jsonl`);
    const found = await scrub(racks);
    assert.deepEqual(
      found.map(({ key, margin }) => [key, margin]),
      [
        ['a', 4],
        ['b', 2],
        ['c/d', 4],
        ['e', 4],
      ],
    );
    assert.deepEqual(found[1]?.suspects, [
      { ...first, state: 'rotten' },
      { ...second, state: 'lost' },
    ]);
    assert.deepEqual(
      found.map(({ problems }) => problems.length),
      [0, 2, 0, 1],
    );
    assert.match(found[3]?.problems[0] ?? '', /4 of 5 manifest copies/);
  });

  it('goes on behind the key that it is told, page by page', async () => {
    const racks = memorySite();
    const keys = ['a', 'a.b', 'a/b', 'a@', 'b'];
    for (const key of keys) await write(racks, key, noise(100));
    const found = (await scrub(racks, { limit: 2 })).map(({ key }) => key);
    assert.deepEqual(found.toSorted(), keys.toSorted());
    for (const [index, key] of found.entries())
      assert.deepEqual(
        (await scrub(racks, { after: key, limit: 2 })).map((each) => each.key),
        found.slice(index + 1),
      );
  });

  /** Every request for a shard, as it is asked for; none is answered before `open`. */
  function gated(racks: readonly MemoryRack[]) {
    const asked = new Set<string>();
    const gate = Promise.withResolvers<void>();
    for (const rack of racks) {
      const { readInto } = rack;
      rack.readInto = async (name, ...more) => {
        asked.add(name.split('/')[3] ?? '');
        await gate.promise;
        return await readInto(name, ...more);
      };
    }
    return { asked, open: gate.resolve };
  }

  it('reads four objects at once and no more, and tells them in their order', async () => {
    const racks = memorySite();
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const key of keys) await write(racks, key, noise(100));
    const { asked, open } = gated(racks);
    const scrubbing = all(scrubErasureObjects({ racks, prefix: '', patience: PATIENT }));
    await eventually('four to be asked for', async () => asked.size >= 4 || undefined);
    await turns(100);
    assert.deepEqual([...asked].toSorted(), keys.slice(0, 4));
    open();
    assert.deepEqual(
      (await scrubbing).map(({ key, margin }) => [key, margin]),
      keys.map((key) => [key, 4]),
    );
  });

  it('told to begin no more, reads those under way to their end; left by its caller, it ends them', async () => {
    const racks = memorySite();
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) await write(racks, key, noise(100));
    let begun = 0;
    const found = await all(scrubErasureObjects({ racks, prefix: '', patience: impatient, mayBegin: () => ++begun < 3 }));
    assert.deepEqual(
      found.map(({ key }) => key),
      ['a', 'b', 'c'],
    );
    assert.deepEqual((await all(scrubErasureObjects({ racks, prefix: '', patience: impatient, mayBegin: () => false }))).length, 1, 'one at least');
    for await (const { key } of scrubErasureObjects({ racks, prefix: '', patience: impatient })) {
      assert.equal(key, 'a');
      break;
    }
    const { asked } = gated(racks);
    await turns(100);
    assert.deepEqual([...asked], []);
  });

  for (const bytes of [0, 100, 30_000_000])
    it(`asks before it reads, for as many bytes as the shards of an object of ${bytes} bytes have`, async () => {
      const racks = memorySite();
      await write(racks, 'one', noise(bytes));
      let asked = 0;
      const [object] = await scrub(racks, {
        async pace(wanted) {
          asked += wanted;
        },
      });
      assert.equal(asked, object?.storedBytes);
    });

  it('finds every object that had a shard on a lost rack, from the manifests of the others', async () => {
    const racks = memorySite();
    for (let index = 0; index < 12; index++) await write(racks, `object-${index}`, noise(100));
    const [lost] = racks;
    assert.ok(lost);
    const expected = [...new Set(keysOn([lost], 'ec/v1/shards/').map((name) => /object-\d+/.exec(name)?.[0]))].sort();
    failAll(lost);
    const found = await all(objectsPlacedOn({ racks, prefix: '', patience: impatient, limit: 5 }, [lost.id]));
    const concerned = found.filter(({ isConcerned }) => isConcerned);
    assert.equal(found.length, 12);
    assert.deepEqual(concerned.map(({ key }) => key).sort(), expected);
    assert.ok(concerned.every(({ margin }) => margin === 3));
  });
});

describe('what nobody will finish', () => {
  it('is collected when it is old: shards of attempts, of repairs that died, and those that were replaced; nothing else', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, 'kept', noise(BYTES));
    const before = keysOn(racks, 'ec/').sort();
    const [one] = manifest.shards;
    assert.ok(one);
    const sound = racks.find(({ id }) => id === one.rack)?.objects.get(shardNameOf(manifest, one)) ?? Buffer.alloc(0);
    const spare = racks.find(({ id }) => !manifest.shards.some(({ rack }) => rack === id));
    // A repair's, one that was replaced on a rack that was away, and thirteen of a write that died.
    spare?.objects.set(shardKey('kept', manifest.writeId, 0, newRepairId()), sound);
    const other = await write(racks, 'other', noise(BYTES));
    await removeManifests(racks, 'other');
    for (const { rack, index } of other.manifest.shards.slice(13))
      racks.find(({ id }) => id === rack)?.objects.delete(shardKey('other', other.manifest.writeId, index));
    const { shardsRemoved } = await sweep(racks, AN_HOUR_AGO);
    assert.equal(shardsRemoved, 0, 'all of it may be under way');
    spare?.objects.set(shardKey('kept', manifest.writeId, 0), sound);
    assert.equal((await sweep(racks, IN_AN_HOUR)).shardsRemoved, 15);
    assert.deepEqual(keysOn(racks, 'ec/').sort(), before);
  });

  it('is never a whole set of shards without a manifest: that is told, and made an object again when a person says so', async () => {
    const racks = memorySite();
    const data = noise(BYTES);
    await write(racks, 'lost', data);
    await removeManifests(racks, 'lost');
    assert.deepEqual((await listErasureObjects({ racks, prefix: '', patience: impatient })).keys, []);
    const { shardsRemoved, unclaimed } = await sweep(racks, IN_AN_HOUR);
    assert.deepEqual([shardsRemoved, unclaimed], [0, ['lost']]);
    for (const rack of racks.slice(0, 4)) failAll(rack);
    await claimErasureObject({ racks: racks.slice(4), key: 'lost', patience: impatient });
    assert.ok((await read(racks.slice(4), 'lost')).equals(data));
  });

  it('is also what a removal that died has left, at whatever step', async () => {
    const removal = async (at: number) => {
      const racks = memorySite();
      await write(racks, 'gone', noise(BYTES));
      await repairErasureObject({ racks: racks.slice(1), key: 'gone', patience: impatient });
      const steps = stopAt(racks, at, 'dies after');
      await removeErasureObject({ racks: steps.racks, key: 'gone', patience: impatient }).catch(() => undefined);
      return { racks, steps };
    };
    const { racks: undisturbed, steps } = await removal(Number.MAX_SAFE_INTEGER);
    assert.deepEqual(keysOn(undisturbed, 'ec/'), []);
    for (let at = 0; at < steps.taken.length; at++) {
      const { racks } = await removal(at);
      if ((await findErasureObject({ racks, key: 'gone', patience: impatient })) !== undefined) continue; // not begun, as far as anybody can see
      assert.deepEqual((await sweep(racks, AN_HOUR_AGO)).unclaimed, []);
      assert.deepEqual(keysOn(racks, 'ec/v1/shards/'), [], `died after ${at}: ${steps.taken[at]}`);
    }
  });

  it('is not judged while racks are silent that may hold its manifest', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, 'attempt', noise(BYTES));
    await removeManifests(racks, 'attempt');
    for (const { rack, index } of manifest.shards.slice(10)) racks.find(({ id }) => id === rack)?.objects.delete(shardKey('attempt', manifest.writeId, index));
    const [silent] = racks;
    if (silent) failAll(silent);
    const swept = await sweep(racks, IN_AN_HOUR);
    assert.equal(swept.shardsRemoved, 0);
    assert.match(swept.postponed[0] ?? '', /r01/);
  });
});

describe('a manifest made from shards', () => {
  it('names repaired shards too, and is refused where there are two contents', async () => {
    const racks = memorySite();
    const data = noise(BYTES);
    const { manifest } = await write(racks, 'twice', data);
    const [first] = manifest.shards;
    const left = racks.filter(({ id }) => id !== first?.rack);
    await repairErasureObject({ racks: left, key: 'twice', patience: impatient });
    await removeManifests(left, 'twice');
    assert.equal((await claimErasureObject({ racks: left, key: 'twice', patience: impatient })).shards.length, 18);
    assert.ok((await read(left, 'twice')).equals(data));

    await removeManifests(left, 'twice');
    await write(left, 'twice', noise(BYTES, 2));
    await removeManifests(left, 'twice');
    await assert.rejects(claimErasureObject({ racks: left, key: 'twice', patience: impatient }), { name: 'Conflict', message: /2 contents/ });
  });

  it('needs fourteen sound shards of one write', async () => {
    const racks = memorySite();
    await assert.rejects(claimErasureObject({ racks, key: 'none', patience: impatient }), { name: 'NotEnoughShards' });
    for (const rack of racks.slice(0, 18)) rack.objects.set(shardKey('none', newWriteId(), 3), Buffer.from('no shard'));
    await assert.rejects(claimErasureObject({ racks, key: 'none', patience: impatient }), { name: 'NotEnoughShards' });
  });

  it('of a removed object is never made: nothing is left of it', async () => {
    const racks = memorySite();
    await write(racks, 'gone', noise(BYTES));
    await repairErasureObject({ racks: racks.slice(1), key: 'gone', patience: impatient });
    await removeErasureObject({ racks, key: 'gone', patience: impatient });
    assert.deepEqual(keysOn(racks, manifestsOf('gone')), []);
    assert.deepEqual(keysOn(racks, shardPrefix('gone')), []);
  });
});

async function removeManifests(racks: readonly MemoryRack[], key: string): Promise<void> {
  for (const { objects } of racks) for (const name of [...objects.keys()]) if (name.startsWith(manifestsOf(key))) objects.delete(name);
}
