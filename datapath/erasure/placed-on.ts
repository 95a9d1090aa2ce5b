/** The objects that had a shard on a rack, from the manifests on the others, and how endangered each is. */
import { ContestedManifest } from './contested.ts';
import { shardBytes } from './layout.ts';
import { listErasureObjects } from './list.ts';
import { layoutOf } from './manifest.ts';
import { findManifest, standingOf } from './manifest-copies.ts';
import { defaultPatience } from './patience.ts';
import { marginOf } from './repair.ts';
import type { ScrubErasureObjects } from './scrub.ts';

export interface PlacedObject {
  readonly key: string;
  readonly storedBytes: number;
  /** Racks that may still be lost; negative where it cannot be restored now. */
  readonly margin: number;
  /** Whether one of the racks holds a shard of it, as its manifest says. */
  readonly isConcerned: boolean;
}

/** In the order of their manifests' names, those not concerned too, so that the caller knows its place. StoreUnavailable where too many racks are silent. */
export async function* objectsPlacedOn(request: Omit<ScrubErasureObjects, 'codec' | 'pace'>, rackIds: readonly string[]): AsyncGenerator<PlacedObject> {
  const { racks, signal, patience = defaultPatience } = request;
  for (let after = request.after; ; ) {
    const page = await listErasureObjects({ ...request, after });
    for (const key of page.keys) {
      const found = await findManifest(racks, key, { patience, signal }).catch((error: unknown) => {
        if (error instanceof ContestedManifest) return error;
        throw error;
      });
      if (found instanceof ContestedManifest) {
        // Where its shards are is not known: repair puts it off until this is over, and the others go on.
        yield { key, storedBytes: 0, margin: -1, isConcerned: true };
        continue;
      }
      if (!found) continue;
      const { manifest } = found;
      const storedBytes = manifest.shards.length * shardBytes(layoutOf(manifest));
      const isConcerned = manifest.shards.some(({ rack }) => rackIds.includes(rack));
      const margin = isConcerned ? marginOf(manifest, (await standingOf(manifest, racks, { patience, signal })).missing) : marginOf(manifest);
      yield { key, storedBytes, margin, isConcerned };
    }
    if (page.next === undefined) return;
    after = page.next;
  }
}
