import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { openPack, openPackObject, type PackMember, packContent, packOf, splitPack } from '../../../../datapath/erasure/index.ts';
import { HEADER_BYTES, shardKey } from '../../../../datapath/erasure/layout.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { impatient, memorySite, noise, sha256, streamOf, write } from './support.ts';

type Content = PackMember & { readonly content: Buffer };
const corrupt = (error: unknown) => error instanceof PenstockError && error.type === 'CorruptSource';

function member(name: string, content: Buffer): Content {
  return { name, bytes: content.length, crc32c: crc32c(content), modifiedAtMilliseconds: 0, mode: 0o644, content };
}
const members = (count: number, bytes: (index: number) => number): Content[] =>
  Array.from({ length: count }, (_, index) => member(`part-${String(index).padStart(6, '0')}`, noise(bytes(index), index + 1)));
const source = {
  store: 'rack',
  async read({ content }: Content, into: Buffer) {
    content.copy(into);
  },
};
const bytesOf = (all: readonly Content[]): Promise<Buffer> => buffer(packContent(packOf(all), source));

/** In memory, with what was asked of it. */
function packBytes(pack: Buffer) {
  const reads: [number, number][] = [];
  const read = async (start: number, bytes: number) => {
    reads.push([start, bytes]);
    return Readable.from([pack.subarray(start, start + bytes)]);
  };
  return { bytes: pack.length, read, reads };
}

describe('writing a pack', () => {
  it('makes the announced number of bytes, and the same for the same files, over batches and members larger than one', async () => {
    const all = members(40, (index) => (index === 7 ? 9_000_000 : index * 20_000));
    const first = await bytesOf(all);
    assert.equal(first.length, packOf(all).bytes);
    assert.equal(sha256(first), sha256(await bytesOf(all)));
  });

  it('fails, naming it, where a member is not what the index would say', async () => {
    const all = members(30, () => 1000);
    const bad = { ...source, read: async (each: Content, into: Buffer) => void (each.name === 'part-000021' ? into.fill(1) : each.content.copy(into)) };
    await assert.rejects(
      buffer(packContent(packOf(all), bad)),
      (error) => error instanceof PenstockError && error.type === 'ChecksumMismatch' && /part-000021/.test(error.message),
    );
  });

  it('has another id for another time, mode, name or content', () => {
    const [first, ...rest] = members(3, () => 10);
    assert.ok(first);
    const ids = [first, { ...first, mode: 1 }, { ...first, modifiedAtMilliseconds: 1 }, { ...first, name: 'a' }, { ...first, crc32c: 1 }].map(
      (each) => packOf([each, ...rest]).id,
    );
    assert.equal(new Set(ids).size, 5);
  });
});

describe('reading a pack', () => {
  it('gives one member for two range reads, of the end and of the member', async () => {
    const all = members(500, (index) => 10_000 + index);
    const pack = packBytes(await bytesOf(all));
    const opened = await openPack(pack);
    assert.ok((await buffer(await opened.read('part-000123'))).equals(noise(10_123, 124)));
    assert.deepEqual([pack.reads.length, pack.reads[1]?.[1]], [2, 10_123]);
    await assert.rejects(opened.read('part-000500'), (error) => error instanceof PenstockError && error.type === 'NotFound');
  });

  it('asks once more for an index that is longer than the first read', async () => {
    const all = members(40_000, () => 1);
    const pack = packBytes(await bytesOf(all));
    assert.equal((await openPack(pack)).members.length, 40_000);
    assert.equal(pack.reads.length, 2);
  });

  it('never gives a member out as whole that is damaged', async () => {
    const pack = await bytesOf(members(3, () => 100));
    pack[150] = (pack[150] ?? 0) ^ 4;
    const opened = await openPack(packBytes(pack));
    await assert.rejects(buffer(await opened.read('part-000001')), (error) => error instanceof PenstockError && error.type === 'ChecksumMismatch');
    assert.equal((await buffer(await opened.read('part-000002'))).length, 100);
  });

  it('as it streams by finds any flipped byte, a cut and what does not belong to it', async () => {
    const all = members(3, () => 20);
    const pack = await bytesOf(all);
    const split = async (content: Buffer) => {
      const given: string[] = [];
      for await (const each of splitPack(streamOf(content, 13), packOf(all))) given.push(each.member.name);
      return given;
    };
    assert.equal((await split(pack)).length, 3);
    for (let position = 0; position < pack.length; position++) {
      const flipped = Buffer.from(pack);
      flipped[position] = (flipped[position] ?? 0) ^ 0x40;
      await assert.rejects(split(flipped), corrupt, `byte ${position}`);
      await assert.rejects(split(pack.subarray(0, position)), corrupt, `cut to ${position}`);
    }
    await assert.rejects(split(Buffer.concat([pack, Buffer.alloc(1)])), corrupt);
  });

  it('from the erasure set reads around rotten cells and says so', async () => {
    const racks = memorySite();
    const all = members(200, () => 2_000);
    const key = 'a1/penstock-packs/x.pack';
    const { manifest } = await write(racks, key, await bytesOf(all));
    const opened = await openPackObject({ racks, key, patience: impatient });
    const pack = await openPack(opened);
    // Cells of data shards 1 and 2 hold the members around byte 50,000.
    for (const index of [1, 2]) {
      const rack = racks.find(({ id }) => manifest.shards.some((shard) => shard.index === index && shard.rack === id));
      const shard = rack?.objects.get(shardKey(key, manifest.writeId, index));
      assert.ok(shard);
      shard[HEADER_BYTES + 500] = (shard[HEADER_BYTES + 500] ?? 0) ^ 1;
    }
    for (let index = 10; index < 50; index++) {
      const name = `part-${String(index).padStart(6, '0')}`;
      assert.ok((await buffer(await pack.read(name))).equals(noise(2_000, index + 1)), name);
    }
    assert.deepEqual(new Set(opened.findings().map(({ index, kind }) => `${index} ${kind}`)), new Set(['1 rotten', '2 rotten']));
  });
});
