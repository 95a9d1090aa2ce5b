/** Where an object lies: each shard's rack, room and state, by the names and lengths that the racks tell. Content is not read: verify and scrub do that. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import type { LocatedManifest, LocatedObject, LocatedShard } from '../../model/located-object.ts';
import { checkKey, DATA_SHARDS, shardBytes } from './layout.ts';
import { attemptOf, type ErasureManifest, generationOf, layoutOf, manifestNameOf, missingShards, type PlacedShardEntry, shardNameOf } from './manifest.ts';
import { electorsFor, findManifest, surveyManifests } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { askRack } from './rack-memory.ts';

export interface LocateErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}

/** NotFound where there is no such object. Any racks may be gone, as long as one that holds the manifest is there. */
export async function locateErasureObject({ racks, key, signal, patience = defaultPatience }: LocateErasureObject): Promise<LocatedObject> {
  checkKey(key);
  const found = await findManifest(racks, key, { patience, signal });
  if (!found) throw new PenstockError('NotFound', `the erasure set has no object ${JSON.stringify(key)}.`);
  const { manifest } = found;
  const [shards, manifests] = await Promise.all([
    Promise.all(manifest.shards.map((shard) => locateShard(manifest, shard, { racks, signal, patience }))),
    locateManifests(manifest, { racks, signal, patience }),
  ]);
  const unwritten = missingShards(manifest).map((index): LocatedShard => ({ index, state: 'unwritten', note: 'it awaits repair' }));
  const { bytes, sha256, createdAt, cellBytes, stripes, writeId } = manifest;
  return {
    ...{ key, bytes, sha256, createdAt, cellBytes, stripes, writeId },
    generation: generationOf(manifest),
    shardBytes: shardBytes(layoutOf(manifest)),
    shards: [...shards, ...unwritten].sort((a, b) => a.index - b.index),
    manifests,
    margin: shards.filter(({ state }) => state === 'there').length - DATA_SHARDS,
  };
}

interface Asking {
  readonly racks: readonly RackStore[];
  readonly signal: AbortSignal | undefined;
  readonly patience: Patience;
}

async function locateShard(manifest: ErasureManifest, shard: PlacedShardEntry, { racks, signal, patience }: Asking): Promise<LocatedShard> {
  const { index, rack: rackId } = shard;
  const rack = racks.find(({ id }) => id === rackId);
  if (!rack) return { index, rack: rackId, state: 'unreachable', note: 'the site file names no such rack' };
  const where = { index, rack: rackId, room: rack.room };
  try {
    const name = shardNameOf(manifest, shard);
    const bytes = await askRack(rack, 'looking for a shard', { patience, signal }, (inner) => rack.shardBytes(name, { signal: inner }));
    const expected = shardBytes(layoutOf(manifest));
    if (bytes === undefined) return { ...where, state: 'gone', note: 'the rack has no such shard' };
    if (bytes !== expected) return { ...where, state: 'wrong length', note: `${bytes} instead of ${expected} bytes` };
    return { ...where, state: 'there', ...(rack.closed ? { note: `the rack ${rack.closed.why}` } : {}) };
  } catch (error) {
    signal?.throwIfAborted();
    return { ...where, state: 'unreachable', note: messageOf(error) };
  }
}

async function locateManifests(manifest: ErasureManifest, { racks, ...options }: Asking): Promise<LocatedManifest[]> {
  const copies = await surveyManifests(electorsFor(manifest.key, racks), manifestNameOf(manifest), options);
  return copies.map((copy) => ({
    rack: copy.rack.id,
    room: copy.rack.room,
    state: copy.state === 'present' && attemptOf(copy.manifest) !== attemptOf(manifest) ? 'other attempt' : copy.state,
  }));
}
