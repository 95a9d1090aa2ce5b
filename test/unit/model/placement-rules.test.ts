/** Where shards may not lie: outside the allowed jurisdictions, on racks in quarantine; and what moves when racks come and go. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { closureOf, type PlacementRack, placeShards, tooFewRacks } from '../../../model/placement.ts';
import { SiteSchema } from '../../../model/site.ts';

const SHARDS = 18;
const keys = Array.from({ length: 1500 }, (_, index) => `tenant/project/a${index}/checkpoints/c1`);
const idsOf = (racks: readonly PlacementRack[]): Set<string> => new Set(racks.map(({ id }) => id));

/** Rooms of so many racks with so much space, of which some lie abroad and some are in quarantine. */
const anyFleet = fc.array(
  fc.record({
    room: fc.nat(4),
    availableBytes: fc.integer({ min: 1, max: 1000 }),
    jurisdiction: fc.constantFrom('ch', 'ch', 'ch', 'de', 'us'),
    isQuarantined: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);
function fleet(of: readonly { room: number; availableBytes: number; jurisdiction: string; isQuarantined: boolean }[], jurisdictions: readonly string[]) {
  const racks = of.map((rack, index) => ({ id: `r${index}`, ...rack, room: `room-${rack.room}` }));
  const quarantined = racks.filter(({ isQuarantined }) => isQuarantined).map(({ id }) => id);
  return racks.map((rack) => ({ ...rack, closed: closureOf(rack, { jurisdictions, quarantined }) }));
}

describe('placement within the rules', () => {
  it('never chooses a rack abroad or in quarantine, not even as a spare, and every other one as before', () => {
    fc.assert(
      fc.property(fc.string(), anyFleet, fc.constantFrom<readonly string[]>(['ch'], ['ch', 'de'], ['fr']), (key, of, jurisdictions) => {
        const racks = fleet(of, jurisdictions);
        const { chosen, spares } = placeShards(key, racks, SHARDS);
        const open = racks.filter((rack) => jurisdictions.includes(rack.jurisdiction) && !rack.isQuarantined);
        assert.deepEqual(idsOf([...chosen, ...spares]), idsOf(open));
        assert.equal(chosen.length, Math.min(SHARDS, open.length));
        assert.equal(idsOf(chosen).size, chosen.length);
        assert.deepEqual(placeShards(key, open, SHARDS), { chosen, spares });
      }),
    );
  });

  it('spreads what is left evenly over the rooms', () => {
    fc.assert(
      fc.property(fc.string(), anyFleet, (key, of) => {
        const { chosen, spares } = placeShards(key, fleet(of, ['ch', 'de']), SHARDS);
        const perRoom = Map.groupBy(chosen, ({ room }) => room);
        const most = Math.max(0, ...[...perRoom.values()].map(({ length }) => length));
        for (const spare of spares) assert.ok((perRoom.get(spare.room)?.length ?? 0) >= most - 1, `${spare.room} has room left`);
      }),
    );
  });

  it('says why a rack is closed, the law first', () => {
    const rules = { jurisdictions: ['ch', 'de'], quarantined: ['r1', 'r2'] };
    assert.equal(closureOf({ id: 'r0', jurisdiction: 'de' }, rules), undefined);
    assert.deepEqual(closureOf({ id: 'r1', jurisdiction: 'ch' }, rules), { kind: 'quarantined', why: 'is in quarantine' });
    assert.deepEqual(closureOf({ id: 'r2', jurisdiction: 'us' }, rules), { kind: 'foreign', why: 'lies in us, not in ch or de' });
  });

  it('names which racks are missing and why where too few are left', () => {
    const refusals = [
      { id: 'r1', why: 'is in quarantine' },
      { id: 'r2', why: 'lies in us, not in ch' },
      { id: 'r3', why: '12 bytes are free', isFull: true },
    ];
    const error = tooFewRacks('a/b', { takers: 15, needed: 16, refusals });
    assert.equal(error.type, 'StoreUnavailable');
    assert.match(
      error.message,
      /15 of the 16 racks needed for "a\/b".*r1 \(is in quarantine\), r2 \(lies in us, not in ch\), r3 \(12 bytes are free\).*end a quarantine/,
    );
    assert.equal(tooFewRacks('a/b', { takers: 15, needed: 16, refusals: refusals.slice(2) }).type, 'OutOfSpace');
    assert.equal(tooFewRacks('a/b', { takers: 0, needed: 16, refusals: [] }).type, 'StoreUnavailable');
  });
});

describe('racks that come and go', () => {
  const rooms = (sizes: readonly number[]): PlacementRack[] =>
    sizes.flatMap((size, room) => Array.from({ length: size }, (_, rack) => ({ id: `r${room}-${rack}`, room: `room-${room}`, availableBytes: 1e12 })));
  const moved = (before: readonly PlacementRack[], after: readonly PlacementRack[], key: string) => {
    const old = idsOf(placeShards(key, before, SHARDS).chosen);
    const now = idsOf(placeShards(key, after, SHARDS).chosen);
    return { left: [...old].filter((id) => !now.has(id)), came: [...now].filter((id) => !old.has(id)) };
  };

  it('a rack that leaves, is lost or goes into quarantine takes only its own shards with it', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.boolean(),
        (key, sizes, which, isLost) => {
          const before = rooms(sizes);
          const gone = before[which % before.length];
          const after = isLost
            ? before.filter((rack) => rack !== gone)
            : before.map((rack) => (rack === gone ? { ...rack, closed: { kind: 'quarantined', why: 'is in quarantine' } as const } : rack));
          const { left, came } = moved(before, after, key);
          assert.ok(
            left.every((id) => id === gone?.id),
            left.join(),
          );
          assert.ok(came.length <= left.length);
        },
      ),
    );
  });

  it('a rack that joins gets the fair share of its room, and nothing moves between the others', () => {
    const before = rooms([5, 5, 5, 5]);
    const after = [...before, { id: 'new', room: 'room-1', availableBytes: 1e12 }];
    let arrived = 0;
    for (const key of keys) {
      const { left, came } = moved(before, after, key);
      assert.ok(came.length <= 1 && left.length === came.length && came.every((id) => id === 'new'));
      arrived += came.length;
    }
    // Its room keeps 4.5 of 18 shards on six racks.
    assert.ok(Math.abs(arrived / keys.length - 0.75) < 0.04, `${arrived / keys.length}`);
  });

  it('free space decides the share within a room', () => {
    const racks = rooms([10]).map((rack, index) => ({ ...rack, availableBytes: index < 5 ? 3e12 : 1e12 }));
    let large = 0;
    for (const key of keys) large += placeShards(key, racks, 2).chosen.filter(({ availableBytes }) => availableBytes === 3e12).length;
    // Three quarters were one shard drawn; the second one is drawn from what is left.
    const share = large / (2 * keys.length);
    assert.ok(share > 0.69 && share < 0.76, `${share}`);
  });
});

