import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  BLOCK_BYTES,
  CHUNK_BYTES,
  decodeRecordHeader,
  decodeSuperblock,
  encodeRecordHeader,
  encodeSuperblock,
  MOST_PATH_BYTES,
  type RecordHeader,
} from '../../../../datapath/checkpoint/ring-format.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { slowCrc32c } from '../../../support/erasure-definition.ts';

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const header: fc.Arbitrary<RecordHeader> = fc.record({
  kind: fc.constantFrom('chunk', 'commit', 'skip'),
  ringId: id,
  writeId: id,
  sequence: fc.maxSafeNat(),
  generation: fc.maxSafeNat(),
  durableBelow: fc.maxSafeNat(),
  fileOffset: fc.maxSafeNat(),
  bytes: fc.nat({ max: CHUNK_BYTES }),
  crc32c: fc.nat({ max: 0xffff_ffff }),
  key: fc.string({ unit: 'binary', maxLength: 40 }),
  path: fc.string({ unit: 'binary', maxLength: 900 }),
});
const encoded = (facts: RecordHeader): Buffer => {
  const block = Buffer.alloc(BLOCK_BYTES, 0xff);
  encodeRecordHeader(facts, block);
  return block;
};

describe('the format of the ring', () => {
  it('gives back every header that it takes, and none that has a bit flipped', () => {
    fc.assert(
      fc.property(header, fc.nat({ max: BLOCK_BYTES * 8 - 1 }), (facts, bit) => {
        const block = encoded(facts);
        assert.deepEqual(decodeRecordHeader(block), { ...facts });
        block[bit >> 3] = (block[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(decodeRecordHeader(block), undefined);
      }),
    );
  });

  it('is at the offsets that docs/formats/checkpoint-ring.md names', () => {
    const facts: RecordHeader = {
      kind: 'commit',
      ringId: '00112233445566778899aabbccddeeff',
      sequence: 0x0102030405,
      generation: 7,
      durableBelow: 0x0102030404,
      writeId: 'ffeeddccbbaa99887766554433221100',
      fileOffset: 2 ** 40,
      bytes: 4097,
      crc32c: 0xe3069283,
      key: 'acme/vision/train/step-1',
      path: 'sub/model.bin',
    };
    const block = encoded(facts);
    assert.equal(block.toString('latin1', 0, 8), 'PSTKRREC');
    assert.deepEqual([block.readUInt16LE(8), block.readUInt16LE(10), block[12]], [1, 4096, 2]);
    assert.deepEqual([block.toString('hex', 16, 32), block.toString('hex', 56, 72)], [facts.ringId, facts.writeId]);
    assert.deepEqual(
      [32, 40, 48, 72].map((offset) => Number(block.readBigUInt64LE(offset))),
      [facts.sequence, facts.generation, facts.durableBelow, facts.fileOffset],
    );
    assert.deepEqual([block.readUInt32LE(80), block.readUInt32LE(84), block.readUInt16LE(88), block.readUInt16LE(90)], [4097, 0xe3069283, 24, 13]);
    assert.deepEqual([block.toString('utf8', 92, 116), block.toString('utf8', 347, 360)], [facts.key, facts.path]);
    assert.equal(block.readUInt32LE(4092), slowCrc32c(block.subarray(0, 4092)));
  });

  it('has a superblock at the offsets named there', () => {
    const facts = { ringId: '00112233445566778899aabbccddeeff', areaBytes: 2 ** 43, number: 5, generation: 6, tail: 8192, tailSequence: 9 };
    const block = Buffer.alloc(BLOCK_BYTES, 0xff);
    encodeSuperblock(facts, block);
    assert.deepEqual(decodeSuperblock(block), facts);
    assert.equal(block.toString('latin1', 0, 8), 'PSTKRING');
    assert.deepEqual([block.readUInt16LE(8), block.readUInt16LE(10), block.readUInt32LE(12)], [1, 4096, 4096]);
    assert.deepEqual(
      [32, 40, 48, 56, 64].map((offset) => Number(block.readBigUInt64LE(offset))),
      [2 ** 43, 5, 6, 8192, 9],
    );
    assert.equal(block.readUInt32LE(4092), slowCrc32c(block.subarray(0, 4092)));
  });

  it('refuses a path that is too long, and a ring of a newer version', () => {
    const facts = { ringId: '00'.repeat(16), areaBytes: 4096, number: 0, generation: 0, tail: 0, tailSequence: 1 };
    const long = {
      kind: 'chunk',
      writeId: facts.ringId,
      sequence: 1,
      durableBelow: 1,
      fileOffset: 0,
      bytes: 0,
      crc32c: 0,
      key: 'k',
      path: 'p'.repeat(MOST_PATH_BYTES + 1),
    } as const;
    assert.throws(() => encoded({ ...facts, ...long }), /path: found .* accepted: at most 3740/);
    const block = Buffer.alloc(BLOCK_BYTES);
    encodeSuperblock(facts, block);
    block.writeUInt16LE(2, 8);
    block.writeUInt32LE(slowCrc32c(block.subarray(0, 4092)), 4092);
    assert.throws(
      () => decodeSuperblock(block),
      (error) => error instanceof PenstockError && /format version 2; this release reads 1/.test(error.message),
    );
  });
});
