/**
 * The bytes of a pack, as docs/formats/erasure.md states them: members end to end, an index, a trailer of fixed size at the very end. Every byte lies
 * under a CRC32C, and the same members always make the same bytes. What does not fit exactly is refused.
 */
import { isUtf8 } from 'node:buffer';
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import { checkKey, DATA_SHARDS, MAX_CELL_BYTES, MAX_KEY_BYTES } from './layout.ts';

/** 18 full stripes and a bit: an attempt that dies loses no more, and two packs under way fill the racks' lanes. */
export const MAX_PACK_BYTES = 256 * 1024 * 1024;
export const MAX_PACK_MEMBERS = 65_536;
/** Read and parsed as a whole; 65,536 members with names of 230 bytes on average. */
export const MAX_INDEX_BYTES = 16 * 1024 * 1024;
/** Exclusive: what fills a stripe of full cells gains nothing in a pack. */
export const MEMBER_BYTES_BELOW = DATA_SHARDS * MAX_CELL_BYTES;

export const TRAILER_BYTES = 64;
const VERSION = 1;
const MAGIC = Buffer.from('PSTKPACK', 'latin1');
const TRAILER_CHECKSUM_OFFSET = 52;
const ENTRY_BYTES = 24;
const MODE_BITS = 0o7777;

export interface PackMember {
  /** Relative path, by the rules of an erasure object's key. */
  readonly name: string;
  readonly bytes: number;
  readonly crc32c: number;
  readonly modifiedAtMilliseconds: number;
  /** Permission bits. */
  readonly mode: number;
}
export interface PlacedMember extends PackMember {
  /** From the pack's beginning. */
  readonly offset: number;
}
export interface PackTrailer {
  readonly members: number;
  readonly indexBytes: number;
  readonly indexChecksum: number;
  readonly packBytes: number;
}

/** What a member adds to the index. */
export const indexEntryBytes = (name: string): number => ENTRY_BYTES + Buffer.byteLength(name);

/** Index and trailer, which follow the members' bytes in their order. InvalidInput where these members cannot be one pack. */
export function encodePackEnd(members: readonly PackMember[]): Buffer {
  const refuse = refuser('InvalidInput');
  const index = Buffer.alloc(members.reduce((sum, { name }) => sum + indexEntryBytes(name), 0));
  let offset = 0;
  let position = 0;
  let nameBefore: Buffer | undefined;
  for (const member of members) {
    if (!Number.isSafeInteger(member.modifiedAtMilliseconds)) refuse(`the time of ${quoted(member.name)} is no whole number of milliseconds`);
    checkMember(member, refuse);
    const nameStart = position + ENTRY_BYTES;
    const nameEnd = nameStart + index.write(member.name, nameStart, 'utf8');
    index.writeUInt32LE(offset, position);
    index.writeUInt32LE(member.bytes, position + 4);
    index.writeUInt32LE(member.crc32c, position + 8);
    index.writeUInt16LE(member.mode, position + 12);
    index.writeUInt16LE(nameEnd - nameStart, position + 14);
    index.writeBigInt64LE(BigInt(member.modifiedAtMilliseconds), position + 16);
    const name = index.subarray(nameStart, nameEnd);
    checkOrder(nameBefore, name, refuse);
    nameBefore = name;
    position = nameEnd;
    offset += member.bytes;
    if (offset > MAX_PACK_BYTES) refuse(`its members have more than ${MAX_PACK_BYTES} bytes`);
  }
  const facts = { members: members.length, indexBytes: index.length, indexChecksum: crc32c(index), packBytes: offset + index.length + TRAILER_BYTES };
  checkTrailer(facts, refuse);
  return Buffer.concat([index, encodeTrailer(facts)]);
}

function encodeTrailer({ members, indexBytes, indexChecksum, packBytes }: PackTrailer): Buffer {
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeUInt16LE(VERSION, 0);
  trailer.writeUInt16LE(TRAILER_BYTES, 2);
  trailer.writeUInt32LE(members, 4);
  trailer.writeUInt32LE(indexBytes, 8);
  trailer.writeUInt32LE(indexChecksum, 12);
  trailer.writeBigUInt64LE(BigInt(packBytes), 16);
  trailer.writeUInt32LE(crc32c(trailer.subarray(0, TRAILER_CHECKSUM_OFFSET)), TRAILER_CHECKSUM_OFFSET);
  MAGIC.copy(trailer, TRAILER_BYTES - MAGIC.length);
  return trailer;
}

/** CorruptSource for anything but the trailer of a pack of this length. */
export function parseTrailer(trailer: Buffer, packBytes: number): PackTrailer {
  const refuse = refuser('CorruptSource');
  if (trailer.length !== TRAILER_BYTES) refuse(`its trailer has ${trailer.length} bytes, ${TRAILER_BYTES} are needed`);
  if (!MAGIC.equals(trailer.subarray(TRAILER_BYTES - MAGIC.length))) refuse('it does not end like a pack');
  if (crc32c(trailer.subarray(0, TRAILER_CHECKSUM_OFFSET)) !== trailer.readUInt32LE(TRAILER_CHECKSUM_OFFSET)) refuse("its trailer's CRC32C differs");
  if (trailer.readUInt16LE(0) !== VERSION) refuse(`its version is ${trailer.readUInt16LE(0)}, known is ${VERSION}`);
  if (trailer.readUInt16LE(2) !== TRAILER_BYTES) refuse(`its trailer size is ${trailer.readUInt16LE(2)}, known is ${TRAILER_BYTES}`);
  if (trailer.subarray(24, TRAILER_CHECKSUM_OFFSET).some((byte) => byte !== 0)) refuse("its trailer's filling is not zero");
  const told = trailer.readBigUInt64LE(16);
  if (told !== BigInt(packBytes)) refuse(`it is ${packBytes} bytes long, its trailer says ${told}`);
  const facts = { members: trailer.readUInt32LE(4), indexBytes: trailer.readUInt32LE(8), indexChecksum: trailer.readUInt32LE(12), packBytes };
  checkTrailer(facts, refuse);
  return facts;
}

