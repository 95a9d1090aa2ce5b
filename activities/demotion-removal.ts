/** The end of a demotion's move: a source goes only while it is what was copied, the copy is there, and nobody uses it. */
import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifest } from '../datapath/transfer/manifest-store.ts';
import { WEAK_ETAG } from '../datapath/transfer/object-endpoint.ts';
import type { Stores } from '../drivers/open-site.ts';
import { type DemotionMove, KEPT_SHOWN, type Kept, nothing, plus, type RemovedAnswer } from '../model/demotion-run.ts';
import { isFatal, isType } from '../model/errors.ts';
import { type Location, shortLocation } from '../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../model/manifest.ts';
import type { InUse } from './demotion-facts.ts';
import type { Run } from './effect.ts';
import { FILES_AT_ONCE } from './move-unit.ts';
import { endpointAt, hotPath, objectsOf } from './places.ts';

export interface RemoveDemotedRequest extends DemotionMove {
  /** What arrived, as the move's answer names it. */
  readonly moved: ManifestRef;
  /** ISO instant from which on copies were this run's. */
  readonly now: string;
}

const IN_USE = 'an allocation uses it by now';
const CHANGED = 'it was changed after it had been copied';

export function createDemotedRemoval(stores: Stores) {
  return async ({ manifest, moved, source, target, now }: RemoveDemotedRequest, inUse: InUse, run: Run): Promise<RemovedAnswer> => {
    const ends = { source: endpointAt(stores, source), target: endpointAt(stores, target) };
    const arrived = new Map<string, ManifestEntry>();
    for await (const entry of readManifest(stores.warm, moved, run.signal)) arrived.set(entry.path, entry);
    let removed = nothing;
    let keptCount = 0;
    const kept: Kept[] = [];
    await inLanes(await collect(readManifest(stores.warm, manifest, run.signal)), FILES_AT_ONCE, async (entry) => {
      const copy = arrived.get(entry.path);
      if (!copy) return; // told by the move
      run.signal.throwIfAborted();
      const reason = inUse(`${source.bucket}/${entry.path}`) ? IN_USE : await removeOne(entry, copy);
      if (reason === undefined) removed = plus(removed, { files: 1, bytes: entry.bytes });
      else {
        keptCount += 1;
        if (kept.length < KEPT_SHOWN) kept.push({ file: `${shortLocation(source)}${entry.path}`, reason });
      }
      run.report({ removed, keptCount });
    });
    return { removed, keptCount, kept };

    /** Undefined where it is gone. */
    async function removeOne(entry: ManifestEntry, copy: ManifestEntry): Promise<string | undefined> {
      if ((await ends.target.stat(entry.path, run.signal))?.etag !== copy.etag) return 'its copy is no longer what arrived';
      const found = await ends.source.stat(entry.path, run.signal);
      if (!found) return undefined; // an earlier attempt's work, or its owner's
      if (found.etag !== entry.etag || found.bytes !== entry.bytes) return await changed(entry, copy);
      return await refusalOf(() => removeUnchanged(stores, source, entry, run.signal));
    }

    /** A copy that this run made of what is no more would be taken for the file, and come back over the newer one. */
    async function changed(entry: ManifestEntry, copy: ManifestEntry): Promise<string> {
      // An earlier attempt may have removed the source, and somebody written it anew: then the copy is all there is of the old one.
      if (run.superseded.length > 0) return CHANGED;
      const key = `${target.prefix}${entry.path}`;
      const facts = await objectsOf(stores, target.store).head(target.bucket, key, { signal: run.signal });
      const isOurs = facts !== undefined && Date.parse(facts.modifiedAt) >= Math.floor(Date.parse(now) / 1000) * 1000;
      if (!isOurs) return CHANGED;
      const refusal = await refusalOf(() => removeObject(stores, target, { ...entry, etag: copy.etag }, run.signal));
      return refusal === undefined ? `${CHANGED}; the copy was taken back` : `${CHANGED}; its copy stays: ${refusal}`;
    }
  };
}

async function removeUnchanged(stores: Stores, source: Location, entry: ManifestEntry, signal: AbortSignal): Promise<void> {
  if (source.store !== 'hot') return await removeObject(stores, source, entry, signal);
  // The tier itself sees to it that nobody holds the file at that moment.
  await stores.hot.evict({ path: hotPath(source.bucket, `${source.prefix}${entry.path}`), files: 1, bytes: entry.bytes });
}

/** By its etag where the store can compare. */
async function removeObject(stores: Stores, { store, bucket, prefix }: Location, { path, etag }: ManifestEntry, signal: AbortSignal): Promise<void> {
  const objects = objectsOf(stores, store);
  const key = `${prefix}${path}`;
  if (objects.removeIfMatch && !WEAK_ETAG.test(etag)) {
    try {
      return await objects.removeIfMatch(bucket, key, etag, { signal });
    } catch (error) {
      if (!isType(error, 'PolicyRefused')) throw error;
    }
  }
  await objects.remove(bucket, key, { signal });
}

/** What is refused of one file keeps the others from nothing. */
async function refusalOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (isFatal(error)) return error.message;
    throw error;
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
