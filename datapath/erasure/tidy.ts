/** Takes away what a committed generation has replaced. These names are never used twice, so that whoever does this late can only remove what nobody names any more. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { laterGenerations, listManifests } from './generations.ts';
import { laterManifestKey, MANIFEST_COPIES, repairStartedAt } from './layout.ts';
import { type ErasureManifest, generationOf, shardNameOf } from './manifest.ts';
import { electorsFor, type SurveyOptions } from './manifest-copies.ts';
import { askRack } from './rack-memory.ts';
import { removeShardsOn } from './remove.ts';

export interface TidyObject {
  readonly racks: readonly RackStore[];
  /** Committed, and the latest. */
  readonly manifest: ErasureManifest;
  /** The one that the manifest was made from. */
  readonly replaced?: ErasureManifest | undefined;
  /** Shards of repairs that began before this instant, and that the manifest does not name, go too. */
  readonly olderThanMilliseconds?: number | undefined;
}

/**
 * Nothing where a later generation is seen, or fewer than five electors answer. Best effort, on the racks that answer; what stays is found again by a later sweep. Older generations go first, the first one never: it says whose the key is. The
 * shards of this write that no generation can name any more go behind them. @returns how many shards were removed
 */
export async function tidyObject({ racks, manifest, replaced, olderThanMilliseconds = 0 }: TidyObject, options: SurveyOptions): Promise<number> {
  const { key, writeId } = manifest;
  const { listed, answered } = await listManifests(racks, key, options);
  // Whether a later one names what would go is known to five electors.
  const electors = electorsFor(key, racks);
  const isLatest = laterGenerations(listed, writeId, generationOf(manifest)).length === 0;
  if (!isLatest || answered.filter((rack) => electors.includes(rack)).length < MANIFEST_COPIES) return 0;
  const older = new Set(
    laterGenerations(listed, writeId)
      .filter((generation) => generation < generationOf(manifest))
      .map((each) => laterManifestKey(key, writeId, each)),
  );
  await Promise.allSettled(
    listed
      .filter(({ name }) => older.has(name))
      .map(({ rack, name }) => askRack(rack, 'removing a manifest', options, (signal) => rack.remove(name, { signal }))),
  );
  const named = namesOf(manifest);
  const gone = replaced ? namesOf(replaced) : new Set<string>();
  const removed = await Promise.allSettled(
    racks.map((rack) => {
      const isDoomed = (shard: { writeId: string; repairId?: string | undefined }, name: string): boolean => {
        const place = placeOf(rack.id, name);
        if (shard.writeId !== writeId || named.has(place)) return false;
        return shard.repairId === undefined || gone.has(place) || repairStartedAt(shard.repairId) < olderThanMilliseconds;
      };
      return removeShardsOn(rack, key, isDoomed, options.patience, options.signal);
    }),
  );
  options.signal?.throwIfAborted();
  return removed.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value : 0), 0);
}

export const placeOf = (rack: string, name: string): string => `${rack}:${name}`;

/** Where a manifest says that its shards are. */
export const namesOf = (manifest: ErasureManifest): Set<string> => new Set(manifest.shards.map((shard) => placeOf(shard.rack, shardNameOf(manifest, shard))));
