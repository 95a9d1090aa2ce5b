/** The objects that had a shard on a rack, from the manifests on the others, and how endangered each is. */
import { workAhead } from '../transfer/work-ahead.ts';
import { ContestedManifest } from './contested.ts';
import { shardBytes } from './layout.ts';
import { eachErasureObject, type ListErasureObjects } from './list.ts';
import { layoutOf } from './manifest.ts';
import { findManifest, standingOf } from './manifest-copies.ts';
import { defaultPatience } from './patience.ts';
import { marginOf } from './repair.ts';

export interface PlacedObject {
  readonly key: string;
  readonly storedBytes: number;
  /** Racks that may still be lost; negative where it cannot be restored now. */
  readonly margin: number;
  /** Whether one of the racks holds a shard of it, as its manifest says. */
  readonly isConcerned: boolean;
}

/** Small requests to nine racks or more each: a drain of many objects must not wait for one after the other. */
const OBJECTS_AT_ONCE = 16;

/** In the order of their manifests' names, those not concerned too, so that the caller knows its place. StoreUnavailable where too many racks are silent. */
export async function* objectsPlacedOn(request: ListErasureObjects, rackIds: readonly string[]): AsyncGenerator<PlacedObject> {
  const lookAt = (key: string, signal: AbortSignal) => placedObject({ ...request, signal }, key, rackIds);
  for await (const object of workAhead(eachErasureObject(request), OBJECTS_AT_ONCE, lookAt, request.signal)) if (object) yield object;
}

/** Undefined where it was removed meanwhile. */
async function placedObject(
  { racks, signal, patience = defaultPatience }: ListErasureObjects,
  key: string,
  rackIds: readonly string[],
): Promise<PlacedObject | undefined> {
  const found = await findManifest(racks, key, { patience, signal }).catch((error: unknown) => {
    if (error instanceof ContestedManifest) return error;
    throw error;
  });
  // Where its shards are is not known: repair puts it off until this is over, and the others go on.
  if (found instanceof ContestedManifest) return { key, storedBytes: 0, margin: -1, isConcerned: true };
  if (!found) return undefined;
  const { manifest } = found;
  const storedBytes = manifest.shards.length * shardBytes(layoutOf(manifest));
  const isConcerned = manifest.shards.some(({ rack }) => rackIds.includes(rack));
  const margin = isConcerned ? marginOf(manifest, (await standingOf(manifest, racks, { patience, signal })).missing) : marginOf(manifest);
  return { key, storedBytes, margin, isConcerned };
}
