/** What a ring holds, found by reading it: from the tail on, until the torn tail. Nothing is written. */
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import type { RingDevice } from './ring-device.ts';
import {
  AREA_START,
  BLOCK_BYTES,
  decodeRecordHeader,
  decodeSuperblock,
  MOST_IN_FLIGHT,
  padded,
  RECORD_BYTES,
  type RecordHeader,
  recordBytes,
  type Superblock,
} from './ring-format.ts';
import { createHeaderReader } from './ring-headers.ts';

/** A record and the room it takes. */
export interface RingEntry {
  /** Undefined where damage has taken it. */
  readonly header: RecordHeader | undefined;
  /** Within the area. */
  readonly position: number;
  /** To the next record. */
  readonly spanBytes: number;
}

export interface ScannedRing {
  readonly superblock: Superblock;
  /** From the tail on. */
  readonly entries: readonly RingEntry[];
  /** Where the next record goes, and its sequence number. */
  readonly head: number;
  readonly nextSequence: number;
}

/** Undefined where there is no ring: both superblocks are zeros. @throws PenstockError CorruptSource where there is something else */
export async function scanRing(device: RingDevice): Promise<ScannedRing | undefined> {
  const superblock = await readSuperblock(device);
  return superblock && walk(device, superblock);
}

async function readSuperblock(device: RingDevice): Promise<Superblock | undefined> {
  const blocks = await device.allocate(AREA_START);
  await device.read(blocks, 0);
  const found = [0, 1].flatMap((place) => decodeSuperblock(blocks.subarray(place * BLOCK_BYTES, (place + 1) * BLOCK_BYTES)) ?? []);
  const [newest] = found.sort((a, b) => b.number - a.number);
  if (newest && AREA_START + newest.areaBytes <= device.bytes) return newest;
  if (!newest && blocks.every((byte) => byte === 0)) return undefined;
  throw new PenstockError(
    'CorruptSource',
    newest ? `the ring needs ${AREA_START + newest.areaBytes} bytes, ${device.bytes} are there.` : 'this is no ring, or both its superblocks are damaged.',
    {
      store: device.name,
      nextStep: 'Name the right file in the site file; a device with other content is to be cleared first. Its checkpoints are in the rack too.',
    },
  );
}

async function walk(device: RingDevice, superblock: Superblock): Promise<ScannedRing> {
  const { areaBytes } = superblock;
  const block = await device.allocate(RECORD_BYTES);
  const entries: RingEntry[] = [];
  let [head, nextSequence, usedBytes] = [superblock.tail, superblock.tailSequence, 0];
  let generation = 0;
  /** Entries whose payload nobody has vouched for yet. */
  let [unproven, durableBelow] = [0, superblock.tailSequence];
  const readHeader = createHeaderReader(device, areaBytes);
  const fits = (header: RecordHeader, position: number): boolean =>
    header.ringId === superblock.ringId &&
    header.generation >= generation &&
    header.generation <= superblock.generation &&
    (header.kind === 'skip' || position + recordBytes(header.bytes) <= areaBytes);

  const isWhole = async ({ header, position }: RingEntry): Promise<boolean> => {
    if (!header || header.kind === 'skip') return true;
    const payload = block.subarray(0, padded(header.bytes));
    await device.read(payload, AREA_START + position + BLOCK_BYTES);
    return crc32c(payload.subarray(0, header.bytes)) === header.crc32c;
  };
  const admit = (entry: RingEntry): void => {
    entries.push(entry);
    usedBytes += entry.spanBytes;
    head = (entry.position + entry.spanBytes) % areaBytes;
  };

  while (usedBytes < areaBytes) {
    let [position, header] = [head, await readHeader(head)];
    if (!header || header.sequence !== nextSequence || !fits(header, position)) {
      const next = await findBehindDamage(device, { ...superblock, from: head, sequence: nextSequence, freeBytes: areaBytes - usedBytes, fits });
      if (!next) break;
      for (const span of spansTo(head, next.position, areaBytes)) admit({ header: undefined, ...span });
      [position, header] = [next.position, next.header];
    }
    admit({ header, position, spanBytes: header.kind === 'skip' ? areaBytes - position : recordBytes(header.bytes) });
    nextSequence = header.sequence + 1;
    generation = header.generation;
    durableBelow = Math.max(durableBelow, header.durableBelow);
    while (unproven < entries.length && (entries[unproven]?.header?.sequence ?? 0) < durableBelow) unproven += 1;
  }
  for (let index = unproven; index < entries.length; index += 1) {
    const entry = entries[index];
    if (!entry || (await isWhole(entry))) continue;
    entries.length = index;
    return { superblock, entries, head: entry.position, nextSequence: entry.header?.sequence ?? nextSequence };
  }
  return { superblock, entries, head, nextSequence };
}

interface Damage extends Pick<Superblock, 'areaBytes'> {
  readonly from: number;
  readonly sequence: number;
  readonly freeBytes: number;
  readonly fits: (header: RecordHeader, position: number) => boolean;
}

/** The next record, where it proves that what is missing before it was durable once; else it is the torn tail. */
async function findBehindDamage(
  device: RingDevice,
  { areaBytes, from, sequence, freeBytes, fits }: Damage,
): Promise<{ position: number; header: RecordHeader } | undefined> {
  const window = await device.allocate(SEARCH_BYTES);
  const endBytes = Math.min(freeBytes, MOST_IN_FLIGHT * RECORD_BYTES);
  for (let ahead = BLOCK_BYTES; ahead < endBytes; ) {
    const begin = (from + ahead) % areaBytes;
    const piece = window.subarray(0, Math.min(SEARCH_BYTES, endBytes - ahead, areaBytes - begin));
    await device.read(piece, AREA_START + begin);
    for (let offset = 0; offset < piece.length; offset += BLOCK_BYTES) {
      const header = decodeRecordHeader(piece.subarray(offset, offset + BLOCK_BYTES));
      if (header && header.sequence > sequence && header.durableBelow > sequence && fits(header, begin + offset)) return { position: begin + offset, header };
    }
    ahead += piece.length;
  }
  return undefined;
}
const SEARCH_BYTES = 2 ** 20;

/** Cut where the area ends. */
function spansTo(from: number, to: number, areaBytes: number): { position: number; spanBytes: number }[] {
  if (to > from) return [{ position: from, spanBytes: to - from }];
  return [{ position: from, spanBytes: areaBytes - from }, ...(to > 0 ? [{ position: 0, spanBytes: to }] : [])];
}