/** CorruptSource for an index that is damaged, is not the trailer's, or leaves a byte of the pack to nobody or to two. */
export function parseIndex(index: Buffer, trailer: PackTrailer): PlacedMember[] {
  const refuse = refuser('CorruptSource');
  if (index.length !== trailer.indexBytes) refuse(`its index has ${index.length} bytes, its trailer says ${trailer.indexBytes}`);
  if (crc32c(index) !== trailer.indexChecksum) refuse("its index's CRC32C differs");
  const members: PlacedMember[] = [];
  let position = 0;
  let end = 0;
  let nameBefore: Buffer | undefined;
  while (members.length < trailer.members) {
    if (position + ENTRY_BYTES > index.length) refuse('its index ends within an entry');
    const nameEnd = position + ENTRY_BYTES + index.readUInt16LE(position + 14);
    if (nameEnd > index.length) refuse('its index ends within a name');
    const nameBytes = index.subarray(position + ENTRY_BYTES, nameEnd);
    const name = nameBytes.toString('utf8');
    if (!isUtf8(nameBytes)) refuse(`the name ${quoted(name)} is not UTF-8`);
    checkOrder(nameBefore, nameBytes, refuse);
    nameBefore = nameBytes;
    const modified = index.readBigInt64LE(position + 16);
    if (!Number.isSafeInteger(Number(modified))) refuse(`the time of ${quoted(name)} is out of range`);
    const member: PlacedMember = {
      name,
      offset: index.readUInt32LE(position),
      bytes: index.readUInt32LE(position + 4),
      crc32c: index.readUInt32LE(position + 8),
      mode: index.readUInt16LE(position + 12),
      modifiedAtMilliseconds: Number(modified),
    };
    checkMember(member, refuse);
    if (member.offset !== end) refuse(`${quoted(name)} begins at byte ${member.offset}, the member before ends at ${end}`);
    end += member.bytes;
    position = nameEnd;
    members.push(member);
  }
  if (position !== index.length) refuse('its index is longer than its entries');
  const indexStart = trailer.packBytes - trailer.indexBytes - TRAILER_BYTES;
  if (end !== indexStart) refuse(`its members end at byte ${end}, its index begins at ${indexStart}`);
  return members;
}

type Refuse = (why: string) => never;

function checkTrailer({ members, indexBytes, packBytes }: PackTrailer, refuse: Refuse): void {
  if (members < 1 || members > MAX_PACK_MEMBERS) refuse(`it has ${members} members, 1 to ${MAX_PACK_MEMBERS} are allowed`);
  if (indexBytes > MAX_INDEX_BYTES) refuse(`its index has ${indexBytes} bytes, at most ${MAX_INDEX_BYTES} are allowed`);
  if (packBytes > MAX_PACK_BYTES) refuse(`it has ${packBytes} bytes, at most ${MAX_PACK_BYTES} are allowed`);
  if (indexBytes + TRAILER_BYTES > packBytes) refuse('its index is longer than itself');
}

function checkMember({ name, bytes, crc32c: checksum, mode }: PackMember, refuse: Refuse): void {
  const isUInt32 = (value: number) => Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
  if (Buffer.byteLength(name) > MAX_KEY_BYTES) refuse(`a name has ${Buffer.byteLength(name)} bytes, at most ${MAX_KEY_BYTES} are allowed`);
  checkName(name, refuse);
  if (!isUInt32(bytes) || bytes >= MEMBER_BYTES_BELOW) refuse(`${quoted(name)} has ${bytes} bytes, fewer than ${MEMBER_BYTES_BELOW} are allowed`);
  if (!isUInt32(checksum)) refuse(`the CRC32C of ${quoted(name)} is not 32 bits`);
  if (!Number.isInteger(mode) || mode < 0 || mode > MODE_BITS) refuse(`the mode of ${quoted(name)} is ${mode}, 0 to ${MODE_BITS} are allowed`);
}

/** A name leads nowhere but below the directory it is extracted to, as a key does. */
function checkName(name: string, refuse: Refuse): void {
  try {
    checkKey(name);
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    refuse(`a name is not allowed: ${error.message}`);
  }
}

function checkOrder(before: Buffer | undefined, name: Buffer, refuse: Refuse): void {
  if (before && Buffer.compare(before, name) >= 0)
    refuse(`${quoted(name.toString())} does not follow ${quoted(before.toString())} in the order of their bytes`);
}

function refuser(type: 'CorruptSource' | 'InvalidInput'): Refuse {
  return (why) => {
    throw new PenstockError(type, type === 'InvalidInput' ? `this cannot be a pack: ${why}.` : `the pack is not sound: ${why}.`);
  };
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 120));
