import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readCommitRecord } from '../../../../datapath/checkpoint/commit.ts';
import { drainFiles, removeDrained, verifyFiles } from '../../../../datapath/checkpoint/drain.ts';
import { readDrainedRecord } from '../../../../datapath/checkpoint/drained.ts';
import { restoreFiles } from '../../../../datapath/checkpoint/restore.ts';
import { findErasureObject, listErasureObjects, newWriteId, openPack, openPackObject, writeErasureObject } from '../../../../datapath/erasure/index.ts';
import { MEMBER_BYTES_BELOW } from '../../../../datapath/erasure/pack-format.ts';
import type { FileStore } from '../../../../drivers/file-store/port.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { ofType } from '../../../support/of-type.ts';
import { failAll, keysOn, type MemoryRack, noise } from '../erasure/support.ts';
import { checkpointSite, DIRECTORY, MODIFIED, PREFIX, withFilesInMemory } from './support.ts';

let site: Awaited<ReturnType<typeof checkpointSite>>;
beforeEach(async () => {
  site = await checkpointSite();
});
afterEach(() => site.close());

const smallFiles = (count: number): Map<string, Buffer> =>
  new Map(Array.from({ length: count }, (_, index) => [`shards/${index % 7}/part-${String(index).padStart(5, '0')}.bin`, noise(index % 97, index + 1)]));
const keysOf = async (): Promise<readonly string[]> => (await listErasureObjects({ racks: site.racks, prefix: PREFIX })).keys;
const packsOf = async () => (await keysOf()).filter((key) => key.startsWith(`${PREFIX}penstock-packs/`));

/** As the drain did before there were packs: each file an object, and the commit record as it is. */
async function drainAsBefore(files: ReadonlyMap<string, Buffer>): Promise<void> {
  const put = (name: string, body: Buffer) =>
    writeErasureObject({ racks: site.racks, key: `${PREFIX}${name}`, content: Readable.from([body]), bytes: body.length, writeId: newWriteId() });
  for (const [path, body] of files) await put(path, body);
  await put('penstock-commit.json', Buffer.from(JSON.stringify(await readCommitRecord(site.rack, DIRECTORY))));
}

