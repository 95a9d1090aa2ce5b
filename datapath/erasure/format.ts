/** The bytes of a shard's header, cell table and footer, as docs/formats/erasure.md states them. What does not fit exactly is refused. */
import { createHash } from 'node:crypto';
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import { FIELD_POLYNOMIAL } from './gf256.ts';
import {
  DATA_SHARDS,
  FOOTER_BYTES,
  HEADER_BYTES,
  type Layout,
  MAX_CELL_BYTES,
  MAX_KEY_BYTES,
  MIN_CELL_BYTES,
  PARITY_SHARDS,
  stripesOf,
  TABLE_ENTRY_BYTES,
  TOTAL_SHARDS,
} from './layout.ts';

const VERSION = 1;
const CAUCHY_MATRIX = 1;
const HEADER_MAGIC = Buffer.from('PSTKECHD', 'latin1');
const FOOTER_MAGIC = Buffer.from('PSTKECFT', 'latin1');
const KEY_OFFSET = 98;
const HEADER_CHECKSUM_OFFSET = HEADER_BYTES - 4;
const FOOTER_CHECKSUM_OFFSET = 116;

/** What every shard of one written object has in common, known before its content is read. */
export interface ObjectIdentity extends Layout {
  readonly key: string;
  /** 32 hex digits. */
  readonly writeId: string;
  readonly createdAtMilliseconds: number;
}
export interface ShardHeader extends ObjectIdentity {
  readonly index: number;
  /** The header's CRC32C, which the footer repeats. */
  readonly checksum: number;
}
/** Known once the content has passed. */
export interface ContentDigest {
  /** Hex. */
  readonly sha256: string;
  readonly crc32c: number;
}

export function encodeHeader(identity: ObjectIdentity, index: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const key = Buffer.from(identity.key, 'utf8');
  HEADER_MAGIC.copy(header, 0);
  header.writeUInt16LE(VERSION, 8);
  header.writeUInt16LE(HEADER_BYTES, 10);
  header.writeUInt8(DATA_SHARDS, 12);
  header.writeUInt8(PARITY_SHARDS, 13);
  header.writeUInt8(index, 14);
  header.writeUInt32LE(identity.cellBytes, 16);
  header.writeUInt16LE(FIELD_POLYNOMIAL, 20);
  header.writeUInt16LE(CAUCHY_MATRIX, 22);
  header.writeBigUInt64LE(BigInt(identity.objectBytes), 24);
  header.writeBigUInt64LE(BigInt(identity.stripes), 32);
  header.write(identity.writeId, 40, 16, 'hex');
  createHash('sha256').update(key).digest().copy(header, 56);
  header.writeBigUInt64LE(BigInt(identity.createdAtMilliseconds), 88);
  header.writeUInt16LE(key.length, 96);
  key.copy(header, KEY_OFFSET);
  header.writeUInt32LE(crc32c(header.subarray(0, HEADER_CHECKSUM_OFFSET)), HEADER_CHECKSUM_OFFSET);
  return header;
}

/** CorruptSource, naming the field, for anything but a header of version 1. */
export function parseHeader(header: Buffer): ShardHeader {
  demand(header.length === HEADER_BYTES, `the header has ${header.length} bytes`);
  demand(HEADER_MAGIC.equals(header.subarray(0, 8)), 'it does not begin like a shard');
  const checksum = header.readUInt32LE(HEADER_CHECKSUM_OFFSET);
  demand(crc32c(header.subarray(0, HEADER_CHECKSUM_OFFSET)) === checksum, "the header's CRC32C differs");
  demand(header.readUInt16LE(8) === VERSION, `its version is ${header.readUInt16LE(8)}, known is ${VERSION}`);
  demand(header.readUInt16LE(10) === HEADER_BYTES, 'its header size is unknown');
  demand(
    header.readUInt8(12) === DATA_SHARDS && header.readUInt8(13) === PARITY_SHARDS,
    `it is ${header.readUInt8(12)}+${header.readUInt8(13)}, known is ${DATA_SHARDS}+${PARITY_SHARDS}`,
  );
  demand(header.readUInt8(15) === 0, 'a reserved byte is set');
  demand(header.readUInt16LE(20) === FIELD_POLYNOMIAL && header.readUInt16LE(22) === CAUCHY_MATRIX, 'its code is unknown');
  const index = header.readUInt8(14);
  demand(index < TOTAL_SHARDS, `there is no shard ${index}`);
  const cellBytes = header.readUInt32LE(16);
  demand(cellBytes >= MIN_CELL_BYTES && cellBytes <= MAX_CELL_BYTES && cellBytes % MIN_CELL_BYTES === 0, `its cell size ${cellBytes} is not allowed`);
  const objectBytes = safeNumber(header.readBigUInt64LE(24), 'object length');
  const stripes = safeNumber(header.readBigUInt64LE(32), 'number of stripes');
  demand(stripes === stripesOf(objectBytes, cellBytes), 'stripes and object length disagree');
  const keyBytes = header.readUInt16LE(96);
  demand(keyBytes >= 1 && keyBytes <= MAX_KEY_BYTES, `its key has ${keyBytes} bytes`);
  const key = header.subarray(KEY_OFFSET, KEY_OFFSET + keyBytes);
  demand(createHash('sha256').update(key).digest().equals(header.subarray(56, 88)), 'key and key hash disagree');
  demand(isZero(header.subarray(KEY_OFFSET + keyBytes, HEADER_CHECKSUM_OFFSET)), 'the filling behind its key is not zero');
  return {
    key: key.toString('utf8'),
    writeId: header.toString('hex', 40, 56),
    objectBytes,
    cellBytes,
    stripes,
    index,
    checksum,
    createdAtMilliseconds: safeNumber(header.readBigUInt64LE(88), 'time of creation'),
  };
}

