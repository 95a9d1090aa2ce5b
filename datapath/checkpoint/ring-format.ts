/** The ring to the byte: docs/formats/checkpoint-ring.md. Pure; every number of the format is here and nowhere else. */
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';

export const BLOCK_BYTES = 4096;
export const CHUNK_BYTES = 4 * 2 ** 20;
/** Two superblocks. */
export const AREA_START = 2 * BLOCK_BYTES;
/** Records written side by side: what a scan looks into behind the last record that is known to be durable. */
export const MOST_IN_FLIGHT = 32;
/** The largest record. */
export const RECORD_BYTES = BLOCK_BYTES + CHUNK_BYTES;
/** A chunk and a commit record, each with a skip before it, and something to keep. */
export const LEAST_RING_BYTES = AREA_START + 6 * RECORD_BYTES;

const VERSION = 1;
const SUPERBLOCK_MAGIC = Buffer.from('PSTKRING', 'latin1');
const RECORD_MAGIC = Buffer.from('PSTKRREC', 'latin1');
const ID_BYTES = 16;
const KEY_AT = 92;
const MOST_KEY_BYTES = 255;
const PATH_AT = KEY_AT + MOST_KEY_BYTES;
export const MOST_PATH_BYTES = 3740;
const CRC_AT = BLOCK_BYTES - 4;

export interface Superblock {
  /** Hex. */
  readonly ringId: string;
  readonly areaBytes: number;
  readonly number: number;
  readonly generation: number;
  /** Within the area. */
  readonly tail: number;
  readonly tailSequence: number;
}

export type RecordKind = 'chunk' | 'commit' | 'skip';
const kinds = { chunk: 1, commit: 2, skip: 3 } as const satisfies Record<RecordKind, number>;
const kindNames = new Map<number, RecordKind>([
  [kinds.chunk, 'chunk'],
  [kinds.commit, 'commit'],
  [kinds.skip, 'skip'],
]);

export interface RecordHeader {
  readonly kind: RecordKind;
  /** Hex. */
  readonly ringId: string;
  readonly sequence: number;
  readonly generation: number;
  readonly durableBelow: number;
  /** Hex. */
  readonly writeId: string;
  readonly fileOffset: number;
  readonly bytes: number;
  readonly crc32c: number;
  /** `tenant/project/allocation/checkpoint`. */
  readonly key: string;
  readonly path: string;
}

export const padded = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
export const recordBytes = (payloadBytes: number): number => BLOCK_BYTES + padded(payloadBytes);

export function encodeSuperblock(superblock: Superblock, into: Buffer): void {
  const block = begin(into, SUPERBLOCK_MAGIC);
  block.writeUInt32LE(BLOCK_BYTES, 12);
  block.write(superblock.ringId, 16, ID_BYTES, 'hex');
  const { areaBytes, number, generation, tail, tailSequence } = superblock;
  for (const [index, value] of [areaBytes, number, generation, tail, tailSequence].entries()) block.writeBigUInt64LE(BigInt(value), 32 + 8 * index);
  seal(block);
}

/** Undefined where it is none, or damaged. @throws PenstockError InvalidInput where it is of a newer version */
export function decodeSuperblock(block: Buffer): Superblock | undefined {
  if (!isSealed(block, SUPERBLOCK_MAGIC)) return undefined;
  requireVersion(block);
  return {
    ringId: idAt(block, 16),
    areaBytes: numberAt(block, 32),
    number: numberAt(block, 40),
    generation: numberAt(block, 48),
    tail: numberAt(block, 56),
    tailSequence: numberAt(block, 64),
  };
}