describe('the erasure set of a site file', () => {
  const site = async () => parse(await readFile('temporal-dev.yaml', 'utf8'));
  const messageOf = (value: unknown): string =>
    SiteSchema.safeParse(value)
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
      .join('\n') ?? '';
  const copyOf = (racks: readonly unknown[], more: object = {}) => ({ driver: 'posix', root: 'elsewhere', jurisdiction: 'ch', racks, ...more });

  it('has 20 racks in four rooms where it is the embedded one: 18 and two spares', async () => {
    const { racks } = SiteSchema.parse(await site()).erasureSet;
    assert.deepEqual(
      [...Map.groupBy(racks, ({ room }) => room).values()].map(({ length }) => length),
      [5, 5, 5, 5],
    );
    const { chosen, spares } = placeShards('any', racks, SHARDS);
    assert.deepEqual([chosen.length, spares.length], [18, 2]);
  });

  it('is refused with fewer than 18 racks where shards may lie, naming the foreign ones', async () => {
    const file = await site();
    for (const rack of file.erasureSet.racks.slice(0, 3)) rack.jurisdiction = 'us';
    assert.match(messageOf(file), /erasureSet\.racks: at least 18 racks in ch; r01 lies in us, r02 lies in us, r03 lies in us/);
    file.erasureSet.jurisdictions = ['ch', 'us'];
    assert.equal(messageOf(file), '');
  });

  it('is refused where a rack is told twice, or one in quarantine is none of it', async () => {
    const file = await site();
    file.erasureSet.racks[1].id = 'r01';
    file.erasureSet.racks[2].bucket = 'rack-r01';
    file.erasureSet.quarantined = ['r05', 'r99'];
    assert.equal(
      messageOf(file),
      'erasureSet.racks.1.id: one that no other rack of the set has\nerasureSet.racks.2.bucket: one that no other rack of the set has\nerasureSet.quarantined.1: the id of a rack of the set',
    );
  });

  it('is refused with a copy abroad, wholly or in part, or in the very place it copies', async () => {
    const file = await site();
    const { racks } = file.erasureSet;
    file.erasureSet.replicas = { ohio: copyOf(racks, { jurisdiction: 'us' }) };
    assert.match(messageOf(file), /erasureSet\.replicas\.ohio\.jurisdiction: "ch": a copy lies only where erasureSet\.jurisdictions allows/);
    file.erasureSet.replicas = { bern: copyOf(racks.map((rack: object) => ({ ...rack, jurisdiction: 'us' }))) };
    assert.match(messageOf(file), /erasureSet\.replicas\.bern\.racks: at least 18 racks in ch; r01 lies in us/);

    file.stores.racks.endpoint = 'https://s3.example:9000';
    file.erasureSet.replicas = {
      same: {
        ...copyOf(racks),
        driver: 's3',
        endpoint: 'https://s3.example:9000/',
        credentials: { accessKeyId: 'env:A', secretAccessKey: 'env:B' },
        root: undefined,
      },
    };
    assert.match(messageOf(file), /erasureSet\.replicas\.same\.racks\.0\.bucket: a place of its own; erasureSet has this one/);
    file.erasureSet.replicas = { bern: copyOf(racks, { checkpoints: true }) };
    assert.equal(messageOf(file), '');
  });
});
