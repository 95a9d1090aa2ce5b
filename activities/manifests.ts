/** Where manifests lie, and how a source is listed into one. */
import { Context } from '@temporalio/activity';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { cutRanges, listAll } from '../datapath/transfer/list-all.ts';
import type { PagePlace } from '../datapath/transfer/manifest-page.ts';
import { findManifest, type ManifestPlace, readManifest, writeManifestRanges } from '../datapath/transfer/manifest-store.ts';
import { findMovedPage, readMovedPage } from '../datapath/transfer/move-records.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../model/manifest.ts';
import type { Run } from './effect.ts';

const STORE = 'warm';

export interface ListingOptions {
  /** Prefixes that are left out. */
  readonly exclude?: readonly string[];
  /** Each that is listed; not where an earlier attempt's manifest is found. */
  readonly onEntry?: (entry: ManifestEntry) => void;
}

/**
 * Lists an endpoint into a manifest of this workflow run; a repeated attempt finds the first one's and does not list again. A
 * later run has a manifest of its own, so that nobody's is replaced while it is read.
 * @param name such as "{tenant}/{project}/{allocationId}/{what}"
 */
export async function listIntoManifest(
  stores: Stores,
  name: string,
  source: Endpoint,
  run: Run,
  { exclude = [], onEntry }: ListingOptions = {},
): Promise<ManifestRef> {
  return await intoManifest(stores, name, run, async () => {
    const ranges = await cutRanges(source, run.signal);
    return ranges.map((range) => () => without(listAll(source, run.signal, range), exclude, onEntry));
  });
}

type Ranges = readonly (() => AsyncIterable<ManifestEntry>)[];

/** The same of entries that are known otherwise. @param open asked only where no earlier attempt has made the manifest */
export async function intoManifest(stores: Stores, name: string, run: Run, open: () => Promise<Ranges>): Promise<ManifestRef> {
  const { workflowExecution } = Context.current().info;
  const prefix = `manifests/${name}/${workflowExecution?.runId ?? 'no-run'}/`;
  const place: ManifestPlace = { store: stores.warm, storeName: STORE, bucket: SYSTEM_BUCKET, prefix };
  await stores.warm.ensureBucket(SYSTEM_BUCKET);
  const known = await findManifest(place);
  if (known) return known;
  return await writeManifestRanges({
    ...place,
    ranges: await open(),
    largeBytes: stores.site.policies.largeFile,
    signal: run.signal,
    onPage: run.report,
  });
}

export const placeOf = (stores: Stores, { bucket, prefix }: Pick<ManifestRef, 'bucket' | 'prefix'>): PagePlace => ({ store: stores.warm, bucket, prefix });

export const movedManifestPlace = (stores: Stores, { bucket, prefix }: ManifestRef): ManifestPlace => ({
  store: stores.warm,
  storeName: STORE,
  bucket,
  prefix: `${prefix}moved/`,
});

/** All moved entries, page by page. @throws CorruptSource where a page is missing: not everything was moved */
export async function* readMoved(stores: Stores, manifest: ManifestRef): AsyncGenerator<ManifestEntry, void> {
  const whole = await findManifest(movedManifestPlace(stores, manifest));
  if (whole) return yield* readManifest(stores.warm, whole);
  for (let page = 0; page < manifest.pages; page++) {
    const moved = await findMovedPage(placeOf(stores, manifest), page);
    if (!moved || moved.failed > 0)
      throw new PenstockError('CorruptSource', `page ${page} of ${manifest.prefix} has not been moved whole.`, {
        store: manifest.store,
        nextStep: 'Run the transfer again.',
      });
    if (moved.facts) yield* await readMovedPage(placeOf(stores, manifest), manifest, page, moved.facts.sha256);
  }
}

async function* without(
  entries: AsyncIterable<ManifestEntry>,
  exclude: readonly string[],
  onEntry: ListingOptions['onEntry'],
): AsyncGenerator<ManifestEntry, void> {
  for await (const entry of entries) {
    if (exclude.some((prefix) => entry.path.startsWith(prefix))) continue;
    onEntry?.(entry);
    yield entry;
  }
}
