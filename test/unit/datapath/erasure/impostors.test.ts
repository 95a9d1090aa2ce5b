/** Shards, manifests and racks that are not what they claim: each has a clear error, and none gives wrong bytes. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { type ErasureManifest, type Finding, readErasureObject, removeErasureObject } from '../../../../datapath/erasure/index.ts';
import { HEADER_BYTES, manifestKey, shardKey } from '../../../../datapath/erasure/layout.ts';
import { encodeManifest } from '../../../../datapath/erasure/manifest.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { impatient, type MemoryRack, memorySite, noise, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
const BYTES = 30_000;
const data = noise(BYTES);

interface Impostor {
  /** What a shard is replaced by. */
  readonly shard: (index: number, scene: Scene) => Buffer;
  /** Of the findings and of the error. */
  readonly told: RegExp;
}
interface Scene {
  readonly racks: MemoryRack[];
  readonly manifest: ErasureManifest;
  /** Another object of the same length, and an older version of this one, written to the same racks. */
  readonly other: ReadonlyMap<number, Buffer>;
  readonly stale: ReadonlyMap<number, Buffer>;
  readonly own: ReadonlyMap<number, Buffer>;
}

const impostors: Record<string, Impostor> = {
  "another object's shard of the same number": { shard: (index, { other }) => at(other, index), told: /it is shard \d+ of write [0-9a-f]{32} of "other"/ },
  "an older version's shard": { shard: (index, { stale }) => at(stale, index), told: /it is shard \d+ of write [0-9a-f]{32} of "tenant/ },
  'its neighbour (renamed, or two swapped)': { shard: (index, { own }) => at(own, (index + 1) % 18), told: /it is shard \d+ of write/ },
  'a shard that is cut short': { shard: (index, { own }) => at(own, index).subarray(0, -1), told: /its length is \d+ and not \d+ bytes/ },
  'a shard that claims 10 data shards': { shard: (index, { own }) => claiming(at(own, index), 12, 10), told: /it is 10\+4, known is 14\+4/ },
  'a shard that claims 3 parity shards': { shard: (index, { own }) => claiming(at(own, index), 13, 3), told: /it is 14\+3, known is 14\+4/ },
  'a shard of a later version of the format': { shard: (index, { own }) => claiming(at(own, index), 8, 2), told: /its version is 2, known is 1/ },
  'a shard of another code': { shard: (index, { own }) => claiming(at(own, index), 22, 2), told: /its code is unknown/ },
  'a shard whose header was changed after its footer': { shard: (index, { own }) => claiming(at(own, index), 88, 77), told: /header and footer disagree/ },
  zeros: { shard: (index, { own }) => Buffer.alloc(at(own, index).length), told: /it does not begin like a shard/ },
};

describe('in place of a shard lies', () => {
  for (const [what, impostor] of Object.entries(impostors)) {
    it(`${what}: up to four are done without and told; with five the object is refused`, async () => {
      const scene = await stage();
      for (let count = 1; count <= 5; count++) {
        const index = count - 1;
        put(scene, index, impostor.shard(index, scene));
        if (count === 5) break;
        const { content, findings } = await readAll(scene.racks);
        assert.ok(content.equals(data));
        assert.equal(findings.length, count);
        for (const finding of findings) assert.match(`${finding.kind}: ${finding.message}`, new RegExp(`lost: .*${impostor.told.source}`));
      }
      const error = await refusal(scene.racks);
      assert.equal(error.type, 'NotEnoughShards');
      assert.match(error.message, impostor.told);
      for (const { index, rack } of scene.manifest.shards) if (index < 5) assert.match(error.message, new RegExp(`${rack} \\(shard ${index} lost`));
    });
  }

  it("a mixture of two objects' shards: neither is ever given for the other", async () => {
    const scene = await stage();
    for (let index = 0; index < 18; index += 2) put(scene, index, at(scene.other, index));
    assert.match((await refusal(scene.racks)).message, /of "other"/);
  });
});

describe('a manifest that lies', () => {
  const lies: Record<string, [lie: (manifest: ErasureManifest, scene: Scene) => ErasureManifest, told: RegExp]> = {
    'about the content': [(manifest) => ({ ...manifest, sha256: 'a'.repeat(64) }), /it was written for other content/],
    'about its checksum': [(manifest) => ({ ...manifest, crc32c: 'AAAAAA==' }), /it was written for other content/],
    'about the length': [(manifest) => ({ ...manifest, bytes: manifest.bytes - 1 }), /it is shard \d+ of write/],
    'about the cells': [(manifest) => ({ ...manifest, cellBytes: manifest.cellBytes * 2 }), /its length is|it is shard/],
    'about the attempt': [(manifest) => ({ ...manifest, writeId: 'f'.repeat(32) }), /is not there/],
  };
  for (const [what, [lie, told]] of Object.entries(lies)) {
    it(`${what} is found out by the shards`, async () => {
      const scene = await stage();
      const body = encodeManifest(lie(scene.manifest, scene));
      for (const { objects } of scene.racks) if (objects.has(manifestKey(KEY))) objects.set(manifestKey(KEY), body);
      const error = await refusal(scene.racks);
      assert.equal(error.type, 'NotEnoughShards');
      assert.match(error.message, told);
    });
  }

  const misplacements: typeof lies = {
    'about where shards lie': [
      ({ shards, ...manifest }) => ({ ...manifest, shards: shards.map(({ index }, place) => ({ index, rack: shards[(place + 1) % 18]?.rack ?? '' })) }),
      /is not there/,
    ],
    'about racks that are none': [
      ({ shards, ...manifest }) => ({ ...manifest, shards: shards.map(({ index }) => ({ index, rack: `none-${index}` })) }),
      /the site has no such rack/,
    ],
  };
  for (const [what, [lie, told]] of Object.entries(misplacements)) {
    it(`${what} is found out by the shards, which are read where they are, and told as lost where they should be`, async () => {
      const scene = await stage();
      const body = encodeManifest(lie(scene.manifest, scene));
      for (const { objects } of scene.racks) if (objects.has(manifestKey(KEY))) objects.set(manifestKey(KEY), body);
      const { content, findings } = await readAll(scene.racks);
      assert.ok(content.equals(data));
      assert.ok(findings.length >= 5 && findings.every(({ kind, message }) => kind === 'lost' && told.test(message)));
    });
  }

  it('alone among five is outvoted', async () => {
    const scene = await stage();
    const holder = scene.racks.find(({ objects }) => objects.has(manifestKey(KEY)));
    holder?.objects.set(manifestKey(KEY), encodeManifest({ ...scene.manifest, writeId: 'f'.repeat(32), sha256: 'a'.repeat(64) }));
    assert.ok((await readAll(scene.racks)).content.equals(data));
  });
});

describe("a rack that answers with another object's bytes", () => {
  for (const [what, from] of [
    ['from the first one on', 0],
    ['in its cells only', HEADER_BYTES],
  ] as const) {
    it(`${what} is found out, up to four of them`, async () => {
      const large = noise(30_000_000);
      const racks = memorySite();
      const { manifest } = await write(racks, KEY, large);
      const other = await write(racks, 'other', noise(30_000_000, 5));
      const confused = racks.map((rack): RackStore => {
        const shard = manifest.shards.find((entry) => entry.rack === rack.id);
        const wrong = other.manifest.shards.find((entry) => entry.rack === rack.id);
        if (!shard || !wrong || shard.index >= 4) return rack;
        const wrongKey = shardKey('other', other.manifest.writeId, wrong.index);
        return {
          ...rack,
          readInto: (key, into, options) => rack.readInto((options?.start ?? 0) >= from && isCell(into, from) ? wrongKey : key, into, options),
        };
      });
      const isCell = (into: Buffer, first: number): boolean => first === 0 || into.length === manifest.cellBytes;
      const reading = await readErasureObject({ racks: confused, key: KEY, patience: impatient });
      assert.ok((await buffer(reading.content)).equals(large));
      assert.ok(reading.findings.length > 0);
    });
  }
});

async function stage(): Promise<Scene> {
  const racks = memorySite(18);
  const { manifest: older } = await write(racks, KEY, noise(BYTES, 2));
  const stale = shardsOf(racks, older);
  await removeErasureObject({ racks, key: KEY });
  const { manifest } = await write(racks, KEY, data);
  const { manifest: others } = await write(racks, 'other', noise(BYTES, 3));
  return { racks, manifest, stale, own: shardsOf(racks, manifest), other: shardsOf(racks, others) };
}

function shardsOf(racks: readonly MemoryRack[], { key, shards, writeId }: ErasureManifest): ReadonlyMap<number, Buffer> {
  return new Map(
    shards.map(({ index, rack }) => {
      const shard = racks.find(({ id }) => id === rack)?.objects.get(shardKey(key, writeId, index));
      assert.ok(shard);
      return [index, shard];
    }),
  );
}

function at(shards: ReadonlyMap<number, Buffer>, index: number): Buffer {
  const shard = shards.get(index);
  assert.ok(shard);
  return shard;
}

function put({ manifest, racks }: Scene, index: number, shard: Buffer): void {
  const rackId = manifest.shards.find((entry) => entry.index === index)?.rack;
  racks.find(({ id }) => id === rackId)?.objects.set(shardKey(manifest.key, manifest.writeId, index), shard);
}

/** With a header that checks. */
function claiming(shard: Buffer, offset: number, value: number): Buffer {
  const changed = Buffer.from(shard);
  changed[offset] = value;
  changed.writeUInt32LE(crc32c(changed.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4);
  return changed;
}

async function readAll(racks: readonly RackStore[]): Promise<{ content: Buffer; findings: readonly Finding[] }> {
  const { content, findings } = await readErasureObject({ racks, key: KEY, patience: impatient });
  return { content: await buffer(content), findings };
}

/** Before the first byte. */
async function refusal(racks: readonly RackStore[]): Promise<PenstockError> {
  const error = await readErasureObject({ racks, key: KEY, patience: impatient }).then(
    () => assert.fail('it was read'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PenstockError, String(error));
  return error;
}
