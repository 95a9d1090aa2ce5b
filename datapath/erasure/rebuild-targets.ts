/** Where rebuilt shards go: racks without a sound shard of the object, such that the rooms stay even; the shard's own rack only where no other does. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf } from '../../model/errors.ts';
import { chooseSpare, placeShards, type RackRefusal, tooFewRacks } from '../../model/placement.ts';
import { shardBytes } from './layout.ts';
import { type ErasureManifest, layoutOf } from './manifest.ts';
import type { SurveyOptions } from './manifest-copies.ts';
import type { Patience } from './patience.ts';
import { askRack, withLastChance } from './rack-memory.ts';

export interface RebuildTarget {
  readonly index: number;
  readonly rack: RackStore;
}

/**
 * For as many of the unsound shards as there are racks, in their order. OutOfSpace or StoreUnavailable, naming the racks and why, where none can take one:
 * both pass by themselves when racks come back, are added or get room.
 */
export async function rebuildTargets(
  racks: readonly RackStore[],
  manifest: ErasureManifest,
  unsound: readonly number[],
  options: SurveyOptions,
): Promise<RebuildTarget[]> {
  const kept = new Set(manifest.shards.filter(({ index }) => !unsound.includes(index)).map(({ rack }) => rack));
  const inUse = racks.filter(({ id }) => kept.has(id));
  const others = racks.filter(({ id }) => !kept.has(id));
  const look = (patience: Patience) => ask(others, shardBytes(layoutOf(manifest)), { ...options, patience });
  const { takers, refusals } = await withLastChance(others, options.patience, look, (found) => found.takers.length > 0);
  const ranked = placeShards(manifest.key, takers, takers.length).chosen.map(({ rack }) => rack);
  const targets: RebuildTarget[] = [];
  for (const index of unsound) {
    const own = manifest.shards.find((shard) => shard.index === index)?.rack;
    const rack = chooseSpare(inUse, [...ranked.filter(({ id }) => id !== own), ...ranked.filter(({ id }) => id === own)]);
    if (!rack) break;
    ranked.splice(ranked.indexOf(rack), 1);
    inUse.push(rack);
    targets.push({ index, rack });
  }
  if (targets.length > 0) return targets;
  throw tooFewRacks(manifest.key, { takers: 0, needed: 1, refusals });
}

async function ask(racks: readonly RackStore[], neededBytes: number, options: SurveyOptions) {
  const refusals: RackRefusal[] = [];
  const takers: { id: string; room: string; availableBytes: number | undefined; rack: RackStore }[] = [];
  await Promise.all(
    racks.map(async (rack) => {
      const { id, room, closed } = rack;
      if (closed) return void refusals.push({ id, why: closed.why });
      try {
        const free = (inner: AbortSignal) => rack.freeBytes({ signal: inner });
        const availableBytes = await askRack(rack, 'asking for free space', options, free);
        if (availableBytes === undefined || availableBytes >= neededBytes) takers.push({ id, room, availableBytes, rack });
        else refusals.push({ id, why: `${availableBytes} bytes are free`, isFull: true });
      } catch (error) {
        options.signal?.throwIfAborted();
        refusals.push({ id, why: messageOf(error) });
      }
    }),
  );
  return { takers, refusals };
}
