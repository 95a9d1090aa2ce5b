import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { encodePackEnd, MAX_PACK_BYTES, MEMBER_BYTES_BELOW, type PackMember, parseIndex, parseTrailer } from '../../../../datapath/erasure/pack-format.ts';
import { planPacks } from '../../../../datapath/erasure/pack-plan.ts';
import { byName } from '../../../../datapath/packs/plan.ts';
import { ofType } from '../../../support/of-type.ts';

const TRAILER = 64;
const corrupt = ofType('CorruptSource');

function member(name: string, content: Buffer = Buffer.from(name)): PackMember & { content: Buffer } {
  return { name, bytes: content.length, crc32c: crc32c(content), modifiedAtMilliseconds: 1_795_000_000_123, mode: 0o640, content };
}
function packed(members: readonly (PackMember & { content: Buffer })[]): Buffer {
  return Buffer.concat([...members.map(({ content }) => content), encodePackEnd(members)]);
}
/** As a reader does that has the whole pack. */
function parse(pack: Buffer) {
  const trailer = parseTrailer(pack.subarray(Math.max(0, pack.length - TRAILER)), pack.length);
  const members = parseIndex(pack.subarray(pack.length - TRAILER - trailer.indexBytes, pack.length - TRAILER), trailer);
  for (const each of members) assert.equal(crc32c(pack.subarray(each.offset, each.offset + each.bytes)), each.crc32c, `content of ${each.name}`);
  return members;
}

const step = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }).map((text) => `s${text.replaceAll(/[/\p{Cc}\0]/gu, '_')}`);
const name = fc.array(step, { minLength: 1, maxLength: 4 }).map((steps) => steps.join('/'));
const someMembers = fc
  .uniqueArray(fc.record({ name, content: fc.uint8Array({ maxLength: 300 }), mode: fc.nat(0o7777), modified: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }) }), {
    selector: (each) => each.name,
    minLength: 1,
    maxLength: 20,
  })
  .map((all) => all.map((each) => ({ ...member(each.name, Buffer.from(each.content)), mode: each.mode, modifiedAtMilliseconds: each.modified })).sort(byName));

describe('a pack', () => {
  it('reads back what was written, whatever the names, contents, modes and times', () => {
    fc.assert(
      fc.property(someMembers, (members) => {
        let offset = 0;
        const expected = members.map(({ content, ...facts }) => {
          const placed = { ...facts, offset };
          offset += content.length;
          return placed;
        });
        assert.deepEqual(parse(packed(members)), expected);
      }),
    );
  });

  it('is the same bytes for the same members', () => {
    fc.assert(fc.property(someMembers, (members) => assert.ok(encodePackEnd(members).equals(encodePackEnd(members.map((each) => ({ ...each })))))));
  });

  it('has every flipped bit found, in members, index and trailer', () => {
    const pack = packed([member('a/b'), member('a/c', Buffer.alloc(0)), member('ü')]);
    for (let bit = 0; bit < pack.length * 8; bit++) {
      const flipped = Buffer.from(pack);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => parse(flipped), Error, `bit ${bit} of ${pack.length * 8}`);
    }
  });

  it('is refused cut at its end, at its beginning, or grown, by any number of bytes', () => {
    const pack = packed([member('a'), member('b')]);
    for (let bytes = 1; bytes <= pack.length; bytes++) {
      assert.throws(() => parse(pack.subarray(0, pack.length - bytes)), corrupt, `${bytes} cut at the end`);
      assert.throws(() => parse(pack.subarray(bytes)), corrupt, `${bytes} cut at the beginning`);
      assert.throws(() => parse(Buffer.concat([Buffer.alloc(bytes), pack])), corrupt, `${bytes} more`);
    }
  });

  it('is refused with a wrong field, however well the checksums fit', () => {
    const good = packed([member('a', Buffer.from('xyz')), member('b')]);
    const index = good.length - TRAILER - (24 + 1) * 2;
    const reseal = (pack: Buffer) => {
      pack.writeUInt32LE(crc32c(pack.subarray(index, pack.length - TRAILER)), pack.length - TRAILER + 12);
      pack.writeUInt32LE(crc32c(pack.subarray(pack.length - TRAILER, pack.length - 12)), pack.length - 12);
      return pack;
    };
    const changes: Record<string, (pack: Buffer) => void> = {
      'a version of tomorrow': (pack) => pack.writeUInt16LE(2, pack.length - TRAILER),
      'another trailer size': (pack) => pack.writeUInt16LE(128, pack.length - TRAILER + 2),
      'fewer members than the index': (pack) => pack.writeUInt32LE(1, pack.length - TRAILER + 4),
      'more members than the index': (pack) => pack.writeUInt32LE(3, pack.length - TRAILER + 4),
      'no members': (pack) => pack.writeUInt32LE(0, pack.length - TRAILER + 4),
      'an index longer than the pack': (pack) => pack.writeUInt32LE(1000, pack.length - TRAILER + 8),
      'a filling that is not zero': (pack) => pack.writeUInt8(1, pack.length - TRAILER + 40),
      'a gap before a member': (pack) => pack.writeUInt32LE(1, index),
      'an overlap': (pack) => pack.writeUInt32LE(2, index + 25),
      'a member longer than what is there': (pack) => pack.writeUInt32LE(2, index + 25 + 4),
      'a mode of more bits': (pack) => pack.writeUInt16LE(0o10000, index + 12),
      'a name longer than the index': (pack) => pack.writeUInt16LE(500, index + 25 + 14),
      'the same name twice': (pack) => pack.write('b', index + 24),
      'names in the wrong order': (pack) => pack.write('c', index + 24),
      'a name that is not UTF-8': (pack) => pack.writeUInt8(0xff, index + 24),
      'a name that leads out': (pack) => pack.write('.', index + 24),
      'a time out of range': (pack) => pack.writeBigInt64LE(2n ** 60n, index + 16),
    };
    assert.equal(parse(reseal(Buffer.from(good))).length, 2, 'sealing anew changes nothing by itself');
    for (const [what, change] of Object.entries(changes)) {
      const pack = Buffer.from(good);
      change(pack);
      assert.throws(() => parse(reseal(pack)), corrupt, what);
    }
  });

  it('takes no name that leads out of where it is extracted, and no member of a stripe or more', () => {
    for (const bad of ['', '/a', 'a/', 'a//b', '.', '..', 'a/../b', 'a\0b', 'a\nb', '@manifest.jsonl', `${'n'.repeat(256)}`, 'n/'.repeat(450).concat('n')])
      assert.throws(() => encodePackEnd([member(bad)]), ofType('InvalidInput'), JSON.stringify(bad.slice(0, 20)));
    assert.throws(() => encodePackEnd([{ ...member('a'), bytes: MEMBER_BYTES_BELOW }]), ofType('InvalidInput'));
    assert.throws(() => encodePackEnd([member('b'), member('a')]), ofType('InvalidInput'));
    assert.throws(() => encodePackEnd([]), ofType('InvalidInput'));
  });
});