describe('a drained checkpoint', () => {
  it('of small files and large ones comes back byte for byte and with its times, with any four racks gone', async () => {
    const files = smallFiles(60)
      .set('model.bin', noise(MEMBER_BYTES_BELOW + 5))
      .set('optimizer/state.bin', noise(3_000_000, 3))
      .set('empty', Buffer.alloc(0));
    await site.commit(files);
    await drainFiles(site.drain);
    await verifyFiles(site.inErasureSet);
    assert.deepEqual((await packsOf()).length, 1);
    assert.equal((await keysOf()).length, 3, 'a pack, the large file, the record');
    for (const index of [0, 6, 11, 17]) failAll(site.racks[index] as MemoryRack);
    const { degradedRacks, lateRacks: _late, ...facts } = await restoreFiles(site.restore);
    const gone = [0, 6, 11, 17].map((index) => site.racks[index]?.id);
    assert.ok(degradedRacks.length > 0 && degradedRacks.every((id) => gone.includes(id)), degradedRacks.join());
    assert.deepEqual(facts, { files: files.size, bytes: [...files.values()].reduce((sum, { length }) => sum + length, 0) });
    assert.deepEqual(sorted(await site.restored()), sorted(files));
    for (const path of ['model.bin', 'empty', 'shards/0/part-00000.bin']) assert.deepEqual(await site.modifiedAt(path), MODIFIED);
  });

  it('comes back past a rack that does not hurry, which is told as slow and not as degraded', async () => {
    await site.commit(new Map([['model.bin', noise(MEMBER_BYTES_BELOW)]]));
    await drainFiles(site.drain);
    const slow = (await findErasureObject({ racks: site.racks, key: `${PREFIX}model.bin` }))?.shards.find(({ index }) => index === 0)?.rack;
    assert.ok(slow);
    const holding = (rack: RackStore): RackStore => ({
      ...rack,
      readInto: (key, into, options) => (key.includes('model.bin') ? new Promise(() => undefined) : rack.readInto(key, into, options)),
    });
    const racks = site.racks.map((rack): RackStore => (rack.id === slow ? holding(rack) : rack));
    const { degradedRacks, lateRacks } = await restoreFiles({ ...site.restore, racks });
    assert.deepEqual([degradedRacks, lateRacks.includes(slow)], [[], true]);
  });

  it('whose restore fails is written no further: what was under way is called off before the failure is told', async () => {
    const files = new Map(Array.from({ length: 6 }, (_, index) => [`large-${index}`, noise(MEMBER_BYTES_BELOW, index + 1)]));
    await site.commit(files);
    await drainFiles(site.drain);
    const [begun, ended]: [string[], string[]] = [[], []];
    const write: FileStore['write'] = async (path, _content, { signal } = {}) => {
      begun.push(path);
      if (path.endsWith('large-0')) throw new PenstockError('OutOfSpace', 'no room');
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      ended.push(path);
      throw signal?.reason;
    };
    await assert.rejects(restoreFiles({ ...site.restore, target: { ...site.restore.target, write } }), ofType('OutOfSpace'));
    assert.deepEqual(ended.length, begun.length - 1, 'nothing goes on behind the caller');
    assert.ok(begun.length < files.size, 'nothing is begun after a failure');
  });

  it('of 10,000 small files is two objects: on no rack more than two shards and two manifests', async () => {
    const source = await withFilesInMemory(site.rack, smallFiles(10_000));
    const seen: number[] = [];
    await drainFiles({ ...site.drain, source, onProgress: ({ doneFiles }) => seen.push(doneFiles) });
    await verifyFiles(site.inErasureSet);
    assert.equal((await keysOf()).length, 2);
    for (const { objects } of site.racks) {
      assert.ok([...objects.keys()].filter((key) => key.startsWith('ec/v1/shards/')).length <= 2);
      assert.ok([...objects.keys()].filter((key) => key.startsWith('ec/v1/manifests/')).length <= 2);
    }
    assert.equal(keysOn(site.racks, 'ec/v1/').length, 2 * (18 + 5));
    assert.equal(seen.at(-1), 10_000);
  });

  it('gives back one file alone, from a pack or an object of its own, and reads little of the pack for it', async () => {
    const files = smallFiles(50).set('a-large', noise(MEMBER_BYTES_BELOW)).set('middle.bin', noise(5_000_000));
    await site.commit(files);
    await drainFiles(site.drain);
    const path = 'shards/3/part-00003.bin';
    const read = countReads();
    const { lateRacks: _late, ...alone } = await restoreFiles({ ...site.restore, only: [path] });
    assert.deepEqual(alone, { files: 1, bytes: 3, degradedRacks: [] });
    assert.deepEqual(sorted(await site.restored()), sorted(new Map([[path, files.get(path) ?? Buffer.alloc(0)]])));
    assert.ok(read() < 3_000_000, `${read()} bytes read of a pack of 5 MB`);
    await restoreFiles({ ...site.restore, only: ['a-large', 'shards/1/part-00001.bin'] });
    assert.deepEqual([...(await site.restored()).keys()].sort(), ['a-large', 'shards/1/part-00001.bin', path]);
    await assert.rejects(restoreFiles({ ...site.restore, only: ['nowhere'] }), ofType('NotFound'));
  });

  it('of before there were packs is verified, restored whole and in part, and removed', async () => {
    const files = smallFiles(5);
    await site.commit(files);
    await drainAsBefore(files);
    await drainFiles(site.drain);
    assert.equal((await keysOf()).length, 6, 'a repeat adds nothing to it');
    await verifyFiles(site.inErasureSet);
    await restoreFiles({ ...site.restore, only: ['shards/2/part-00002.bin'] });
    assert.deepEqual([...(await site.restored()).keys()], ['shards/2/part-00002.bin']);
    await restoreFiles(site.restore);
    assert.deepEqual(sorted(await site.restored()), sorted(files));
    await removeDrained(site.inErasureSet);
    assert.deepEqual(keysOn(site.racks, ''), []);
  });

  it('is not there before its record, and nothing of it is left once removed', async () => {
    await site.commit(smallFiles(20));
    for (const rack of site.racks) rack.faults.set('writeManifest', (key) => (key.includes('penstock-commit.json') ? 'fail' : undefined));
    await assert.rejects(drainFiles(site.drain));
    assert.equal((await packsOf()).length, 1);
    assert.equal(await readDrainedRecord(site.inErasureSet), undefined);
    await assert.rejects(restoreFiles(site.restore), ofType('NotFound'));
    for (const rack of site.racks) rack.faults.clear();
    await drainFiles(site.drain);
    assert.equal((await packsOf()).length, 1, 'the second attempt found the pack of the first');
    const unread: FileStore = { ...site.rack, openFile: (path) => assert.fail(`${path} is read again`) };
    await drainFiles({ ...site.drain, source: unread });
    await removeDrained(site.inErasureSet);
    assert.deepEqual(keysOn(site.racks, ''), []);
  });

  it('is settled by one record where two attempts at once saw other times and modes of the same files', async () => {
    const files = smallFiles(30);
    await site.commit(files);
    const touched: FileStore = {
      ...site.rack,
      async openFile(path, options) {
        const file = await site.rack.openFile(path, options);
        return {
          facts: { ...file.facts, modifiedAt: '2026-07-08T09:10:11.000Z' },
          read: (into, position) => file.read(into, position),
          verify: () => file.verify(),
          nextData: (position) => file.nextData(position),
          attributes: async () => ({ mode: 0o600 }),
          close: () => file.close(),
        };
      },
    };
    const written = new Set<string>();
    for (const rack of site.racks) {
      const writeManifest = rack.writeManifest.bind(rack);
      rack.writeManifest = async (key, body, options) => {
        await writeManifest(key, body, options);
        if (key.startsWith('ec/v1/manifests/') && key.includes('/penstock-packs/')) written.add(key);
      };
    }
    await Promise.all([drainFiles(site.drain), drainFiles({ ...site.drain, source: touched, attempt: 'two' })]);
    assert.equal(written.size, 2, 'each made a pack of its own');
    assert.equal((await packsOf()).length, 1, "and the loser's is gone");
    const record = await readDrainedRecord(site.inErasureSet);
    assert.ok(record?.formatVersion === 2);
    assert.ok(await findErasureObject({ racks: site.racks, key: `${PREFIX}${record.packs[0]?.name}` }));
    await verifyFiles(site.inErasureSet);
    await restoreFiles(site.restore);
    assert.deepEqual(sorted(await site.restored()), sorted(files));
  });

  it('is refused where a small file is no longer what was committed, shorter, longer or other, and is not offered then', async () => {
    await site.commit(smallFiles(20));
    const path = site.inRack('shards/6/part-00013.bin');
    for (const [content, type] of [
      [noise(13, 99), 'CorruptSource'],
      [noise(12, 14), 'SourceChanged'],
      [noise(14, 14), 'SourceChanged'],
    ] as const) {
      await writeFile(path, content);
      await assert.rejects(drainFiles(site.drain), (error) => ofType(type)(error) && /part-00013/.test(String(error)));
    }
    assert.deepEqual(keysOn(site.racks, ''), []);
  });

  it('is refused where a large file is no longer what was committed, and leaves nothing of it', async () => {
    await site.commit(new Map([['model.bin', noise(MEMBER_BYTES_BELOW)]]));
    await writeFile(site.inRack('model.bin'), noise(MEMBER_BYTES_BELOW, 2));
    await assert.rejects(drainFiles(site.drain), (error) => ofType('CorruptSource')(error) && /model\.bin/.test(String(error)));
    await writeFile(site.inRack('model.bin'), noise(MEMBER_BYTES_BELOW + 1));
    await assert.rejects(drainFiles(site.drain), ofType('SourceChanged'));
    assert.deepEqual(keysOn(site.racks, ''), []);
  });

  it('names its members in the pack itself, for whoever has lost the record', async () => {
    await site.commit(smallFiles(10));
    await chmod(site.inRack('shards/4/part-00004.bin'), 0o751);
    await drainFiles(site.drain);
    const [key = ''] = await packsOf();
    const { members } = await openPack(await openPackObject({ racks: site.racks, key }));
    assert.deepEqual(
      members.map(({ name, bytes }) => [name, bytes]),
      [...smallFiles(10)].map(([name, { length }]) => [name, length]).sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1)),
    );
    const found = members.find(({ name }) => name === 'shards/4/part-00004.bin');
    assert.deepEqual([found?.mode, found?.modifiedAtMilliseconds], [0o751, MODIFIED.getTime()]);
  });
});

const sorted = (files: ReadonlyMap<string, Buffer>) => [...files].sort(([a], [b]) => (a < b ? -1 : 1));

/** @returns how many bytes the racks have given since */
function countReads(): () => number {
  let bytes = 0;
  for (const rack of site.racks) {
    const readInto = rack.readInto.bind(rack);
    rack.readInto = async (...call) => {
      const reading = await readInto(...call);
      bytes += reading.bytes;
      return reading;
    };
  }
  return () => bytes;
}
