/**
 * A node's append-only ring of checkpoints; docs/formats/checkpoint-ring.md states it to the byte. Records are written side by side and acknowledged in order, each
 * only when all before it are durable. Nothing is overwritten before the superblock says durably that it may be.
 */
import { randomBytes } from 'node:crypto';
import { PenstockError } from '../../model/errors.ts';
import { formatBytes } from '../../model/quantity.ts';
import type { RingDevice } from './ring-device.ts';
import {
  AREA_START,
  BLOCK_BYTES,
  encodeRecordHeader,
  encodeSuperblock,
  LEAST_RING_BYTES,
  MOST_IN_FLIGHT,
  RECORD_BYTES,
  type RecordHeader,
  recordBytes,
  type Superblock,
} from './ring-format.ts';
import { type RingEntry, type ScannedRing, scanRing } from './ring-scan.ts';

/** What is to be written: the payload lies in the block behind room for the header, its padding filled with zeros. */
export interface RingRecord extends Pick<RecordHeader, 'writeId' | 'key' | 'path' | 'fileOffset' | 'bytes' | 'crc32c'> {
  readonly kind: 'chunk' | 'commit';
  readonly block: Buffer;
}

export interface Ring {
  readonly name: string;
  readonly durability: string;
  readonly areaBytes: number;
  /** Bytes that cannot be written to before something is reclaimed. */
  usedBytes(): number;
  /** From the oldest on. */
  entries(): readonly RingEntry[];
  /** Durable, and so is all before it, when it settles. OutOfSpace where it is full; a device that failed once takes nothing more. */
  append(record: RingRecord): Promise<void>;
  /** Gives back what may go, from the oldest entry on, until one must stay. @returns bytes */
  reclaim(mayGo: (header: RecordHeader) => Promise<boolean>): Promise<number>;
  /** Gives the device back once nothing is written any more. */
  close(): Promise<void>;
}

/** For writing: makes a ring where there is none, and begins a new generation. */
export async function openRing(device: RingDevice): Promise<Ring> {
  const scanned = (await scanRing(device)) ?? (await createRing(device));
  const superblock = { ...scanned.superblock, generation: scanned.superblock.generation + 1, number: scanned.superblock.number + 1 };
  await writeSuperblock(device, superblock);
  return ringOn(device, { ...scanned, superblock }, await device.allocate(BLOCK_BYTES));
}

async function createRing(device: RingDevice): Promise<ScannedRing> {
  if (device.bytes < LEAST_RING_BYTES)
    throw new PenstockError('InvalidInput', `a ring has at least ${LEAST_RING_BYTES} bytes, not ${device.bytes}.`, { store: device.name });
  const areaBytes = Math.floor((device.bytes - AREA_START) / BLOCK_BYTES) * BLOCK_BYTES;
  const superblock: Superblock = { ringId: randomBytes(16).toString('hex'), areaBytes, number: 0, generation: 0, tail: 0, tailSequence: 1 };
  await writeSuperblock(device, superblock);
  return { superblock, entries: [], head: 0, nextSequence: 1 };
}

async function writeSuperblock(device: RingDevice, superblock: Superblock): Promise<void> {
  const block = await device.allocate(BLOCK_BYTES);
  encodeSuperblock(superblock, block);
  await device.write(block, (superblock.number % 2) * BLOCK_BYTES);
}

interface Placed {
  readonly entry: RingEntry;
  readonly block: Buffer;
}
interface InFlight {
  readonly sequence: number;
  isDurable: boolean;
  readonly acknowledge: () => void;
  readonly fail: (error: unknown) => void;
}