describe('the plan of packs', () => {
  const sizes = fc.array(fc.oneof(fc.nat(5000), fc.nat(20_000_000), fc.constant(MEMBER_BYTES_BELOW - 1), fc.constant(MEMBER_BYTES_BELOW)), { maxLength: 200 });

  it('places each file once, large ones by themselves, and packs that the format allows and that are worth one', () => {
    fc.assert(
      fc.property(sizes, (all) => {
        const files = all.map((bytes, index) => ({ ...member(`f${index}`, Buffer.alloc(0)), bytes }));
        const { packs, single } = planPacks(files);
        assert.deepEqual([...packs.flat(), ...single].map((file) => file.name).sort(), files.map((file) => file.name).sort());
        for (const pack of packs) {
          assert.ok(pack.length > 1);
          assert.ok(pack.every(({ bytes }) => bytes < MEMBER_BYTES_BELOW));
          const bytes = encodePackEnd(pack).length + pack.reduce((sum, file) => sum + file.bytes, 0);
          assert.ok(bytes <= MAX_PACK_BYTES);
        }
        const small = files.filter(({ bytes }) => bytes < MEMBER_BYTES_BELOW).reduce((sum, { bytes }) => sum + bytes, 0);
        // Each pack but the last is full up to less than a member.
        assert.ok(packs.length <= Math.ceil(small / (MAX_PACK_BYTES - MEMBER_BYTES_BELOW - 65_536)) + 1);
      }),
    );
  });

  it('is the same whatever the order of the files', () => {
    fc.assert(
      fc.property(sizes, (all) => {
        const files = all.map((bytes, index) => ({ name: `f${index}`, bytes }));
        assert.deepEqual(planPacks(files).packs, planPacks([...files].reverse()).packs);
      }),
    );
  });

  it('closes a pack at 65,536 members, and where names fill the index', () => {
    const many = Array.from({ length: 70_000 }, (_, index) => ({ name: `f${index}`, bytes: 1 }));
    assert.deepEqual(
      planPacks(many).packs.map(({ length }) => length),
      [65_536, 4464],
    );
    const long = Array.from({ length: 40_000 }, (_, index) => ({ name: [0, 1, 2].map(() => `d${String(index).padStart(199, '0')}`).join('/'), bytes: 1 }));
    for (const pack of planPacks(long).packs) encodePackEnd(pack.map(({ name: path }) => member(path, Buffer.from('x'))));
    assert.equal(planPacks(long).packs.length, 2);
  });
});
