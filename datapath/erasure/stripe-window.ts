/**
 * The stripes of an object that racks may still need: from the slowest lane's, and from the first one on while there is room, for so long a shard can be begun anew
 * on a spare. An object's write holds so many slabs and no more, whatever its size.
 */
import type { ShardLane } from './lane.ts';
import { createSlabPool } from './slab-pool.ts';

export interface StripeWindow {
  take(): Promise<ArrayBuffer>;
  /** The next stripe. */
  add(slab: ArrayBuffer): void;
  /** Undefined where the stripe is not there yet. */
  cell(stripe: number, index: number): Buffer | undefined;
  /** Whether the first stripe, and so every later one, is still here. */
  isRepeatable(): boolean;
  /** Whether somebody waits for a slab. */
  isShort(): boolean;
  /** So that what its rack may still touch is kept, also after it has failed. */
  follow(lane: ShardLane): void;
  /** Gives slabs back, if any are wanted, that every lane has passed. */
  release(alive: readonly ShardLane[]): void;
}

/** One filling, one being hashed, one coded, two going out: 90 MiB at most. */
const SLABS = 5;
/** A rack that was given up and still has not let go: its slab is not used again. */
const LET_GO_MILLISECONDS = 1_000;

export function createStripeWindow(cellBytes: number, onShort: () => void): StripeWindow {
  const slabs = createSlabPool(cellBytes, SLABS, onShort);
  const held = new Map<number, ArrayBuffer>();
  const followed = new Set<ShardLane>();
  /** Slabs whose rack was given up and did not let go in time. */
  const lost = new Set<ShardLane>();
  const timed = new WeakSet<ShardLane>();
  let lowest = 0;
  let next = 0;

  return {
    take: () => slabs.take(),
    add(slab) {
      held.set(next++, slab);
    },
    cell(stripe, index) {
      const slab = held.get(stripe);
      return slab && Buffer.from(slab, index * cellBytes, cellBytes);
    },
    isRepeatable: () => lowest === 0,
    isShort: () => slabs.isShort(),
    follow(lane) {
      followed.add(lane);
      lane.hasLetGo.then(
        () => letGo(lane),
        () => letGo(lane),
      );
    },
    release,
  };

  function letGo(lane: ShardLane): void {
    followed.delete(lane);
    lost.delete(lane);
    if (slabs.isShort()) onShort();
  }

  function release(alive: readonly ShardLane[]): void {
    while (slabs.isShort() && held.size > 0) {
      if (alive.some((lane) => lane.passed() <= lowest + 1)) return;
      // Failed ones are where they stopped: at one block, of one slab.
      const given = [...followed].filter((lane) => !alive.includes(lane) && lane.passed() === lowest + 1);
      const waited = given.filter((lane) => !lost.has(lane));
      if (waited.length > 0) {
        for (const lane of waited) giveUpOn(lane);
        return;
      }
      const slab = held.get(lowest);
      if (!slab) return;
      held.delete(lowest++);
      if (given.length > 0) slabs.forget();
      else slabs.give(slab);
    }
  }

  function giveUpOn(lane: ShardLane): void {
    if (timed.has(lane)) return;
    timed.add(lane);
    setTimeout(() => {
      if (!followed.has(lane)) return;
      lost.add(lane);
      onShort();
    }, LET_GO_MILLISECONDS).unref();
  }
}
