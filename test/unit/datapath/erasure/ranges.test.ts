/** Ranges touch only the cells they need; every cell is checked. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ErasureManifest, readErasureBlocks, readErasureObject } from '../../../../datapath/erasure/index.ts';
import { DATA_SHARDS, FOOTER_BYTES, HEADER_BYTES, shardBytes, shardKey, TABLE_ENTRY_BYTES } from '../../../../datapath/erasure/layout.ts';
import { layoutOf } from '../../../../datapath/erasure/manifest.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { impatient, type MemoryRack, memorySite, noise, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
/** Three stripes, and shards too large to be read whole at once. */
const BYTES = 30_000_000;
const data = noise(BYTES);

describe('a range of an object', () => {
  it('asks the racks of its cells, and no other, for those cells and what checks them', async () => {
    const { racks, manifest } = await stored();
    const { cellBytes } = manifest;
    const perShard = HEADER_BYTES + manifest.stripes * TABLE_ENTRY_BYTES + FOOTER_BYTES;
    const stripeBytes = DATA_SHARDS * cellBytes;
    const cases: [start: number, end: number, cells: Record<number, number>][] = [
      [0, 0, { 0: 1 }],
      [cellBytes - 1, cellBytes, { 0: 1, 1: 1 }],
      [5 * cellBytes, 7 * cellBytes - 1, { 5: 1, 6: 1 }],
      [stripeBytes - 10, stripeBytes + 10, { 13: 1, 0: 1 }],
      [13 * cellBytes, stripeBytes + 14 * cellBytes, { 13: 2, 0: 2, ...Object.fromEntries(Array.from({ length: 12 }, (_, index) => [index + 1, 1])) }],
    ];
    for (const [start, end, cells] of cases) {
      const asked = new Map<string, number>();
      const counting = racks.map((rack) => counted(rack, asked));
      const { content, findings } = await readErasureObject({ racks: counting, key: KEY, manifest, range: { start, end }, patience: impatient });
      assert.ok((await buffer(content)).equals(data.subarray(start, end + 1)));
      assert.deepEqual(findings, []);
      const expected = Object.entries(cells).map(([index, count]) => [rackOf(manifest, Number(index)), perShard + count * cellBytes] as const);
      assert.deepEqual(new Map([...asked].sort()), new Map(expected.toSorted()), `${start} to ${end}`);
    }
  });

  it('of a small object asks one shard for what it has, once', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, data.subarray(0, 10_000));
    const asked = new Map<string, number>();
    const { content } = await readErasureObject({ racks: racks.map((rack) => counted(rack, asked)), key: KEY, manifest, range: { start: 5, end: 9 } });
    assert.ok((await buffer(content)).equals(data.subarray(5, 10)));
    assert.deepEqual([...asked], [[rackOf(manifest, 0), shardBytes(layoutOf(manifest))]]);
  });

  it('is rebuilt where its rack is lost or its cell is rotten, and says so', async () => {
    const { racks, manifest } = await stored();
    const range = { start: 3 * manifest.cellBytes + 7, end: 5 * manifest.cellBytes };
    for (const harm of [lose, rot]) {
      const harmed = racks.map((rack) => (rack.id === rackOf(manifest, 4) ? harm(rack, manifest) : rack));
      const { content, findings } = await readErasureObject({ racks: harmed, key: KEY, range, patience: impatient });
      assert.ok((await buffer(content)).equals(data.subarray(range.start, range.end + 1)));
      assert.deepEqual(
        findings.map(({ index, kind }) => [index, kind]),
        [[4, harm === lose ? 'interrupted' : 'rotten']],
      );
    }
  });

  it('that cannot be made is refused at once, naming the racks', async () => {
    const { racks, manifest } = await stored();
    const lost = manifest.shards.slice(0, 5).map(({ rack }) => rack);
    for (const rack of racks) if (lost.includes(rack.id)) rack.faults.set('readInto', 'fail');
    const reading = readErasureObject({ racks, key: KEY, range: { start: 0, end: 10 }, patience: impatient });
    await assert.rejects(reading, (error) => error instanceof Error && error.name === 'NotEnoughShards' && lost.every((id) => error.message.includes(id)));
    // Beside the lost cells nothing is missing.
    const { content } = await readErasureObject({
      racks,
      key: KEY,
      range: { start: 6 * manifest.cellBytes, end: 6 * manifest.cellBytes },
      patience: impatient,
    });
    assert.ok((await buffer(content)).equals(data.subarray(6 * manifest.cellBytes, 6 * manifest.cellBytes + 1)));
  });

  it('ends with the object, and is refused where it begins behind it or makes no sense', async () => {
    const { racks, manifest } = await stored();
    const { content } = await readErasureObject({ racks, key: KEY, manifest, range: { start: BYTES - 3, end: BYTES + 1000 } });
    assert.ok((await buffer(content)).equals(data.subarray(-3)));
    for (const [start, end] of [
      [BYTES, BYTES],
      [-1, 5],
      [5, 4],
      [0.5, 2],
      [0, Number.NaN],
    ] as const) {
      await assert.rejects(readErasureObject({ racks, key: KEY, manifest, range: { start, end } }), { name: 'InvalidInput' }, `${start} to ${end}`);
    }
  });

  it('is what the whole has there, wherever it lies and whichever four racks are gone', async () => {
    const racks = memorySite();
    const bytes = 500_000;
    const { manifest } = await write(racks, KEY, data.subarray(0, bytes));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes - 1),
        fc.nat(bytes),
        fc.shuffledSubarray([...Array(20).keys()], { maxLength: 4 }),
        fc.boolean(),
        async (start, length, lost, inBlocks) => {
          const request = { racks: racks.filter((_, index) => !lost.includes(index)), key: KEY, manifest, range: { start, end: start + length } };
          const copies: Buffer[] = [];
          const pieces = inBlocks ? (await readErasureBlocks(request)).blocks : (await readErasureObject(request)).content;
          for await (const piece of pieces) copies.push(Buffer.from(piece as Uint8Array));
          assert.ok(Buffer.concat(copies).equals(data.subarray(start, Math.min(bytes, start + length + 1))));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of an object under another key than the manifest given is refused', async () => {
    const { racks, manifest } = await stored();
    await assert.rejects(readErasureObject({ racks, key: 'other', manifest }), { name: 'InvalidInput' });
  });
});

