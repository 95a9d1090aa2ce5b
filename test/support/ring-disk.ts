/**
 * A disk in memory whose writes may be torn: each takes effect in blocks of 4096 in a seeded order, and a power cut leaves of those that were not answered whatever had
 * arrived. Nothing that was answered is lost.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { RingDevice } from '../../datapath/checkpoint/ring-device.ts';

const BLOCK_BYTES = 4096;

export interface RingDisk {
  readonly content: Buffer;
  /** Each opens the same disk again; what another one still had under way goes nowhere. */
  open(): RingDevice;
  /** From now on nothing arrives and nothing is answered. */
  cut(): void;
  /** So many more writes, then a cut in the midst of the next one, and the call back. */
  cutAfter(writes: number, onCut?: () => void): void;
  /** From now on every write fails with this. */
  fail(error: Error): void;
  readonly writes: () => number;
}

export interface RingDiskMemory {
  /** To use, cleared here; its own where absent. */
  readonly content?: Buffer | undefined;
  /** As the device's; any where absent. */
  readonly allocate?: RingDevice['allocate'];
}

/** @param chance from 0 to below 1 */
export function createRingDisk(bytes: number, chance: () => number, memory: RingDiskMemory = {}): RingDisk {
  const { content = Buffer.alloc(bytes), allocate = (wanted) => Promise.resolve(Buffer.allocUnsafeSlow(wanted)) } = memory;
  content.fill(0);
  let power = 0;
  let isCut = false;
  let left = Number.POSITIVE_INFINITY;
  let failure: Error | undefined;
  let writes = 0;
  let whenCut: () => void = () => undefined;

  async function write(from: Buffer, position: number, since: number): Promise<void> {
    if (failure) throw failure;
    writes += 1;
    left -= 1;
    if (left < 0 && !isCut) {
      isCut = true;
      whenCut();
    }
    const isOff = (): boolean => isCut || power !== since;
    // Nothing of it has arrived for certain before it is answered.
    for (let turns = isOff() ? 0 : Math.floor(chance() * 4); turns > 0; turns -= 1) await turn();
    const blocks = Array.from({ length: from.length / BLOCK_BYTES }, (_, index) => index);
    // At the cut some blocks of a write arrive, and others do not.
    const arrives = isOff() ? blocks.filter(() => chance() < 0.5) : blocks;
    if (power === since) for (const index of arrives) from.copy(content, position + index * BLOCK_BYTES, index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
    if (isOff()) await new Promise(() => undefined);
  }

  return {
    content,
    writes: () => writes,
    cut() {
      isCut = true;
    },
    cutAfter(count, onCut = () => undefined) {
      left = count;
      whenCut = onCut;
    },
    fail(error) {
      failure = error;
    },
    open() {
      power += 1;
      isCut = false;
      left = Number.POSITIVE_INFINITY;
      failure = undefined;
      const since = power;
      return {
        name: 'disk',
        bytes,
        durability: 'simulated',
        allocate,
        write: (from, position) => write(from, position, since),
        read: async (into, position) => void content.copy(into, 0, position, position + into.length),
        close: () => Promise.resolve(),
      };
    },
  };
}
