/** A move cut into units, each done by whoever comes: small entries by pages, a large one by shares; in any order, twice, and by attempts that were believed dead. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { endpointAt } from '../../activities/places.ts';
import { createTransferActivities, type TransferActivities } from '../../activities/transfer.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { readManifest } from '../../datapath/transfer/manifest-store.ts';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { type Location, SYSTEM_BUCKET } from '../../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../../model/manifest.ts';
import type { MoveAnswer, MoveRequest, UnitAnswer } from '../../model/transfer.ts';
import { runActivity } from '../support/run-activity.ts';
import { startTestSite, type TestSite } from '../support/site.ts';

const MIB = 2 ** 20;
let site: TestSite;
let activities: TransferActivities;

before(async () => {
  site = await startTestSite({ services: ['temporal', 's3', 'hot-tier'], policies: { largeFile: '32MiB' } });
  activities = createTransferActivities(site.stores);
  await Promise.all(['data', 'archive'].map((bucket) => site.stores.warm.ensureBucket(bucket)));
});
after(() => site.stop());

const hotFile = (path: string): string => join(site.stores.hotFiles.root, path);
const contentOf = (seed: number, bytes: number): Buffer => Buffer.alloc(bytes, `${seed} penstock `);

async function putHot(folder: string, contents: Readonly<Record<string, Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(contents)) {
    const file = hotFile(`${folder}/${path}`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

const contents = {
  'a.bin': contentOf(1, 1000),
  'big/one.bin': contentOf(2, 80 * MIB + 5),
  'big/two.bin': contentOf(3, 33 * MIB),
  'z.bin': contentOf(4, 9 * MIB),
};

async function listed(source: Location, target: Location): Promise<MoveRequest> {
  const manifest = await runActivity(activities.listTransfer, { name: `transfers/${crypto.randomUUID()}`, source, exclude: [] });
  return { manifest, source, target, replace: false };
}
const units = (request: MoveRequest): number[] => Array.from({ length: request.manifest.units ?? 0 }, (_, unit) => unit);
const moveUnits = (request: MoveRequest, order = units(request)): Promise<UnitAnswer[]> =>
  Promise.all(order.map((unit) => runActivity(activities.moveUnit, { ...request, unit })));
const finish = (request: MoveRequest): Promise<MoveAnswer> => runActivity(activities.finishMove, request);

async function entriesOf(manifest: ManifestRef): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for await (const entry of readManifest(site.stores.warm, manifest)) entries.push(entry);
  return entries;
}
async function assertArrived(answer: MoveAnswer, expected: Readonly<Record<string, Buffer>>, read: (path: string) => Promise<Buffer>): Promise<void> {
  const entries = await entriesOf(answer.moved);
  assert.deepEqual(
    entries.map(({ path, bytes, crc32c }) => ({ path, bytes, crc32c })),
    Object.entries(expected).map(([path, content]) => ({ path, bytes: content.length, crc32c: crc32cOf(content) })),
  );
  for (const [path, content] of Object.entries(expected)) assert.ok((await read(path)).equals(content), path);
}
const readWarm = (bucket: string, prefix: string) => (path: string) => site.stores.warm.readBytes(bucket, `${prefix}${path}`, { limitBytes: 2 ** 30 });
let serial = 0;
function newPlace(store: string, bucket: string): Location {
  serial += 1;
  return { store, bucket, prefix: `set-${serial}/` };
}

describe('a move in units', () => {
  it('is cut into pages and shares, and whole when all were done in any order, twice', async () => {
    const source = newPlace('hot', 'work');
    await putHot(`work/${source.prefix}`, contents);
    for (const target of [newPlace('warm', 'data'), newPlace('hot', 'out')]) {
      const request = await listed(source, target);
      assert.equal(request.manifest.units, 1 + 6 + 3);
      const order = units(request).reverse();
      const answers = await moveUnits(request, [...order, ...order]);
      assert.equal(answers.reduce((sum, { bytes }) => sum + bytes, 0) / 2, request.manifest.bytes);
      const answer = await finish(request);
      assert.deepEqual([answer.files, answer.bytes, answer.failedCount], [4, request.manifest.bytes, 0]);
      await assertArrived(
        answer,
        contents,
        target.store === 'warm' ? readWarm('data', target.prefix) : (path) => readFile(hotFile(`out/${target.prefix}${path}`)),
      );
      assert.deepEqual(await finish(request), answer);
    }
  });

  it('publishes a large entry with its last share, whoever is quickest, and leaves a sweep nothing to end', async () => {
    const source = newPlace('hot', 'work');
    await putHot(`work/${source.prefix}`, contents);
    const name = 'big/one.bin';
    const soon = new Date(Date.now() + 600_000).toISOString();
    const places = [1, 2].flatMap((rivals) => [newPlace('warm', 'data'), newPlace('hot', 'out')].map((target) => ({ target, rivals })));
    for (const { target, rivals } of places) {
      const read = target.store === 'warm' ? readWarm('data', target.prefix) : (path: string) => readFile(hotFile(`out/${target.prefix}${path}`));
      const request = await listed(source, target);
      const [pages = 0, ...shares] = units(request);
      const last = shares[5] ?? 0;
      await moveUnits(request, shares.slice(0, 5));
      await assert.rejects(read(name), 'nothing is there before the last share');
      await moveUnits(request, Array<number>(rivals).fill(last));
      assert.ok((await read(name)).equals(contents[name]));
      const left = await endpointAt(site.stores, target).sweep(soon);
      // A part that comes while its upload is completed may leave the gateway with an upload of that part alone.
      assert.ok(left === 0 || (rivals > 1 && target.store === 'warm' && left === 1), `${left} in ${target.store}, ${rivals} rivals`);
      assert.equal(await endpointAt(site.stores, target).sweep(soon), 0);
      // As if every one that published it had been killed before it could say so.
      await site.stores.warm.remove(SYSTEM_BUCKET, `${request.manifest.prefix}moved/large/0-1/entry.json`);
      await moveUnits(request, [last, last]);
      await moveUnits(request, [pages, ...shares.slice(6)]);
      await assertArrived(await finish(request), contents, read);
    }
  });

  it('takes an entry that one request writes for what it is, however small a large one may be', async () => {
    const [source, target] = [newPlace('hot', 'work'), newPlace('warm', 'data')];
    const { 'big/two.bin': two } = contents;
    await putHot(`work/${source.prefix}`, { 'two.bin': two });
    await site.stores.warm.writeBytes('data', `${target.prefix}two.bin`, Buffer.from('before'));
    const request = { ...(await listed(source, target)), replace: true };
    await moveUnits(request);
    await assertArrived(await finish(request), { 'two.bin': two }, readWarm('data', target.prefix));
  });

  it('tells a large entry that cannot be read as that entry, and moves the rest', async () => {
    const [source, target] = [newPlace('hot', 'work'), newPlace('warm', 'data')];
    await putHot(`work/${source.prefix}`, contents);
    const { hotFiles } = site.stores;
    const rotten: FileStore = {
      ...hotFiles,
      async openFile(path, options) {
        const file = await hotFiles.openFile(path, options);
        return {
          facts: file.facts,
          read: (into, position) =>
            path.endsWith('two.bin') ? Promise.reject(new PenstockError('IoError', 'the disk answered EIO.', { store: 'hot' })) : file.read(into, position),
          verify: () => file.verify(),
          nextData: (offset) => file.nextData(offset),
          attributes: () => file.attributes(),
          close: () => file.close(),
        };
      },
    };
    const ill = createTransferActivities({ ...site.stores, hotFiles: rotten });
    const request = await listed(source, target);
    for (const unit of units(request)) await runActivity(ill.moveUnit, { ...request, unit });
    const answer = await runActivity(ill.finishMove, request);
    assert.deepEqual([answer.files, answer.failed.map(({ path, type }) => [path, type])], [3, [['big/two.bin', 'CorruptSource']]]);
  });

  it('between objects of one service passes no byte here, and ends the same', async () => {
    const source = newPlace('warm', 'data');
    for (const [path, content] of Object.entries(contents)) await site.stores.warm.writeBytes('data', `${source.prefix}${path}`, content);
    const target = newPlace('warm', 'archive');
    const request = await listed(source, target);
    await moveUnits(request);
    await assertArrived(await finish(request), contents, readWarm('archive', target.prefix));
    const again = await listed(source, target);
    const answers = await moveUnits(again);
    assert.equal(
      answers.reduce((sum, { bytes }) => sum + bytes, 0),
      contents['a.bin'].length + contents['z.bin'].length,
      'large ones lie there already',
    );
    await assertArrived(await finish(again), contents, readWarm('archive', target.prefix));
  });

  it('follows a large source that changed between two shares, never mixing its versions', async () => {
    const [source, target] = [newPlace('hot', 'work'), newPlace('warm', 'data')];
    await putHot(`work/${source.prefix}`, { 'big.bin': contentOf(5, 70 * MIB) });
    const request = await listed(source, target);
    const [first = 0, ...rest] = units(request).reverse();
    await moveUnits(request, [first]);
    const changed = { 'big.bin': contentOf(6, 64 * MIB) };
    await putHot(`work/${source.prefix}`, changed);
    await moveUnits(request, rest);
    await assertArrived(await finish(request), changed, readWarm('data', target.prefix));
  });

  it('begins a large entry anew where somebody ended its upload', async () => {
    const [source, target] = [newPlace('hot', 'work'), newPlace('warm', 'data')];
    const big = { 'big.bin': contentOf(7, 70 * MIB) };
    await putHot(`work/${source.prefix}`, big);
    const request = await listed(source, target);
    const [first = 0, ...rest] = units(request).reverse();
    await moveUnits(request, [first]);
    assert.equal(await site.stores.warm.sweep?.('data', target.prefix, new Date(Date.now() + 60_000).toISOString()), 1);
    await moveUnits(request, rest);
    await assertArrived(await finish(request), big, readWarm('data', target.prefix));
    assert.equal(await site.stores.warm.sweep?.('data', target.prefix, new Date(Date.now() + 60_000).toISOString()), 0, 'nothing is left behind');
  });

  it('reports what cannot be moved, once, and moves the rest', async () => {
    const [source, target] = [newPlace('hot', 'work'), newPlace('warm', 'data')];
    await putHot(`work/${source.prefix}`, contents);
    await site.stores.warm.writeBytes('data', `${target.prefix}a.bin`, Buffer.from('something else'));
    await site.stores.warm.writeBytes('data', `${target.prefix}big/one.bin`, Buffer.from('something else'));
    const request = await listed(source, target);
    await moveUnits(request);
    const answer = await finish(request);
    assert.deepEqual([answer.files, answer.failedCount], [2, 2]);
    assert.deepEqual(answer.failed.map(({ path, type }) => [path, type]).toSorted(), [
      ['a.bin', 'Conflict'],
      ['big/one.bin', 'Conflict'],
    ]);
    const { 'big/two.bin': two, 'z.bin': z } = contents;
    await assertArrived(answer, { 'big/two.bin': two, 'z.bin': z }, readWarm('data', target.prefix));
    assert.deepEqual(await finish(request), answer);
  });
});