/** @param skipBlock one is enough: the ring goes around only when the skip before has been reclaimed */
function ringOn(device: RingDevice, scanned: ScannedRing, skipBlock: Buffer): Ring {
  let { superblock, head, nextSequence } = scanned;
  const { areaBytes, ringId, generation } = superblock;
  const entries = [...scanned.entries];
  let used = entries.reduce((sum, { spanBytes }) => sum + spanBytes, 0);
  /** In the order of their sequence numbers; the first is the oldest that is not acknowledged. */
  const inFlight: InFlight[] = [];
  let failure: unknown;
  const underWay = new Set<Promise<unknown>>();

  /** With the skip that may be before it. */
  const roomAt = (position: number, spanBytes: number): number => (position + spanBytes > areaBytes ? areaBytes - position : 0) + spanBytes;

  /** A chunk leaves room for the commit record. */
  function roomFor(kind: 'chunk' | 'commit', spanBytes: number): number {
    const bytes = roomAt(head, spanBytes);
    return kind === 'commit' ? bytes : bytes + roomAt((head + bytes) % areaBytes, RECORD_BYTES);
  }

  function refuseFull(needed: number, writeId: string): void {
    if (used + needed <= areaBytes) return;
    const store = device.name;
    const oldest = entries.find(({ header }) => header && header.kind !== 'skip')?.header;
    if (oldest?.writeId === writeId) {
      throw new PenstockError('OutOfSpace', `the checkpoint is larger than the ring, whose ${formatBytes(areaBytes)} it has for itself.`, {
        store,
        nextStep: 'Give the node a larger ring: one with room for two checkpoints and more.',
      });
    }
    throw new PenstockError(
      'OutOfSpace',
      `the ring holds ${formatBytes(used)} of ${formatBytes(areaBytes)}, and ${formatBytes(needed)} are needed; the oldest in it, ${oldest?.key ?? 'none'}, must stay until it is drained.`,
      { store, nextStep: 'Wait for its drain, let go of it with `penstock checkpoint drop`, or give the node a larger ring.' },
    );
  }

  /** Takes the next place. */
  function place(header: Pick<RecordHeader, 'kind' | 'writeId' | 'key' | 'path' | 'fileOffset' | 'bytes' | 'crc32c'>, block: Buffer): Placed {
    const spanBytes = header.kind === 'skip' ? areaBytes - head : recordBytes(header.bytes);
    const whole: RecordHeader = { ...header, ringId, generation, sequence: nextSequence, durableBelow: inFlight[0]?.sequence ?? nextSequence };
    encodeRecordHeader(whole, block);
    const entry = { header: whole, position: head, spanBytes };
    entries.push(entry);
    used += spanBytes;
    head = (head + spanBytes) % areaBytes;
    nextSequence += 1;
    return { entry, block: block.subarray(0, header.kind === 'skip' ? BLOCK_BYTES : spanBytes) };
  }

  function write({ entry, block }: Placed): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const flight: InFlight = { sequence: entry.header?.sequence ?? 0, isDurable: false, acknowledge: resolve, fail: reject };
    inFlight.push(flight);
    const written = device.write(block, AREA_START + entry.position).then(
      () => {
        flight.isDurable = true;
        while (failure === undefined && inFlight[0]?.isDurable) inFlight.shift()?.acknowledge();
      },
      (error: unknown) => {
        // Behind a hole nothing could be found again.
        failure ??= error;
        for (const each of inFlight.splice(0)) each.fail(failure);
      },
    );
    underWay.add(written);
    void written.finally(() => underWay.delete(written));
    return promise;
  }

  /** Takes its place before it returns: the order of the calls is the order of the records. */
  function append({ kind, block, ...facts }: RingRecord): Promise<void> {
    if (failure !== undefined) throw failure;
    if (inFlight.length + 2 > MOST_IN_FLIGHT) throw new RangeError(`at most ${MOST_IN_FLIGHT} records are written at once`);
    const spanBytes = recordBytes(facts.bytes);
    const isSkipped = head + spanBytes > areaBytes;
    refuseFull(roomFor(kind, spanBytes), facts.writeId);
    if (isSkipped) {
      const skip = { ...facts, kind: 'skip', key: '', path: '', fileOffset: 0, bytes: 0, crc32c: 0 } as const;
      // Whatever becomes of it becomes of the record behind it.
      write(place(skip, skipBlock)).catch(() => undefined);
    }
    return write(place({ kind, ...facts }, block));
  }

  return {
    name: device.name,
    durability: device.durability,
    areaBytes,
    usedBytes: () => used,
    entries: () => entries,
    append: async (record) => append(record),
    async reclaim(mayGo) {
      let count = 0;
      for (const { header } of entries) {
        if (header && header.kind !== 'skip' && !(await mayGo(header))) break;
        count += 1;
      }
      if (count === 0) return 0;
      const next = entries[count];
      const moved = { ...superblock, number: superblock.number + 1, tail: next?.position ?? head, tailSequence: next?.header?.sequence ?? nextSequence };
      await writeSuperblock(device, moved);
      superblock = moved;
      const bytes = entries.splice(0, count).reduce((sum, { spanBytes }) => sum + spanBytes, 0);
      used -= bytes;
      return bytes;
    },
    async close() {
      await Promise.allSettled(underWay);
      await device.close();
    },
  };
}
