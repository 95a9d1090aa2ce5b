/**
 * Before an allocation's source is listed: what rules have moved from the warm to the cold tier comes back, or a prefix that lies on both would look whole and be half. The
 * colder copy stays where it is.
 */
import { batches } from '../datapath/transfer/batches.ts';
import { copyEntries } from '../datapath/transfer/copy.ts';
import { isDirectory } from '../datapath/transfer/file-endpoint.ts';
import { listAll } from '../datapath/transfer/list-all.ts';
import type { Stores } from '../drivers/open-site.ts';
import { byBytes } from '../drivers/pages.ts';
import type { ResolvedMount } from '../model/data-declaration.ts';
import { absent, PenstockError } from '../model/errors.ts';
import type { Location } from '../model/location.ts';
import type { ManifestEntry } from '../model/manifest.ts';
import type { Run } from './effect.ts';
import { rememberMount } from './last-mounted.ts';
import { FILES_AT_ONCE } from './move-unit.ts';
import { endpointAt } from './places.ts';

/** Entries of one call of the engine: as many as a page of a listing. */
const BATCH = 1000;

/** The use is on record first, so that no run of the policy takes what has just been brought back. */
export async function beforeMount(stores: Stores, mount: Pick<ResolvedMount, 'bucket' | 'prefix'>, allocation: string, run: Run): Promise<void> {
  const place = { bucket: mount.bucket, prefix: mount.prefix === '' ? '' : `${mount.prefix}/` };
  await rememberMount(stores, place, allocation);
  await recallColder(stores, place, run);
}

async function recallColder(stores: Stores, place: Omit<Location, 'store'>, run: Run): Promise<void> {
  for await (const entries of batches(onlyInCold(stores, place, run.signal), { items: BATCH })) await copyUp(stores, place, entries, run);
}

async function hasAny(store: Stores['warm'], { bucket, prefix }: Omit<Location, 'store'>): Promise<boolean> {
  return ((await store.list(bucket, prefix, { limit: 1 }).catch(absent))?.entries.length ?? 0) > 0;
}

/**
 * What a prefix that both tiers have lacks on warm; one that only one of them has is staged from there, as it lies. Both list in the same order. Penstock's own records say
 * what lies beside them, and stay there.
 */
export async function* onlyInCold(stores: Stores, place: Omit<Location, 'store'>, signal?: AbortSignal): AsyncGenerator<ManifestEntry, void> {
  if (!(await hasAny(stores.cold, place)) || !(await hasAny(stores.warm, place))) return;
  const warm = listAll(endpointAt(stores, { store: 'warm', ...place }), signal);
  let above = await warm.next();
  for await (const entry of listAll(endpointAt(stores, { store: 'cold', ...place }), signal)) {
    while (!above.done && byBytes(above.value.path, entry.path) < 0) above = await warm.next();
    const isAbove = !above.done && above.value.path === entry.path;
    if (!isAbove && !isDirectory(entry.path) && !/(?:^|\/)\.penstock\//.test(entry.path)) yield entry;
  }
}

async function copyUp(stores: Stores, place: Omit<Location, 'store'>, entries: readonly ManifestEntry[], run: Run): Promise<void> {
  const { failed } = await copyEntries({
    source: endpointAt(stores, { store: 'cold', ...place }),
    target: endpointAt(stores, { store: 'warm', ...place }),
    entries,
    attempt: run.attempt,
    superseded: run.superseded,
    concurrency: FILES_AT_ONCE,
    signal: run.signal,
    attributes: true,
    onProgress: (progress) => run.report({ recalling: `${place.bucket}/${place.prefix}`, ...progress }),
  });
  const [first] = failed;
  if (!first) return;
  throw new PenstockError(
    'CorruptSource',
    `${failed.length} of ${entries.length} files could not be brought back from the cold tier, the first is ${first.path}: ${first.message}`,
    {
      store: stores.cold.name,
      nextStep: 'Mend it there; staging tries again.',
    },
  );
}
