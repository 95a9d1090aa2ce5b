import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { doctorText, isShortfall } from '../../../cli/views/doctor.ts';
import { CannotTell, createProber, type ProbeResult, refusalOf } from '../../../drivers/probes/probe.ts';
import { probeRacks } from '../../../drivers/probes/racks.ts';
import type { RackStore } from '../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../model/errors.ts';

const plain = (_color: string, text: string): string => text;
const result = (changes: Partial<ProbeResult>): ProbeResult => ({
  store: 'warm',
  ability: 'put and get',
  works: 'yes',
  isNeeded: true,
  evidence: 'it came back',
  ...changes,
});

test('what works alike in a group is one row, and what does not keeps its own', () => {
  const rack = (id: string, works: ProbeResult['works']) =>
    result({ store: `rack ${id}`, group: 'racks', ability: 'shards', works, evidence: works === 'yes' ? 'came back' : 'timed out' });
  assert.match(doctorText([rack('r01', 'yes'), rack('r02', 'yes')], plain), /racks: all 2 +shards +yes +needed +r01 came back, r02 came back/);
  const mixed = doctorText([rack('r01', 'yes'), rack('r02', 'no')], plain);
  assert.match(mixed, /rack r02 +shards +no +needed +timed out/);
  assert.match(mixed, /1 of what the site's policies need is missing: rack r02: shards$/);
});

test('only a needed ability that is not there is a shortfall; what cannot be told from here is not', () => {
  assert.deepEqual([result({}), result({ works: 'no' }), result({ works: 'unknown' }), result({ works: 'no', isNeeded: false })].map(isShortfall), [
    false,
    true,
    false,
    false,
  ]);
  assert.match(doctorText([result({ works: 'no', isNeeded: false })], plain), /all that the site's policies need is there$/);
});

test('evidence from a store cannot forge a row', () => {
  const text = doctorText([result({ evidence: 'x\x1b[2K\nwarm  lock  yes' })], plain);
  assert.match(text, /x\\u001b\[2K\\u000awarm {2}lock {2}yes$/m);
  assert.ok(!text.includes('\x1b'));
});

test('a probe tells yes from no from cannot tell by its effect', async () => {
  const prober = createProber('warm');
  await prober.needed('kept', async () => 'seen');
  await prober.needed('refused', async () => {
    await refusalOf(() => Promise.resolve('200'), 'it answered 200 and did nothing');
    return 'never';
  });
  await prober.optional('far', () => Promise.reject(new CannotTell('not from here')));
  await prober.optional('wrong', async () => {
    throw new Error('other bytes came back\nwith details');
  });
  assert.deepEqual(
    prober.results.map(({ works, evidence }) => [works, evidence]),
    [
      ['yes', 'seen'],
      ['no', 'it answered 200 and did nothing'],
      ['unknown', 'not from here'],
      ['no', 'other bytes came back'],
    ],
  );
});

/** In memory; `replaces`: it takes a second manifest without a word. */
function rack(id: string, behaviour: 'sound' | 'replaces' | 'dead' = 'sound'): RackStore {
  const held = new Map<string, Buffer>();
  const answer = <T>(value: () => T): Promise<T> =>
    behaviour === 'dead' ? Promise.reject(new PenstockError('StoreUnavailable', 'no answer.', { store: id })) : Promise.resolve().then(value);
  return {
    id,
    room: 'a',
    freeBytes: () => answer(() => 1),
    writeShard: async (key, { blocks }) => {
      const body = await buffer(blocks);
      await answer(() => held.set(key, body));
    },
    readInto: (key, into) =>
      answer(() => {
        const body = held.get(key) ?? Buffer.alloc(0);
        return { bytes: body.copy(into), totalBytes: body.length };
      }),
    shardBytes: (key) => answer(() => held.get(key)?.length),
    writeManifest: (key, body) =>
      answer(() => {
        if (held.has(key) && behaviour === 'sound') throw new PenstockError('Conflict', 'taken.');
        held.set(key, body);
      }),
    readManifest: (key) => answer(() => held.get(key)),
    list: () => answer(() => ({ keys: [...held.keys()], next: undefined })),
    remove: (key) => answer(() => void held.delete(key)),
  };
}
const racks = (sound: number, ...others: RackStore[]): RackStore[] => [...Array.from({ length: sound }, (_, index) => rack(`r${index}`)), ...others];

test('a rack that lets a manifest be replaced is found out', async () => {
  const results = await probeRacks(racks(17, rack('r99', 'replaces')), 'run');
  assert.deepEqual(
    results.filter(isShortfall).map(({ store, evidence }) => [store, evidence]),
    [['rack r99', 'a manifest could be replaced']],
  );
});

test('spare racks may be dead: eighteen are enough, seventeen are not', async () => {
  assert.equal((await probeRacks(racks(18, rack('r98', 'dead'), rack('r99', 'dead')), 'run')).filter(isShortfall).length, 0);
  assert.equal((await probeRacks(racks(17, rack('r98', 'dead')), 'run')).filter(isShortfall).length, 1);
});

test('the probes leave nothing on a rack', async () => {
  const sound = rack('r01');
  await probeRacks([sound], 'run');
  assert.deepEqual((await sound.list('')).keys, []);
});
