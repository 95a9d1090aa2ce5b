/**
 * The shards of one object going out side by side, each at its rack's pace within the slabs there are. A rack that fails or lags while its shard can still be
 * repeated (its first stripe is still in memory) is replaced by a spare; later it is left out. Fewer lanes than the quorum end the write.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType, messageOf, PenstockError } from '../../model/errors.ts';
import { chooseSpare } from '../../model/placement.ts';
import type { ObjectIdentity } from './format.ts';
import { openLane, type ShardLane } from './lane.ts';
import { createLaneClock } from './lane-clock.ts';
import { shardBytes, shardKey, WRITE_QUORUM } from './layout.ts';
import type { ShardPlacement } from './live-racks.ts';
import { atMost, type Patience } from './patience.ts';
import { noteTrouble } from './rack-memory.ts';
import type { ShardParts } from './shard-parts.ts';
import { createStripeWindow } from './stripe-window.ts';

export interface LaneFault {
  readonly rack: string;
  readonly index: number;
  readonly message: string;
}
export interface PlacedShard {
  readonly index: number;
  readonly rack: RackStore;
}

export interface LaneSet {
  /** Waits for a slab while all are out. */
  take(): Promise<ArrayBuffer>;
  /** The next stripe, coded; the slab is the lanes' from here on. */
  offer(slab: ArrayBuffer): void;
  /** Behind the last stripe, when the parts know the digest. Resolves when all shards that did not fail are durable and read back. */
  finish(): Promise<void>;
  /** Rejects where fewer lanes than the quorum are left (StoreUnavailable, OutOfSpace), or with what ended the set. */
  readonly broken: Promise<never>;
  /** Stops what is under way. Resolves when the racks have let go, or after a second: cancelling must not wait for a silent rack. */
  abandon(reason: unknown): Promise<void>;
  placed(): PlacedShard[];
  /** Every rack that was written to, also in vain. */
  touched(): PlacedShard[];
  readonly faults: readonly LaneFault[];
}

export interface LaneSetOptions {
  readonly identity: ObjectIdentity;
  readonly placement: ShardPlacement;
  readonly parts: ShardParts;
  readonly patience: Patience;
  /** Stripes that a quorum of racks has taken. */
  onTaken(stripes: number): void;
}

const LET_GO_MILLISECONDS = 1_000;

export function openLanes({ identity, placement, parts, patience, onTaken }: LaneSetOptions): LaneSet {
  const faults: LaneFault[] = [];
  const causes: Error[] = [];
  const touched: PlacedShard[] = [];
  const spares = [...placement.spares];
  const clock = createLaneClock(patience);
  const window = createStripeWindow(identity.cellBytes, () => changed());
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const finished = Promise.withResolvers<void>();
  let lanes: (ShardLane | undefined)[] = [];
  let isFinishing = false;
  let isOver = false;
  let taken = 0;

  return {
    faults,
    broken: broken.promise,
    placed: () => alive().map(({ index, rack }) => ({ index, rack })),
    touched: () => [...touched],
    take: () => window.take(),

    offer(slab) {
      window.add(slab);
      begin();
    },

    async finish() {
      isFinishing = true;
      begin();
      await Promise.race([finished.promise, broken.promise]);
      isOver = true;
      clock.stop();
    },

    async abandon(reason) {
      end(reason instanceof Error ? reason : new Error(String(reason)));
      const open = alive();
      for (const lane of open) lane.fail(new Error('The write was given up.', { cause: reason }));
      await atMost(LET_GO_MILLISECONDS, Promise.all(open.map(({ hasLetGo }) => hasLetGo)));
    },
  };

  /** The lanes open with the first stripe, so that no rack is kept waiting for the source with an empty shard. */
  function begin(): void {
    if (lanes.length === 0 && !isOver) lanes = placement.chosen.map((rack, index) => open(rack, index));
    for (const lane of alive()) lane.wake();
    changed();
  }

  function open(rack: RackStore, index: number): ShardLane {
    touched.push({ index, rack });
    const cargo = {
      key: shardKey(identity.key, identity.writeId, index),
      bytes: shardBytes(identity),
      blocks: identity.stripes + 2,
      crc32c: () => parts.checksum(index),
      block(number: number): Buffer | undefined {
        if (number === 0) return parts.header(index);
        return number <= identity.stripes ? window.cell(number - 1, index) : parts.tail(index);
      },
    };
    const lane = openLane({ rack, index, cargo, patience, onProgress: () => changed(), onFailure: (failed, error) => replace(failed, error) });
    window.follow(lane);
    return lane;
  }

  function alive(): ShardLane[] {
    return lanes.flatMap((lane) => lane ?? []);
  }

  function changed(): void {
    if (isOver) return;
    window.release(alive());
    const open = alive();
    for (; open.filter((lane) => lane.passed() > taken + 1).length >= WRITE_QUORUM && taken < identity.stripes; taken++) onTaken(taken + 1);
    if (isFinishing && open.length >= WRITE_QUORUM && open.every((lane) => lane.isDone())) finished.resolve();
    else clock.look({ lanes: open, isHeldUp: isFinishing || window.isShort(), replaceable: window.isRepeatable() ? spares.length : 0 });
  }

  function replace(lane: ShardLane, cause: Error): void {
    if (isOver) return;
    causes.push(cause);
    faults.push({ rack: lane.rack.id, index: lane.index, message: messageOf(cause) });
    noteTrouble(lane.rack, patience);
    lanes[lane.index] = undefined;
    const inUse = alive().map(({ rack }) => rack);
    const spare = window.isRepeatable() ? chooseSpare(inUse, spares) : undefined;
    if (spare) {
      spares.splice(spares.indexOf(spare), 1);
      lanes[lane.index] = open(spare, lane.index);
    }
    const left = alive().length;
    if (left < WRITE_QUORUM) end(belowQuorum(left));
    else changed();
  }

  function end(reason: Error): void {
    isOver = true;
    clock.stop();
    broken.reject(reason);
  }

  function belowQuorum(left: number): PenstockError {
    const outOfSpace = causes.filter((cause) => isType(cause, 'OutOfSpace')).length;
    const reasons = faults.map((fault) => `${fault.rack} (${fault.message})`).join(', ');
    return new PenstockError(
      outOfSpace > 0 && outOfSpace === causes.length ? 'OutOfSpace' : 'StoreUnavailable',
      `${left} of the ${WRITE_QUORUM} shards needed of ${JSON.stringify(identity.key)} could be written; failed: ${reasons || 'none'}.`,
    );
  }
}
