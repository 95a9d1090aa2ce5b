/** What is known to be wrong with an object, as repair takes it. */
import { shardBytes } from './layout.ts';
import { type ErasureManifest, layoutOf } from './manifest.ts';
import { marginOf, type SuspectShard } from './repair.ts';

export interface EndangeredObject {
  readonly key: string;
  /** What its shards take, all of them. */
  readonly storedBytes: number;
  /** Racks that may still be lost; negative where it cannot be restored now. */
  readonly margin: number;
  /** Placed and not sound, as the manifest names them. */
  readonly suspects: readonly SuspectShard[];
}

/** @param found by a reader, a scrub or a verification; other kinds than lost and rotten are passed over */
export function endangered(manifest: ErasureManifest, found: readonly { readonly index: number; readonly state: string }[]): EndangeredObject {
  const suspects = manifest.shards.flatMap((entry): SuspectShard[] => {
    const states = found.filter(({ index }) => index === entry.index).map(({ state }) => state);
    const state = (['lost', 'rotten'] as const).find((each) => states.includes(each));
    return state ? [{ ...entry, state }] : [];
  });
  const missing = suspects.map(({ index }) => index);
  return { key: manifest.key, storedBytes: manifest.shards.length * shardBytes(layoutOf(manifest)), margin: marginOf(manifest, missing), suspects };
}
