/** Copies in a second set: of equal content, whole, read back, and a checkpoint never before its files. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ReplicatePart, replicatePart } from '../../../../datapath/checkpoint/replicate.ts';
import { replicateErasureObject } from '../../../../datapath/erasure/replicate.ts';
import { noReplication } from '../../../../model/replication.ts';
import { failAll, impatient, keysOn, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const CHECKPOINT = 'acme/vision/a1/checkpoints/c1/';
const part = (from: readonly MemoryRack[], to: readonly MemoryRack[], more: Partial<ReplicatePart> = {}) =>
  replicatePart({ from, to, prefix: '', existing: 'believe', limitMilliseconds: 60_000, signal: new AbortController().signal, ...more });
const shardsOf = (racks: readonly MemoryRack[], key: string) => keysOn(racks, `ec/v1/shards/${key}/@`);

function flipped(shard: Buffer | undefined, at: number): Buffer {
  const body = Buffer.from(shard ?? '');
  body[at] = (body[at] ?? 0) ^ 1;
  return body;
}

/** Of the object's shards there the first ones. */
function rot(to: readonly MemoryRack[], shards: number): void {
  for (const name of shardsOf(to, 'object').slice(0, shards)) {
    const [rack = '', key = ''] = name.split(/:(.*)/s);
    const { objects } = to.find(({ id }) => id === rack) ?? assert.fail();
    objects.set(key, flipped(objects.get(key), 5000));
  }
}

