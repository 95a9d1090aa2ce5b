import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { encodeHeader, encodeTail, type ObjectIdentity, parseHeader, parseTail } from '../../../../datapath/erasure/format.ts';
import { checkKey, layoutFor, manifestKey, newWriteId, parseManifestKey, parseShardKey, shardBytes, shardKey } from '../../../../datapath/erasure/layout.ts';
import { type ErasureManifest, encodeManifest, parseManifest } from '../../../../datapath/erasure/manifest.ts';
import { PenstockError } from '../../../../model/errors.ts';

const identity: ObjectIdentity = {
  ...layoutFor(100_000),
  key: 'tenant/project/a1/checkpoints/c1/modèle.bin',
  writeId: newWriteId(),
  createdAtMilliseconds: 1_795_000_000_000,
};
const digest = { sha256: 'ab'.repeat(32), crc32c: 0xdeadbeef };
const refused = (error: unknown): boolean => error instanceof PenstockError && error.type === 'CorruptSource';

describe('the layout', () => {
  it('has cells of allowed size that hold the object, with stripes as few as a mebibyte allows', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(2_000_000), fc.maxSafeNat()), (bytes) => {
        const { cellBytes, stripes } = layoutFor(bytes);
        assert.ok(cellBytes >= 64 && cellBytes <= 1_048_576 && cellBytes % 64 === 0);
        assert.equal(stripes, Math.ceil(bytes / (14 * 1_048_576)));
        assert.ok(stripes * 14 * cellBytes >= bytes);
        // At most one rounding step of padding per cell.
        assert.ok(bytes === 0 || stripes * 14 * cellBytes - bytes <= stripes * 14 * (cellBytes > 65_536 ? 4096 : 64));
      }),
    );
  });
});

describe('a header', () => {
  it('reads back what was written', () => {
    for (let index = 0; index < 18; index++) {
      const { checksum, ...rest } = parseHeader(encodeHeader(identity, index));
      assert.deepEqual(rest, { ...identity, index });
      assert.ok(checksum >= 0);
    }
  });
  it('is refused with any one bit flipped', () => {
    const header = encodeHeader(identity, 3);
    for (let bit = 0; bit < header.length * 8; bit += 5) {
      const flipped = flip(header, bit);
      assert.throws(() => parseHeader(flipped), refused, `bit ${bit}`);
    }
  });
  it('is refused with another version, code, index or filling, however well its checksum fits', () => {
    const changes: [number, number][] = [
      [8, 2],
      [12, 13],
      [13, 5],
      [14, 16],
      [15, 1],
      [16, 1],
      [20, 2],
      [22, 2],
      [26, 255],
      [32, 9],
      [60, 1],
      [97, 9],
      [2000, 1],
    ];
    for (const [offset, value] of changes) {
      const header = encodeHeader(identity, 3);
      header[offset] = (header[offset] ?? 0) ^ value;
      header.writeUInt32LE(crc32c(header.subarray(0, 4092)), 4092);
      assert.throws(() => parseHeader(header), refused, `offset ${offset}`);
    }
    assert.throws(() => parseHeader(encodeHeader(identity, 3).subarray(1)), refused);
  });
});

describe('table and footer', () => {
  const header = parseHeader(encodeHeader(identity, 3));
  const table = Buffer.alloc(identity.stripes * 4, 7);
  it('read back what was written', () => {
    const tail = encodeTail(header, table, digest);
    assert.deepEqual(parseTail(header, tail), { checksums: Uint32Array.from([0x07070707]), digest });
    assert.equal(shardBytes(identity), 4096 + identity.cellBytes + tail.length);
  });
  it('are refused with any one bit flipped, or cut', () => {
    const tail = encodeTail(header, table, digest);
    for (let bit = 0; bit < tail.length * 8; bit++) assert.throws(() => parseTail(header, flip(tail, bit)), refused, `bit ${bit}`);
    assert.throws(() => parseTail(header, tail.subarray(1)), refused);
    assert.throws(() => parseTail(header, tail.subarray(0, -1)), refused);
  });
  it('are refused under another header: another shard, another write, another time', () => {
    const tail = encodeTail(header, table, digest);
    for (const other of [
      encodeHeader(identity, 4),
      encodeHeader({ ...identity, writeId: newWriteId() }, 3),
      encodeHeader({ ...identity, createdAtMilliseconds: 1 }, 3),
    ]) {
      assert.throws(() => parseTail(parseHeader(other), tail), refused);
    }
  });
});

describe('a manifest', () => {
  const manifest: ErasureManifest = {
    format: 'penstock-erasure',
    version: 1,
    key: identity.key,
    bytes: 100_000,
    sha256: digest.sha256,
    crc32c: 'AAAAAA==',
    writeId: identity.writeId,
    dataShards: 14,
    parityShards: 4,
    cellBytes: identity.cellBytes,
    stripes: identity.stripes,
    createdAt: '2026-11-21T08:00:00.000Z',
    shards: Array.from({ length: 16 }, (_, index) => ({ index, rack: `r${index}` })),
  };
  it('reads back what was written', () => {
    assert.deepEqual(parseManifest(encodeManifest(manifest), manifestKey(manifest.key)), manifest);
  });
  it('is refused with any one bit flipped, cut, or under another key', () => {
    const body = encodeManifest(manifest);
    for (let bit = 0; bit < body.length * 8; bit++) assert.throws(() => parseManifest(flip(body, bit), manifestKey(manifest.key)), refused, `bit ${bit}`);
    for (let end = 0; end < body.length; end++) assert.throws(() => parseManifest(body.subarray(0, end), manifestKey(manifest.key)), refused);
    assert.throws(() => parseManifest(body, manifestKey('another')), refused);
  });
  it('is refused with a shard twice, a rack twice, an unknown field or a wrong number of stripes', () => {
    const wrong = [
      { ...manifest, shards: [...manifest.shards, { index: 0, rack: 'r99' }] },
      { ...manifest, shards: [...manifest.shards, { index: 16, rack: 'r0' }] },
      { ...manifest, stripes: 2 },
      { ...manifest, extra: 1 },
    ];
    for (const each of wrong) assert.throws(() => parseManifest(encodeManifest(each), manifestKey(manifest.key)), refused);
  });
});

describe('names', () => {
  it('are read back, and no object is taken for a part of another', () => {
    const writeId = newWriteId();
    assert.deepEqual(parseShardKey('a/b', shardKey('a/b', writeId, 7)), { writeId, index: 7 });
    assert.equal(parseShardKey('a', shardKey('a/b', writeId, 7)), undefined);
    assert.equal(parseShardKey('a', shardKey('a/@x', writeId, 7)), undefined);
    assert.deepEqual(parseManifestKey(manifestKey('a/b')), { key: 'a/b', generation: 1 });
    assert.equal(parseManifestKey('ec/v1/manifests/@manifest.jsonl'), undefined);
  });
  it('refuse keys that could alias another or leave their place', () => {
    for (const key of ['a', 'a/b.json/c', 'ä/ö', 'a/@x', 'x'.repeat(255)]) checkKey(key);
    const bad = [
      '',
      '/a',
      'a/',
      'a//b',
      '.',
      'a/../b',
      'a/./b',
      'a\nb',
      'a\0b',
      '\ud800',
      'a/@manifest.jsonl',
      `a/@${'0'.repeat(32)}.00/b`,
      'x'.repeat(256),
      `${'x/'.repeat(451)}x`,
    ];
    for (const key of bad)
      assert.throws(
        () => checkKey(key),
        (error) => error instanceof PenstockError && error.type === 'InvalidInput',
        JSON.stringify(key),
      );
  });
});

function flip(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
