/** The checkpoints that a ring offers: those whose commit record it holds. Every chunk is held to its CRC32C as it is read. */
import { type CheckpointRecord, CheckpointRecordSchema } from '../../model/checkpoint-record.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import type { RingDevice } from './ring-device.ts';
import { AREA_START, BLOCK_BYTES, type RecordHeader, recordBytes } from './ring-format.ts';
import type { RingEntry } from './ring-scan.ts';

export interface RingCopy {
  /** `tenant/project/allocation/checkpoint`. */
  readonly key: string;
  readonly writeId: string;
  /** Undefined where it was never committed here, or damage took the record. */
  readonly record: CheckpointRecord | undefined;
  /** By path, in the order of their offsets. */
  readonly chunks: ReadonlyMap<string, readonly PlacedRecord[]>;
}
interface PlacedRecord {
  readonly header: RecordHeader;
  readonly position: number;
}

/** From the oldest on; one for each attempt to write a checkpoint. */
export async function ringCopies(device: RingDevice, entries: readonly RingEntry[]): Promise<RingCopy[]> {
  const copies = new Map<string, { key: string; writeId: string; record: CheckpointRecord | undefined; chunks: Map<string, PlacedRecord[]> }>();
  for (const { header, position } of entries) {
    if (!header || header.kind === 'skip') continue;
    const { key, writeId, path } = header;
    const copy = copies.get(writeId) ?? { key, writeId, record: undefined, chunks: new Map<string, PlacedRecord[]>() };
    copies.set(writeId, copy);
    const placed = { header, position };
    if (header.kind === 'commit') copy.record = await readRecord(device, placed);
    else if (!copy.chunks.get(path)?.push(placed)) copy.chunks.set(path, [placed]);
  }
  for (const { chunks } of copies.values()) for (const placed of chunks.values()) placed.sort((a, b) => a.header.fileOffset - b.header.fileOffset);
  return [...copies.values()];
}

async function readRecord(device: RingDevice, placed: PlacedRecord): Promise<CheckpointRecord | undefined> {
  try {
    return CheckpointRecordSchema.parse(JSON.parse((await readPayload(device, placed)).toString('utf8')));
  } catch (error) {
    if (isType(error, 'ChecksumMismatch')) return undefined;
    throw error;
  }
}

/** Fresh memory for each: whoever streams it may hold it for a while. @throws PenstockError ChecksumMismatch */
async function readPayload(device: RingDevice, { header, position }: PlacedRecord): Promise<Buffer> {
  const whole = await device.allocate(recordBytes(header.bytes));
  await device.read(whole, AREA_START + position);
  const payload = whole.subarray(BLOCK_BYTES, BLOCK_BYTES + header.bytes);
  if (crc32c(payload) === header.crc32c) return payload;
  throw new PenstockError('ChecksumMismatch', `the record of ${header.path || header.key} at ${header.fileOffset} is damaged.`, {
    store: `ring ${device.name}`,
  });
}

/** In order. NotFound where the ring lacks a chunk of it. */
export async function* readRingFile(device: RingDevice, copy: RingCopy, path: string): AsyncGenerator<Buffer, void> {
  let next = 0;
  for (const placed of copy.chunks.get(path) ?? []) {
    if (placed.header.fileOffset !== next) throw missing(device, path, next);
    yield await readPayload(device, placed);
    next += placed.header.bytes;
  }
  if (!copy.chunks.has(path)) throw missing(device, path, next);
}

const missing = (device: RingDevice, path: string, offset: number): PenstockError =>
  new PenstockError('NotFound', `${path} has no chunk at ${offset}.`, { store: `ring ${device.name}` });
