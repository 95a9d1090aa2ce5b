/** Racks that take requests and never answer: they are waited for once in 30 s, count as silent meanwhile, and as nothing else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sweepAbandonedShards } from '../../../../datapath/erasure/abandoned.ts';
import { listErasureObjects, removeAttempt, removeErasureObject } from '../../../../datapath/erasure/index.ts';
import { manifestKey, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import type { ErasureManifest } from '../../../../datapath/erasure/manifest.ts';
import { standingOf } from '../../../../datapath/erasure/manifest-copies.ts';
import type { Patience } from '../../../../datapath/erasure/patience.ts';
import { askRack, createRackMemory } from '../../../../datapath/erasure/rack-memory.ts';
import { repairErasureObject } from '../../../../datapath/erasure/repair.ts';
import { scrubErasureObjects } from '../../../../datapath/erasure/scrub.ts';
import { electorsOf } from './rivals.ts';
import { all, failAll, keysOn, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const SMALL = 2_000;
const PERIOD_MS = 30_000;
const KEYS = Array.from({ length: 6 }, (_, index) => `objects/${index}`);

/** A site with six objects, whose clock stands still until it is moved. */
async function site(count = 20) {
  let clock = Date.parse('2026-01-01T00:00:00Z');
  const patience: Patience = { requestMilliseconds: 150, stallMilliseconds: 150, memory: createRackMemory(() => clock) };
  const racks = memorySite(count);
  const manifests: ErasureManifest[] = [];
  for (const key of KEYS) manifests.push((await write(racks, key, noise(SMALL), { patience })).manifest);
  return {
    racks,
    manifests,
    patience,
    advance(milliseconds: number) {
      clock += milliseconds;
    },
    /** The racks hang, and have been waited for. @returns what counts the calls that each of them gets from now on */
    async silence(...hung: readonly MemoryRack[]) {
      const calls = hangs(...hung);
      await Promise.all(hung.map((rack) => askRack(rack, 'asking', { patience }, () => rack.list('')).catch(() => undefined)));
      clock += 1;
      const before = calls();
      return () => calls() - before;
    },
  };
}

function hangs(...racks: readonly MemoryRack[]): () => number {
  let calls = 0;
  for (const rack of racks) {
    failAll(rack, () => {
      calls++;
      return 'hang';
    });
  }
  return () => calls;
}

const back = (...racks: readonly MemoryRack[]): void => {
  for (const { faults } of racks) faults.clear();
};

/** One that holds shards of all the objects, and a copy of the first one's manifest. */
function busiest(racks: readonly MemoryRack[], manifests: readonly ErasureManifest[]): MemoryRack {
  const found = electorsOf(KEYS[0] ?? '', racks).find(({ id }) => manifests.every(({ shards }) => shards.some(({ rack }) => rack === id)));
  return found ?? assert.fail('no rack holds shards of all');
}

describe('a rack that hangs', () => {
  it('costs a repair of six objects the wait of its first step, and another one after 30 s', async () => {
    const { racks, manifests, patience, advance } = await site();
    const rack = busiest(racks, manifests);
    const calls = hangs(rack);
    for (const key of KEYS.slice(0, 4)) {
      const { outcome, manifest } = await repairErasureObject({ racks, key, patience });
      assert.equal(outcome, 'repaired');
      assert.ok(manifest.shards.every(({ rack: id }) => id !== rack.id));
    }
    // Its manifest and its list are asked for side by side: one wait.
    assert.ok(calls() <= 2, `${calls()} calls`);
    advance(PERIOD_MS + 1);
    for (const key of KEYS.slice(4)) assert.equal((await repairErasureObject({ racks, key, patience })).outcome, 'repaired');
    assert.ok(calls() <= 3, `${calls()} calls`);
  });

  it('costs a scrub of six objects one wait, and each finding says since when it does not answer', async () => {
    const { racks, manifests, patience } = await site();
    const rack = busiest(racks, manifests);
    const calls = hangs(rack);
    const found = await all(scrubErasureObjects({ racks, prefix: '', patience }));
    assert.equal(calls(), 1);
    for (const { suspects, margin, problems } of found) {
      assert.deepEqual([suspects.map(({ state }) => state), margin], [['lost'], 3]);
      assert.ok(
        problems.some((line) =>
          line.includes(`${rack.id}: it does not answer since 2026-01-01T00:00:00.000Z (listing: 0.15 s), and is asked again every 30 s.`),
        ),
      );
    }
    assert.equal(found.length, KEYS.length);
  });

  it('costs all pages of a listing one wait', async () => {
    const { racks, patience } = await site();
    const calls = hangs(...racks.slice(0, 4));
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await listErasureObjects({ racks, prefix: '', limit: 2, after, patience });
      seen.push(...page.keys);
      if (page.next === undefined) break;
      after = page.next;
    }
    assert.deepEqual(seen, KEYS);
    assert.equal(calls(), 4, 'one of each rack');
  });

  it('costs those who come while one asks it again nothing', async () => {
    const { racks, patience, advance, silence } = await site();
    const calls = await silence(...racks.slice(0, 1));
    advance(PERIOD_MS + 1);
    await Promise.all(KEYS.map((after) => listErasureObjects({ racks, prefix: '', after, patience })));
    assert.equal(calls(), 1);
  });

  it('and whose turn is called off is asked by the next', async () => {
    const { racks, patience, advance, silence } = await site();
    const calls = await silence(...racks.slice(0, 1));
    advance(PERIOD_MS + 1);
    const turn = new AbortController();
    const asking = listErasureObjects({ racks, prefix: '', patience, signal: turn.signal });
    turn.abort(new Error('cancelled'));
    await assert.rejects(asking, /cancelled/);
    await listErasureObjects({ racks, prefix: '', patience });
    assert.equal(calls(), 2);
  });

  it('is heard again as soon as one request is answered', async () => {
    const { racks, manifests, patience, advance, silence } = await site();
    const rack = busiest(racks, manifests);
    await silence(rack);
    back(rack);
    assert.equal((await all(scrubErasureObjects({ racks, prefix: '', patience })))[0]?.margin, 3);
    advance(PERIOD_MS);
    assert.deepEqual(
      (await all(scrubErasureObjects({ racks, prefix: '', patience }))).flatMap(({ problems }) => problems),
      [],
    );
  });

  it('in one call, and answers others meanwhile, is slow and not silent', async () => {
    const { racks, patience, advance } = await site();
    const [rack] = racks;
    assert.ok(rack);
    rack.faults.set('list', 'hang');
    const listing = listErasureObjects({ racks, prefix: '', patience });
    advance(1);
    await askRack(rack, 'reading', { patience }, () => rack.readManifest('none'));
    await listing;
    assert.equal(await askRack(rack, 'reading', { patience }, () => rack.readManifest('none')), undefined);
  });
});