/** The shard's end: table and footer in one. `checksums`: CRC32C of each cell, 4 bytes little-endian each. */
export function encodeTail(header: ShardHeader, checksums: Buffer, digest: ContentDigest): Buffer {
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeUInt16LE(VERSION, 0);
  footer.writeUInt16LE(FOOTER_BYTES, 2);
  footer.writeUInt8(DATA_SHARDS, 4);
  footer.writeUInt8(PARITY_SHARDS, 5);
  footer.writeUInt8(header.index, 6);
  footer.writeUInt32LE(header.cellBytes, 8);
  footer.writeUInt32LE(header.checksum, 12);
  footer.writeBigUInt64LE(BigInt(header.stripes), 16);
  footer.writeBigUInt64LE(BigInt(header.objectBytes), 24);
  footer.write(header.writeId, 32, 16, 'hex');
  footer.write(digest.sha256, 48, 32, 'hex');
  footer.writeUInt32LE(digest.crc32c, 80);
  footer.writeUInt32LE(crc32c(checksums), 84);
  footer.writeUInt32LE(crc32c(footer.subarray(0, FOOTER_CHECKSUM_OFFSET)), FOOTER_CHECKSUM_OFFSET);
  FOOTER_MAGIC.copy(footer, FOOTER_BYTES - FOOTER_MAGIC.length);
  return Buffer.concat([checksums, footer]);
}

/** CorruptSource for a tail that is damaged or belongs to another header. */
export function parseTail(header: ShardHeader, tail: Buffer): { checksums: Uint32Array; digest: ContentDigest } {
  const tableBytes = header.stripes * TABLE_ENTRY_BYTES;
  demand(tail.length === tableBytes + FOOTER_BYTES, `table and footer have ${tail.length} bytes`);
  const table = tail.subarray(0, tableBytes);
  const footer = tail.subarray(tableBytes);
  demand(FOOTER_MAGIC.equals(footer.subarray(FOOTER_BYTES - FOOTER_MAGIC.length)), 'it does not end like a shard');
  demand(crc32c(footer.subarray(0, FOOTER_CHECKSUM_OFFSET)) === footer.readUInt32LE(FOOTER_CHECKSUM_OFFSET), "the footer's CRC32C differs");
  demand(footer.readUInt16LE(0) === VERSION && footer.readUInt16LE(2) === FOOTER_BYTES, "the footer's version is unknown");
  const agrees =
    footer.readUInt8(4) === DATA_SHARDS &&
    footer.readUInt8(5) === PARITY_SHARDS &&
    footer.readUInt8(6) === header.index &&
    footer.readUInt32LE(8) === header.cellBytes &&
    footer.readUInt32LE(12) === header.checksum &&
    footer.readBigUInt64LE(16) === BigInt(header.stripes) &&
    footer.readBigUInt64LE(24) === BigInt(header.objectBytes) &&
    footer.toString('hex', 32, 48) === header.writeId;
  demand(agrees, 'header and footer disagree');
  demand(footer.readUInt8(7) === 0 && isZero(footer.subarray(88, FOOTER_CHECKSUM_OFFSET)), "the footer's filling is not zero");
  demand(crc32c(table) === footer.readUInt32LE(84), "the cell table's CRC32C differs");
  return {
    checksums: Uint32Array.from({ length: header.stripes }, (_, stripe) => table.readUInt32LE(stripe * TABLE_ENTRY_BYTES)),
    digest: { sha256: footer.toString('hex', 48, 80), crc32c: footer.readUInt32LE(80) },
  };
}

/** CRC32C as S3 writes it: base64 of the big-endian value. */
export function crc32cText(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}

function demand(holds: boolean, why: string): asserts holds {
  if (!holds) throw new PenstockError('CorruptSource', `the shard is not sound: ${why}.`);
}

function safeNumber(value: bigint, name: string): number {
  demand(value <= BigInt(Number.MAX_SAFE_INTEGER), `its ${name} ${value} is out of range`);
  return Number(value);
}

const ZEROS = Buffer.alloc(HEADER_BYTES);

/** Every shard that is opened has 3 KB of filling: compared, not walked through byte by byte. */
function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}
