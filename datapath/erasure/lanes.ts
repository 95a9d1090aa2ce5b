/**
 * The shards of one object going out side by side. A rack that fails while its shard can still be repeated (up to the first cell) is replaced by a
 * spare; later it is left out. Fewer lanes than the quorum end the write.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { chooseSpare } from '../../model/placement.ts';
import type { ObjectIdentity } from './format.ts';
import { openLane, type ShardLane } from './lane.ts';
import { shardBytes, shardKey, WRITE_QUORUM } from './layout.ts';
import type { ShardPlacement } from './live-racks.ts';
import { messageOf } from './patience.ts';

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
  /** Resolves when the slowest lane has room again. StoreUnavailable or OutOfSpace below the quorum. */
  distribute(chunkOf: (index: number) => Buffer): Promise<void>;
  /** Resolves when all shards that did not fail are durable. Errors as above. */
  finish(): Promise<void>;
  /** Stops what is under way. */
  abandon(reason: unknown): Promise<void>;
  placed(): PlacedShard[];
  /** Every rack that was written to, also in vain. */
  touched(): PlacedShard[];
  readonly faults: readonly LaneFault[];
}

/** Header and first cell: what is kept to begin anew on a spare, at most one stripe of memory. */
const REPEATABLE_CHUNKS = 2;

export function openLanes(identity: ObjectIdentity, placement: ShardPlacement, stallMilliseconds: number): LaneSet {
  const faults: LaneFault[] = [];
  const causes: Error[] = [];
  const touched: PlacedShard[] = [];
  const spares = [...placement.spares];
  const given: Buffer[][] = placement.chosen.map(() => []);
  const bytes = shardBytes(identity);
  let chunks = 0;
  let finished = false;
  let abandoned: Error | undefined;
  const lanes: (ShardLane | undefined)[] = placement.chosen.map((rack, index) => open(rack, index));

  return {
    faults,
    placed: () => lanes.flatMap((lane, index) => (lane ? [{ index, rack: lane.rack }] : [])),
    touched: () => [...touched],

    async distribute(chunkOf) {
      chunks++;
      await Promise.all(
        lanes.map(async (lane, index) => {
          const chunk = chunkOf(index);
          if (isRepeatable()) given[index]?.push(chunk);
          else given[index] = [];
          await lane?.push(chunk);
        }),
      );
      await mend();
    },

    async finish() {
      finished = true;
      await Promise.all(lanes.map(async (lane) => lane?.finish()));
      await mend();
    },

    async abandon(reason) {
      abandoned ??= reason instanceof Error ? reason : new Error(String(reason));
      const why = abandoned;
      await Promise.all(lanes.map(async (lane) => lane?.abandon(why)));
    },
  };

  function isRepeatable(): boolean {
    // An object of one stripe can be repeated to its end: the third chunk is its table and footer.
    return chunks <= REPEATABLE_CHUNKS || (identity.stripes <= 1 && chunks === REPEATABLE_CHUNKS + 1);
  }

  function open(rack: RackStore, index: number): ShardLane {
    touched.push({ index, rack });
    return openLane({ rack, key: shardKey(identity.key, identity.writeId, index), bytes, bufferBytes: identity.cellBytes, stallMilliseconds });
  }

  /** Until every lane is well or left out. Ends, for each turn uses up a spare or a lane. */
  async function mend(): Promise<void> {
    for (;;) {
      if (abandoned) throw abandoned;
      const failed = lanes.flatMap((lane, index) => (lane?.failure() ? [{ lane, index }] : []));
      if (failed.length === 0) break;
      await Promise.all(failed.map(({ lane, index }) => replace(lane, index)));
    }
    const alive = lanes.filter((lane) => lane !== undefined).length;
    if (alive < WRITE_QUORUM) throw belowQuorum(alive);
  }

  async function replace(lane: ShardLane, index: number): Promise<void> {
    const cause = lane.failure() ?? new Error('unknown');
    causes.push(cause);
    faults.push({ rack: lane.rack.id, index, message: messageOf(cause) });
    lanes[index] = undefined;
    const inUse = lanes.flatMap((other) => (other ? [other.rack] : []));
    const spare = isRepeatable() ? chooseSpare(inUse, spares) : undefined;
    if (!spare) return;
    spares.splice(spares.indexOf(spare), 1);
    const successor = open(spare, index);
    lanes[index] = successor;
    for (const chunk of given[index] ?? []) await successor.push(chunk);
    if (finished) await successor.finish();
  }

  function belowQuorum(alive: number): PenstockError {
    const outOfSpace = causes.filter((cause) => cause instanceof PenstockError && cause.type === 'OutOfSpace').length;
    const reasons = faults.map((fault) => `${fault.rack} (${fault.message})`).join(', ');
    return new PenstockError(
      outOfSpace > 0 && outOfSpace === causes.length ? 'OutOfSpace' : 'StoreUnavailable',
      `${alive} of the ${WRITE_QUORUM} shards needed of ${JSON.stringify(identity.key)} could be written; failed: ${reasons || 'none'}.`,
    );
  }
}