let kept: { racks: MemoryRack[]; manifest: ErasureManifest } | undefined;

/** Written once; without faults each time. */
async function stored(): Promise<{ racks: MemoryRack[]; manifest: ErasureManifest }> {
  if (!kept) {
    const racks = memorySite();
    kept = { racks, manifest: (await write(racks, KEY, data)).manifest };
  }
  for (const rack of kept.racks) rack.faults.clear();
  return kept;
}

function counted(rack: MemoryRack, asked: Map<string, number>): RackStore {
  return {
    ...rack,
    readInto(key, into, options) {
      asked.set(rack.id, (asked.get(rack.id) ?? 0) + into.length);
      return rack.readInto(key, into, options);
    },
  };
}

function lose(rack: MemoryRack): RackStore {
  return { ...rack, readInto: () => Promise.reject(new Error(`${rack.id} is gone`)) };
}

function rot(rack: MemoryRack, { key, writeId }: ErasureManifest): RackStore {
  const shard = shardKey(key, writeId, 4);
  return {
    ...rack,
    async readInto(name, into, options) {
      const reading = await rack.readInto(name, into, options);
      const isCell = name === shard && (options?.start ?? 0) >= HEADER_BYTES && into.length > 10_000;
      if (isCell) into[17] = (into[17] ?? 0) ^ 1;
      return reading;
    },
  };
}

function rackOf(manifest: ErasureManifest, index: number): string {
  return manifest.shards.find((shard) => shard.index === index)?.rack ?? '?';
}
