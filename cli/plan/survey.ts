/** What the stores say now about the data an allocation mounts: the questions that staging itself will ask, and no writes. */
import { hotPath } from '../../activities/places.ts';
import { onlyInCold } from '../../activities/recall-colder.ts';
import type { HotTierCapacity, Locality } from '../../drivers/hot-tier/port.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { eachPage, type From } from '../../drivers/pages.ts';
import type { ResolvedMount } from '../../model/data-declaration.ts';
import { nothing, plus } from '../../model/demotion-run.ts';
import { absent } from '../../model/errors.ts';
import type { Counts } from '../../model/transfer.ts';

export interface MountFacts {
  /** Where the source lies; undefined where it is nowhere, and for NFS, which is always on the hot tier. */
  readonly store?: 'warm' | 'cold';
  readonly files: number;
  readonly bytes: number;
  readonly hot: Locality;
}

export interface Survey {
  readonly mounts: readonly MountFacts[];
  readonly capacity: HotTierCapacity;
}

export async function surveyStores(stores: Stores, mounts: readonly ResolvedMount[]): Promise<Survey> {
  const facts: MountFacts[] = [];
  for (const mount of mounts) facts.push(await surveyMount(stores, mount));
  return { mounts: facts, capacity: await stores.hot.capacity() };
}

async function surveyMount(stores: Stores, mount: ResolvedMount): Promise<MountFacts> {
  const hot = await stores.hot.locate(hotPath(mount.bucket, mount.prefix));
  if (mount.scheme === 'nfs') return { files: hot.files, bytes: hot.bytes, hot };
  // Warm before cold, as staging does.
  for (const store of ['warm', 'cold'] as const) {
    const size = await prefixSize(stores[store], mount.bucket, mount.prefix === '' ? '' : `${mount.prefix}/`);
    if (size.files > 0) return { store, ...plus(size, store === 'warm' ? await coldToo(stores, mount) : nothing), hot };
  }
  return { files: 0, bytes: 0, hot };
}

/** What staging brings back to warm first. */
async function coldToo(stores: Stores, { bucket, prefix }: ResolvedMount): Promise<Counts> {
  let size = nothing;
  for await (const { bytes } of onlyInCold(stores, { bucket, prefix: prefix === '' ? '' : `${prefix}/` })) size = plus(size, { files: 1, bytes });
  return size;
}

async function prefixSize(store: ObjectStore, bucket: string, prefix: string): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  const listOrNothing = async (from: From) => (await store.list(bucket, prefix, from).catch(absent)) ?? { entries: [], next: undefined };
  for await (const { entries } of eachPage(listOrNothing)) {
    files += entries.length;
    bytes += entries.reduce((sum, entry) => sum + entry.bytes, 0);
  }
  return { files, bytes };
}
