import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ErasureManifest, type Finding, readErasureObject, verifyErasureObject } from '../../../../datapath/erasure/index.ts';
import { HEADER_BYTES, manifestKey, shardKey } from '../../../../datapath/erasure/layout.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { impatient, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
const SMALL = 10_000;
/** Larger than what is read in one request per shard, so that cells really stream. */
const LARGE = 30_000_000;

describe('a damaged shard', () => {
  for (const bytes of [SMALL, LARGE]) {
    it(`has its rotten cells rebuilt and reported, up to four in a stripe (${bytes} bytes)`, async () => {
      const { racks, data, manifest } = await stored(bytes);
      for (const index of [0, 3, 13, 15]) change(racks, manifest, index, (shard) => flip(shard, HEADER_BYTES + 5));
      const { content, findings } = await readAll(racks);
      assert.ok(content.equals(data));
      // Shard 15 is parity: it was asked for only because others were rotten.
      assert.deepEqual(summary(findings), ['0 rotten 1', '3 rotten 1', '13 rotten 1', '15 rotten 1']);
      const facts = await verifyErasureObject({ racks, key: KEY });
      assert.deepEqual([facts.ok, facts.digestMatches, facts.margin], [false, true, 0]);
    });
  }

  it('is refused whole where its cells are too many rotten ones in one stripe', async () => {
    const { racks, manifest } = await stored(SMALL);
    for (const index of [0, 1, 2, 3, 4]) change(racks, manifest, index, (shard) => flip(shard, HEADER_BYTES + 5));
    await assert.rejects(readAll(racks), (error) => error instanceof PenstockError && error.type === 'NotEnoughShards' && /shard 4 rotten/.test(error.message));
    const facts = await verifyErasureObject({ racks, key: KEY });
    assert.deepEqual([facts.ok, facts.digestMatches, facts.margin], [false, false, -1]);
  });

  it('may have rotten cells in all shards, if in different stripes', async () => {
    const { racks, data, manifest } = await stored(LARGE);
    assert.equal(manifest.stripes, 3);
    for (let index = 0; index < 12; index++) change(racks, manifest, index, (shard) => flip(shard, HEADER_BYTES + (index % 3) * manifest.cellBytes));
    const { content, findings } = await readAll(racks);
    assert.ok(content.equals(data));
    assert.equal(findings.length, 12);
  });

  const damages: Record<string, (shard: Buffer, manifest: ErasureManifest) => Buffer | undefined> = {
    'is cut short': (shard) => shard.subarray(0, -1),
    'is cut to its header': (shard) => shard.subarray(0, HEADER_BYTES),
    'is empty': () => Buffer.alloc(0),
    'has grown': (shard) => Buffer.concat([shard, Buffer.alloc(1)]),
    'has a flipped bit in its header': (shard) => flip(shard, 100),
    'has a flipped bit in its table': (shard, manifest) => flip(shard, HEADER_BYTES + manifest.stripes * manifest.cellBytes),
    'has a flipped bit in its footer': (shard) => flip(shard, shard.length - 50),
    'is absent': () => undefined,
  };
  for (const [how, damage] of Object.entries(damages)) {
    it(`is treated as lost where it ${how}`, async () => {
      for (const bytes of [SMALL, LARGE]) {
        const { racks, data, manifest } = await stored(bytes);
        for (const index of [2, 7]) change(racks, manifest, index, (shard) => damage(shard, manifest));
        const { content, findings } = await readAll(racks);
        assert.ok(content.equals(data));
        assert.deepEqual(summary(findings), ['2 lost 0', '7 lost 0']);
      }
    });
  }

  it('is treated as lost where it is another shard, another object, or of another attempt', async () => {
    const { racks, data, manifest } = await stored(SMALL);
    const other = await write(racks, 'other', data);
    const stale = await stored(SMALL, 9);
    change(racks, manifest, 0, () => shardOf(racks, manifest, 1));
    change(racks, manifest, 1, () => shardOf(racks, other.manifest, 1));
    change(racks, manifest, 2, () => shardOf(stale.racks, stale.manifest, 2));
    const { content, findings } = await readAll(racks);
    assert.ok(content.equals(data));
    assert.deepEqual(summary(findings), ['0 lost 0', '1 lost 0', '2 lost 0']);
  });

  it('never gives wrong bytes, whatever single bytes of up to four shards change', async () => {
    const { racks, data, manifest } = await stored(SMALL);
    const pristine = new Map(manifest.shards.map(({ index }) => [index, shardOf(racks, manifest, index)]));
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...Array(18).keys()], { maxLength: 4 }),
        fc.nat(1_000_000),
        fc.integer({ min: 1, max: 255 }),
        async (indices, position, mask) => {
          for (const [index, shard] of pristine) change(racks, manifest, index, () => shard);
          for (const index of indices) change(racks, manifest, index, (shard) => flip(shard, position % shard.length, mask));
          assert.ok((await read(racks, KEY)).equals(data));
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a damaged manifest', () => {
  it('is done without, and counted by the verification', async () => {
    const { racks, data } = await stored(SMALL);
    const holders = racks.filter(({ objects }) => objects.has(manifestKey(KEY)));
    assert.equal(holders.length, 5);
    for (const [index, { objects }] of holders.slice(0, 4).entries()) {
      const body = objects.get(manifestKey(KEY)) ?? Buffer.alloc(0);
      objects.set(manifestKey(KEY), index % 2 === 0 ? flip(body, 40) : body.subarray(0, 100));
    }
    assert.ok((await read(racks, KEY)).equals(data));
    const facts = await verifyErasureObject({ racks, key: KEY });
    assert.deepEqual([facts.ok, facts.manifestCopies, facts.margin], [false, 1, 4]);
  });

  it('of another object is not believed', async () => {
    const { racks, data } = await stored(SMALL);
    await write(racks, 'other', noise(SMALL, 7));
    const foreign = racks.find(({ objects }) => objects.has(manifestKey('other')))?.objects.get(manifestKey('other'));
    assert.ok(foreign);
    for (const { objects } of racks.filter(({ objects }) => objects.has(manifestKey(KEY))).slice(0, 4)) objects.set(manifestKey(KEY), foreign);
    assert.ok((await read(racks, KEY)).equals(data));
  });
});

async function stored(bytes: number, seed = 1): Promise<{ racks: MemoryRack[]; data: Buffer; manifest: ErasureManifest }> {
  const racks = memorySite();
  const data = noise(bytes, seed);
  const { manifest } = await write(racks, KEY, data);
  return { racks, data, manifest };
}

async function readAll(racks: readonly MemoryRack[]): Promise<{ content: Buffer; findings: readonly Finding[] }> {
  const reading = await readErasureObject({ racks, key: KEY, patience: impatient });
  return { content: await buffer(reading.content), findings: reading.findings };
}

function summary(findings: readonly Finding[]): string[] {
  return [...findings].sort((a, b) => a.index - b.index).map(({ index, kind, cells }) => `${index} ${kind} ${cells}`);
}

function shardOf(racks: readonly MemoryRack[], manifest: ErasureManifest, index: number): Buffer {
  const rackId = manifest.shards.find((shard) => shard.index === index)?.rack;
  const shard = racks.find(({ id }) => id === rackId)?.objects.get(shardKey(manifest.key, manifest.writeId, index));
  assert.ok(shard);
  return shard;
}

function change(racks: readonly MemoryRack[], manifest: ErasureManifest, index: number, how: (shard: Buffer) => Buffer | undefined): void {
  const rackId = manifest.shards.find((shard) => shard.index === index)?.rack;
  const objects = racks.find(({ id }) => id === rackId)?.objects;
  const key = shardKey(manifest.key, manifest.writeId, index);
  const changed = how(objects?.get(key) ?? Buffer.alloc(0));
  if (changed) objects?.set(key, changed);
  else objects?.delete(key);
}

function flip(bytes: Buffer, position: number, mask = 1): Buffer {
  const copy = Buffer.from(bytes);
  copy[position] = (copy[position] ?? 0) ^ mask;
  return copy;
}
