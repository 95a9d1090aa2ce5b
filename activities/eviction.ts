/**
 * Room on the hot tier: staged data that no job holds any more gives way, oldest first. Only what lies unchanged at its source goes,
 * file for file as it was staged, and only if the tier finds that nobody holds it.
 */
import * as z from 'zod';
import { readManifestPage } from '../datapath/transfer/manifest-store.ts';
import type { Stores } from '../drivers/open-site.ts';
import { eachPage } from '../drivers/pages.ts';
import { isType } from '../model/errors.ts';
import { parseJson } from '../model/json.ts';
import { type Location, SYSTEM_BUCKET } from '../model/location.ts';
import { type ManifestRef, ManifestRefSchema } from '../model/manifest.ts';
import type { Run } from './effect.ts';
import { readMoved } from './manifests.ts';
import { endpointAt, hotPath } from './places.ts';

const STAGED_PREFIX = 'staged/';
const LocationSchema = z.strictObject({ store: z.enum(['hot', 'warm', 'cold']), bucket: z.string(), prefix: z.string() });
const StagedSchema = z.strictObject({ source: LocationSchema, target: LocationSchema, manifest: ManifestRefSchema });
type Staged = z.output<typeof StagedSchema>;

/** Remembers where a staged data set came from; written when its last page has been moved. */
export async function rememberStaged(
  stores: Stores,
  { source, target, manifest }: { source: Location; target: Location; manifest: ManifestRef },
): Promise<void> {
  await stores.warm.writeBytes(SYSTEM_BUCKET, recordKey(target), Buffer.from(JSON.stringify({ source, target, manifest })), {
    contentType: 'application/json',
  });
}

/** @returns bytes freed; less than asked for where the rest is held or exists nowhere else */
export async function evictStaged(stores: Stores, neededBytes: number, run: Run): Promise<number> {
  let freed = 0;
  for (const { key } of await recordsOldestFirst(stores)) {
    if (freed >= neededBytes) break;
    const staged = StagedSchema.safeParse(parseJson(await stores.warm.readBytes(SYSTEM_BUCKET, key))).data;
    if (!staged) continue; // not a record of ours: it must not stall every reservation
    run.report({ evicting: hotPath(staged.target.bucket, staged.target.prefix), freed, neededBytes });
    if (!(await liesAtSource(stores, staged, run))) continue;
    try {
      const { files, bytes } = staged.manifest;
      await stores.hot.evict({ path: hotPath(staged.target.bucket, staged.target.prefix), files, bytes });
      freed += bytes;
    } catch (error) {
      if (!isType(error, 'Conflict')) throw error;
      continue; // held, or changed: it stays
    }
    await stores.warm.remove(SYSTEM_BUCKET, key);
  }
  return freed;
}

async function recordsOldestFirst(stores: Stores): Promise<{ key: string; modifiedAt: string }[]> {
  const records: { key: string; modifiedAt: string }[] = [];
  for await (const { entries } of eachPage((from) => stores.warm.list(SYSTEM_BUCKET, STAGED_PREFIX, from)))
    records.push(...entries.map(({ key, modifiedAt }) => ({ key, modifiedAt })));
  return records.sort((a, b) => (a.modifiedAt < b.modifiedAt ? -1 : 1));
}

/** Every file is still at its source as it was listed, and on the hot tier as it was staged. */
async function liesAtSource(stores: Stores, { source, target, manifest }: Staged, run: Run): Promise<boolean> {
  const [from, to] = [endpointAt(stores, source), endpointAt(stores, target)];
  for (let page = 0; page < manifest.pages; page++) {
    for (const entry of await readManifestPage(stores.warm, manifest, page)) {
      run.signal.throwIfAborted();
      if ((await from.stat(entry.path))?.etag !== entry.etag) return false;
    }
  }
  for await (const entry of readMoved(stores, manifest)) {
    run.signal.throwIfAborted();
    if ((await to.stat(entry.path))?.etag !== entry.etag) return false;
  }
  return true;
}

const recordKey = (target: Location): string => `${STAGED_PREFIX}${target.bucket}/${target.prefix.replace(/\/+$/, '')}.json`;