describe('an object copied to a second set', () => {
  it('is read there byte for byte with the first set gone, and is there once however often it is copied', async () => {
    const [from, to] = [memorySite(20), memorySite(18)];
    const data = noise(300_000);
    await write(from, 'object', data);
    const copy = () => replicateErasureObject({ from, to, key: 'object', patience: impatient });
    assert.deepEqual(await copy(), { outcome: 'copied', bytes: 300_000, margin: 4 });
    assert.deepEqual(await copy(), { outcome: 'existed', bytes: 300_000, margin: 4 });
    assert.equal(shardsOf(to, 'object').length, 18);
    for (const rack of from) failAll(rack);
    assert.ok((await read(to, 'object')).equals(data));
  });

  it('comes from a first set with four racks gone', async () => {
    const [from, to] = [memorySite(18), memorySite(18)];
    await write(from, 'object', noise(300_000));
    for (const rack of from.slice(0, 4)) failAll(rack);
    assert.equal((await replicateErasureObject({ from, to, key: 'object', patience: impatient })).outcome, 'copied');
  });

  it('is a Conflict where the key has other content there, which stays', async () => {
    const [from, to] = [memorySite(), memorySite()];
    await write(from, 'object', noise(1000, 1));
    await write(to, 'object', noise(1000, 2));
    await assert.rejects(replicateErasureObject({ from, to, key: 'object', patience: impatient }), { name: 'Conflict' });
    assert.ok((await read(to, 'object')).equals(noise(1000, 2)));
  });

  it('is finished where its commit was left halfway, and written anew where its shards are gone', async () => {
    const [from, to] = [memorySite(), memorySite()];
    await write(from, 'object', noise(1000));
    const copy = () => replicateErasureObject({ from, to, key: 'object', patience: impatient });
    await copy();
    const manifests = () => keysOn(to, 'ec/v1/manifests/object/');
    for (const rack of to.filter(({ objects }) => objects.has('ec/v1/manifests/object/@manifest.jsonl')).slice(1))
      rack.objects.delete('ec/v1/manifests/object/@manifest.jsonl');
    assert.equal(manifests().length, 1);
    assert.equal((await copy()).outcome, 'existed');
    assert.equal(manifests().length, 5);
    for (const rack of to) for (const name of [...rack.objects.keys()]) if (name.includes('/shards/')) rack.objects.delete(name);
    assert.equal((await copy()).outcome, 'copied');
    assert.ok((await read(to, 'object')).equals(noise(1000)));
  });

  it('that rotted there is found where existing ones are read back too, and only there', async () => {
    const [from, to] = [memorySite(), memorySite()];
    await write(from, 'object', noise(100_000));
    const copy = (existing: 'believe' | 'verify') => replicateErasureObject({ from, to, key: 'object', existing, patience: impatient });
    await copy('believe');
    rot(to, 3);
    assert.equal((await copy('believe')).outcome, 'existed');
    await assert.rejects(copy('verify'), { name: 'CorruptSource', message: /margin of 1 .*Repair it at its own site/ });
  });

  it('that rotted there is mended from its own shards where that is asked, and copied anew where they are too few', async () => {
    const [from, to] = [memorySite(), memorySite()];
    const data = noise(100_000);
    await write(from, 'object', data);
    const mend = () => replicateErasureObject({ from, to, key: 'object', existing: 'mend', patience: impatient });
    assert.equal((await mend()).outcome, 'copied');
    assert.deepEqual(await mend(), { outcome: 'existed', bytes: 100_000, margin: 4 });
    rot(to, 3);
    assert.deepEqual(await mend(), { outcome: 'mended', bytes: 100_000, margin: 4 });
    rot(to, 5);
    assert.deepEqual(await mend(), { outcome: 'copied', bytes: 100_000, margin: 4 });
    for (const rack of from) failAll(rack);
    assert.ok((await read(to, 'object')).equals(data));
  });

  it('that cannot be read there is not removed while it cannot be read here either, or while racks there are silent', async () => {
    const [from, to] = [memorySite(), memorySite()];
    await write(from, 'object', noise(100_000));
    const mend = () => replicateErasureObject({ from, to, key: 'object', existing: 'mend', patience: impatient });
    await mend();
    rot(to, 5);
    const before = keysOn(to, '').sort();
    rot(from, 5);
    await assert.rejects(mend(), { name: 'NotEnoughShards' });
    assert.deepEqual(keysOn(to, '').sort(), before);
    rot(from, 5);
    const silent = to.filter(({ objects }) => [...objects.keys()].some((name) => name.includes('/shards/'))).at(-1);
    assert.ok(silent);
    failAll(silent);
    await assert.rejects(mend(), { name: 'StoreUnavailable', message: /not all of it was seen: r\d\d\./ });
    silent.faults.clear();
    assert.deepEqual(keysOn(to, '').sort(), before);
  });

  it('that comes back rotten is taken away again, and good the next time; one whose racks fall silent is left and read again', async () => {
    const [from, to] = [memorySite(18), memorySite(18)];
    await write(from, 'object', noise(100_000));
    const copy = (existing: 'believe' | 'verify' = 'believe') => replicateErasureObject({ from, to, key: 'object', existing, patience: impatient });
    const bad = to.slice(0, 3);
    // Rotten as soon as the manifest is there: behind what the writer itself reads back.
    for (const rack of to) {
      const writeManifest = rack.writeManifest.bind(rack);
      Object.assign(rack, {
        writeManifest: async (key: string, body: Buffer) => {
          await writeManifest(key, body);
          for (const { objects } of bad.splice(0)) for (const [name, shard] of objects) if (name.includes('/shards/')) objects.set(name, flipped(shard, 5000));
        },
      });
    }
    await assert.rejects(copy(), { name: 'StoreUnavailable', message: /taken away again/ });
    assert.deepEqual(keysOn(to, ''), []);
    assert.equal((await copy()).outcome, 'copied');

    for (const rack of to.slice(0, 3)) failAll(rack);
    await assert.rejects(copy('verify'), { name: 'StoreUnavailable', message: /read again until the racks answer/ });
    for (const rack of to) rack.faults.clear();
    assert.deepEqual(await copy('verify'), { outcome: 'existed', bytes: 100_000, margin: 4 });
  });

  it('is nothing where the object went away meanwhile', async () => {
    assert.equal((await replicateErasureObject({ from: memorySite(), to: memorySite(), key: 'object', patience: impatient })).outcome, 'gone');
  });

  it('leaves nothing in a second set that takes too few shards, and says so as what may pass', async () => {
    const [from, to] = [memorySite(), memorySite(18)];
    await write(from, 'object', noise(1000));
    for (const rack of to.slice(0, 3)) failAll(rack);
    await assert.rejects(replicateErasureObject({ from, to, key: 'object', patience: impatient }), { name: 'StoreUnavailable' });
    assert.deepEqual(keysOn(to, ''), []);
  });
});