describe('a rack that is remembered as silent', () => {
  it('is asked by who cannot do without it: reads, listings and writes go on', async () => {
    const { racks, patience, silence } = await site(18);
    const hung = racks.slice(0, 6);
    await silence(...hung);
    await assert.rejects(listErasureObjects({ racks, prefix: '', patience }), { name: 'StoreUnavailable', message: /r01: listing took longer/ });
    const again = await site(18);
    await again.silence(...again.racks.slice(0, 6));
    back(...again.racks.slice(4, 6));
    for (const key of KEYS) assert.ok((await read(again.racks, key, again.patience)).equals(noise(SMALL)), 'with 14 racks that answer');
    const listed = await site(18);
    await listed.silence(...listed.racks.slice(0, 6));
    back(...listed.racks.slice(0, 6));
    assert.deepEqual((await listErasureObjects({ racks: listed.racks, prefix: '', patience: listed.patience })).keys, KEYS);
    const written = await site(18);
    const electors = electorsOf('new', written.racks).slice(0, 6);
    await written.silence(...electors);
    back(...electors);
    assert.equal((await write(written.racks, 'new', noise(SMALL), { patience: written.patience })).outcome, 'written');
  });

  it('gets no call of a write that has enough others', async () => {
    const { racks, patience, silence } = await site();
    const calls = await silence(...electorsOf('new', racks).slice(0, 2));
    const { missingShards, faults } = await write(racks, 'new', noise(SMALL), { patience });
    assert.deepEqual([missingShards, faults, calls()], [[], [], 0]);
  });

  it('is no rack without the shard: the sweep removes nothing, and a removal of an attempt neither', async () => {
    const { racks, manifests, patience, advance, silence } = await site();
    const [manifest] = manifests;
    assert.ok(manifest);
    const stray = `${shardPrefix(manifest.key)}${manifest.writeId}.00`;
    const free = racks.filter(({ id }) => !manifest.shards.some(({ rack }) => rack === id));
    free[0]?.objects.set(stray, Buffer.from('replaced'));
    const silent = free[1] ?? assert.fail();
    await silence(silent);
    back(silent);
    const sweep = () => sweepAbandonedShards({ racks, prefix: manifest.key, olderThanMilliseconds: Date.now() + 1, patience });
    const doubted = await sweep();
    assert.equal(doubted.shardsRemoved, 0);
    assert.match(doubted.postponed[0] ?? '', new RegExp(`${silent.id}.* does not answer since`));
    await assert.rejects(removeAttempt({ racks, key: 'other', writeId: manifest.writeId, patience }), {
      name: 'StoreUnavailable',
      message: /does not answer since/,
    });
    advance(PERIOD_MS);
    assert.equal((await sweep()).shardsRemoved, 1);
  });

  it('makes no write dead: whether 14 shards can exist is not known while it is silent', async () => {
    const { racks, manifests, patience, silence } = await site();
    const [manifest] = manifests;
    assert.ok(manifest);
    const holders = manifest.shards.map(({ rack }) => racks.find(({ id }) => id === rack) ?? assert.fail(rack));
    for (const { objects } of holders.slice(0, 4)) for (const name of keysOf(objects, shardPrefix(manifest.key))) objects.delete(name);
    const silent = holders[4] ?? assert.fail();
    await silence(silent);
    assert.equal((await standingOf(manifest, racks, { patience })).state, 'doubtful');
    await assert.rejects(write(racks, manifest.key, noise(SMALL, 2), { patience }));
    assert.ok(keysOn(racks, manifestKey(manifest.key)).length >= 4, 'its manifest stays');
    back(silent);
    assert.equal((await standingOf(manifest, racks, { patience })).state, 'doubtful', 'it was asked a moment ago');
    assert.equal((await standingOf(manifest, racks, { patience: { ...patience, memory: undefined } })).state, 'restorable');
  });

  it('is asked by a removal, which is told of it where it stays silent', async () => {
    const { racks, manifests, patience, silence, advance } = await site();
    const rack = busiest(racks, manifests);
    const calls = await silence(rack);
    const removing = () => removeErasureObject({ racks, key: KEYS[0] ?? '', patience });
    await assert.rejects(removing(), { name: 'StoreUnavailable', message: new RegExp(rack.id) });
    assert.ok(calls() <= 1, `${calls()} calls`);
    back(rack);
    advance(1);
    await removing();
    assert.deepEqual(keysOn(racks, shardPrefix(KEYS[0] ?? '')), []);
  });
});

const keysOf = (objects: ReadonlyMap<string, Buffer>, prefix: string): string[] => [...objects.keys()].filter((name) => name.startsWith(prefix));