/** @throws PenstockError InvalidInput where a name is too long */
export function encodeRecordHeader(header: RecordHeader, into: Buffer): void {
  const [keyBytes, pathBytes] = [Buffer.byteLength(header.key), Buffer.byteLength(header.path)];
  refuseLonger('checkpoint key', header.key, keyBytes, MOST_KEY_BYTES);
  refuseLonger('path', header.path, pathBytes, MOST_PATH_BYTES);
  const block = begin(into, RECORD_MAGIC);
  block.writeUInt8(kinds[header.kind], 12);
  block.write(header.ringId, 16, ID_BYTES, 'hex');
  for (const [index, value] of [header.sequence, header.generation, header.durableBelow].entries()) block.writeBigUInt64LE(BigInt(value), 32 + 8 * index);
  block.write(header.writeId, 56, ID_BYTES, 'hex');
  block.writeBigUInt64LE(BigInt(header.fileOffset), 72);
  block.writeUInt32LE(header.bytes, 80);
  block.writeUInt32LE(header.crc32c, 84);
  block.writeUInt16LE(keyBytes, 88);
  block.writeUInt16LE(pathBytes, 90);
  block.write(header.key, KEY_AT);
  block.write(header.path, PATH_AT);
  seal(block);
}

/** Undefined where it is none, or damaged. */
export function decodeRecordHeader(block: Buffer): RecordHeader | undefined {
  if (!isSealed(block, RECORD_MAGIC) || block.readUInt16LE(8) !== VERSION) return undefined;
  const kind = kindNames.get(block.readUInt8(12));
  const [bytes, keyBytes, pathBytes] = [block.readUInt32LE(80), block.readUInt16LE(88), block.readUInt16LE(90)];
  if (kind === undefined || bytes > CHUNK_BYTES || keyBytes > MOST_KEY_BYTES || pathBytes > MOST_PATH_BYTES) return undefined;
  return {
    kind,
    ringId: idAt(block, 16),
    sequence: numberAt(block, 32),
    generation: numberAt(block, 40),
    durableBelow: numberAt(block, 48),
    writeId: idAt(block, 56),
    fileOffset: numberAt(block, 72),
    bytes,
    crc32c: block.readUInt32LE(84),
    key: block.toString('utf8', KEY_AT, KEY_AT + keyBytes),
    path: block.toString('utf8', PATH_AT, PATH_AT + pathBytes),
  };
}

function begin(into: Buffer, magic: Buffer): Buffer {
  const block = into.subarray(0, BLOCK_BYTES).fill(0);
  magic.copy(block);
  block.writeUInt16LE(VERSION, 8);
  block.writeUInt16LE(BLOCK_BYTES, 10);
  return block;
}

const seal = (block: Buffer): void => void block.writeUInt32LE(crc32c(block.subarray(0, CRC_AT)), CRC_AT);

/** A scan looks at many blocks that are none. */
const hasMagic = (block: Buffer, magic: Buffer): boolean =>
  block.length >= BLOCK_BYTES && block.readUInt32LE(0) === magic.readUInt32LE(0) && block.readUInt32LE(4) === magic.readUInt32LE(4);

const isSealed = (block: Buffer, magic: Buffer): boolean => hasMagic(block, magic) && block.readUInt32LE(CRC_AT) === crc32c(block.subarray(0, CRC_AT));

function requireVersion(block: Buffer): void {
  const version = block.readUInt16LE(8);
  if (version === VERSION) return;
  throw new PenstockError('InvalidInput', `the ring is of format version ${version}; this release reads ${VERSION}.`, {
    nextStep: 'Use the release that wrote it, or drain its checkpoints with that one and begin a new ring.',
  });
}

function refuseLonger(what: string, text: string, bytes: number, most: number): void {
  if (bytes > most)
    throw new PenstockError('InvalidInput', `${what}: found ${JSON.stringify(text.slice(0, 80))}… of ${bytes} bytes; accepted: at most ${most}.`);
}

const idAt = (block: Buffer, offset: number): string => block.toString('hex', offset, offset + ID_BYTES);
const numberAt = (block: Buffer, offset: number): number => Number(block.readBigUInt64LE(offset));
