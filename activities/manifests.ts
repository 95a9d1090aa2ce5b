/** Where the manifests of an allocation lie, and how the transfers of one workflow share them. */
import { Context } from '@temporalio/activity';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { listAll } from '../datapath/transfer/list-all.ts';
import { findManifest, readManifest, writeManifest } from '../datapath/transfer/manifest-store.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../model/manifest.ts';
import type { Run } from './effect.ts';

const STORE = 'warm';

/**
 * Lists an endpoint into a manifest of this workflow run; a repeated attempt finds the first one's and does not list again. A
 * later run has a manifest of its own, so that nobody's is replaced while it is read.
 */
export async function listIntoManifest(
  stores: Stores,
  key: AllocationKey,
  name: string,
  source: Endpoint,
  run: Run,
  exclude: readonly string[] = [],
): Promise<ManifestRef> {
  const runId = Context.current().info.workflowExecution?.runId ?? 'no-run';
  const place = {
    store: stores.warm,
    storeName: STORE,
    bucket: SYSTEM_BUCKET,
    prefix: `manifests/${key.tenant}/${key.project}/${key.allocationId}/${name}/${runId}/`,
  };
  await stores.warm.ensureBucket(SYSTEM_BUCKET);
  const known = await findManifest(place, STORE);
  return known ?? writeManifest({ ...place, entries: without(listAll(source, run.signal), exclude), signal: run.signal, onPage: run.report });
}

/** The entries of one page as they were found at the target, with their checksums; undefined while the page has not been moved whole. */
export const findMovedPage = (stores: Stores, manifest: ManifestRef, page: number): Promise<ManifestRef | undefined> =>
  findManifest(movedPlace(stores, manifest, page), STORE);

export function writeMovedPage(stores: Stores, manifest: ManifestRef, page: number, entries: readonly ManifestEntry[]): Promise<ManifestRef> {
  return writeManifest({ ...movedPlace(stores, manifest, page), entries });
}

/** All moved entries, page by page. @throws CorruptSource where a page is missing: not everything was moved */
export async function* readMoved(stores: Stores, manifest: ManifestRef): AsyncGenerator<ManifestEntry, void> {
  for (let page = 0; page < manifest.pages; page++) {
    const moved = await findMovedPage(stores, manifest, page);
    if (!moved)
      throw new PenstockError('CorruptSource', `page ${page} of ${manifest.prefix} has not been moved whole.`, {
        store: manifest.store,
        nextStep: 'Run the transfer again.',
      });
    yield* readManifest(stores.warm, moved);
  }
}

/** Beside a manifest's page: the entries that could not be moved, each with its reason. */
export const failedKey = (manifest: ManifestRef, page: number): string => `${manifest.prefix}failed/${page}.json`;

function movedPlace(stores: Stores, manifest: ManifestRef, page: number) {
  return { store: stores.warm, storeName: STORE, bucket: manifest.bucket, prefix: `${manifest.prefix}moved/${page}/` };
}

async function* without(entries: AsyncIterable<ManifestEntry>, exclude: readonly string[]): AsyncGenerator<ManifestEntry, void> {
  for await (const entry of entries) {
    if (!exclude.some((prefix) => entry.path.startsWith(prefix))) yield entry;
  }
}