describe('a prefix copied to a second set', () => {
  it('is all objects under it and no others, page by page', async () => {
    const [from, to] = [memorySite(18), memorySite(18)];
    for (const key of ['a/1', 'a/2', 'a/3', 'b/1']) await write(from, key, noise(500));
    const first = await part(from, to, { prefix: 'a/', limitMilliseconds: 0 });
    assert.deepEqual([first.copied, first.after], [2, 'a/2']);
    const second = await part(from, to, { prefix: 'a/', limitMilliseconds: 0, after: first.after });
    assert.deepEqual([second.copied, second.after, second.leastMargin], [1, undefined, 4]);
    assert.deepEqual(shardsOf(to, 'b/1'), []);
    assert.deepEqual(await part(from, to, { prefix: 'none/' }), noReplication);
  });

  it('goes on past what cannot be copied, and names it', async () => {
    const [from, to] = [memorySite(18), memorySite(18)];
    for (const key of ['a', 'b', 'c']) await write(from, key, noise(500));
    await write(to, 'b', noise(500, 2));
    const { copied, notCopiedCount, notCopied } = await part(from, to);
    assert.deepEqual([copied, notCopiedCount, notCopied.map(({ key, type }) => [key, type])], [2, 1, [['b', 'Conflict']]]);
  });

  it('counts what it mends beside what was there', async () => {
    const [from, to] = [memorySite(), memorySite()];
    for (const key of ['object', 'other']) await write(from, key, noise(100_000));
    const copied = await part(from, to);
    assert.deepEqual([copied.copied, copied.existed, copied.mended], [2, 0, undefined]);
    rot(to, 1);
    const mended = await part(from, to, { existing: 'mend' });
    assert.deepEqual([mended.copied, mended.existed, mended.mended, mended.leastMargin], [0, 2, 1, 4]);
  });

  it('has the record of a checkpoint only once all of it is there', async () => {
    const [from, to] = [memorySite(18), memorySite(18)];
    const order: string[] = [];
    for (const name of ['a', 'penstock-commit.json', 'z']) await write(from, CHECKPOINT + name, noise(500));
    for (const rack of to) {
      const writeManifest = rack.writeManifest.bind(rack);
      Object.assign(rack, {
        writeManifest: async (key: string, ...more: [Buffer]) => {
          order.push(key.slice(`ec/v1/manifests/${CHECKPOINT}`.length).split('/')[0] ?? '');
          await writeManifest(key, ...more);
        },
      });
    }
    assert.equal((await part(from, to)).copied, 3);
    assert.deepEqual([...new Set(order)], ['a', 'z', 'penstock-commit.json']);
  });

  it('leaves the record out where one of its files cannot be copied', async () => {
    const [from, to] = [memorySite(18), memorySite(18)];
    for (const name of ['a', 'penstock-commit.json', 'z']) await write(from, CHECKPOINT + name, noise(500));
    await write(to, `${CHECKPOINT}z`, noise(500, 2));
    const { copied, notCopied } = await part(from, to);
    assert.equal(copied, 1);
    assert.ok(notCopied.some(({ key, type }) => key === `${CHECKPOINT}penstock-commit.json` && type === 'CheckpointIncomplete'));
    assert.deepEqual(shardsOf(to, `${CHECKPOINT}penstock-commit.json`), []);
  });

  it('has the record only with all that it names, and whatever else lies there does not hold it up', async () => {
    const [from, to] = [memorySite(18), memorySite(18)];
    const files = ['a', 'z'].map((path) => ({ path, bytes: 500, crc32c: 'AAAAAA==' }));
    const record = { formatVersion: 1, checkpointId: 'c1', committedAt: '2026-11-21T08:00:00.000Z', digest: '0'.repeat(64), bytes: 1000, files };
    await write(from, `${CHECKPOINT}a`, noise(500));
    await write(from, `${CHECKPOINT}stray`, noise(500));
    await write(to, `${CHECKPOINT}stray`, noise(500, 2));
    await write(from, `${CHECKPOINT}penstock-commit.json`, Buffer.from(JSON.stringify(record)));
    const refused = async () => (await part(from, to)).notCopied.map(({ key, type }) => `${key.slice(CHECKPOINT.length)} ${type}`);
    assert.deepEqual(await refused(), ['penstock-commit.json CheckpointIncomplete', 'stray Conflict'], 'z is nowhere');
    assert.deepEqual(shardsOf(to, `${CHECKPOINT}penstock-commit.json`), []);
    await write(from, `${CHECKPOINT}z`, noise(500));
    assert.deepEqual(await refused(), ['stray Conflict']);
    assert.equal(shardsOf(to, `${CHECKPOINT}penstock-commit.json`).length, 18);
  });
});
