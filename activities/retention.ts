/** Locks of archived objects: read back from the store, extended, held. Never shortened: the store itself refuses that. */

import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifestPage } from '../datapath/transfer/manifest-store.ts';
import type { VersionName } from '../drivers/object-store/lock-evidence.ts';
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { eachPage } from '../drivers/pages.ts';
import { isFatal, PenstockError } from '../model/errors.ts';
import type { Location } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import { coversLock } from '../model/retention.ts';
import type { LockMode } from '../model/retention-policy.ts';
import { effect, type Run } from './effect.ts';
import { endpointAt, objectsOf } from './places.ts';

export const OBJECTS_AT_ONCE = 16;

export interface LockRequest {
  readonly manifest: ManifestRef;
  /** Where `manifest` names the packs and objects of an archive: the output that its record speaks of. */
  readonly output?: ManifestRef;
  readonly target: Location;
  readonly retainUntil: string;
  /** COMPLIANCE where absent. */
  readonly mode?: LockMode;
}
/** Who ordered it and why, for the audit log. */
export interface Ordered {
  readonly user: string;
  readonly reason: string;
}
export type LookRun = Pick<Run, 'signal' | 'report'>;

export type RetentionActivities = ReturnType<typeof createRetentionActivities>;

export function createRetentionActivities(stores: Stores) {
  return {
    /** For workflows begun before 0.3. PolicyRefused names the first object that is gone or less locked than promised. */
    attestLocks: (request: LockRequest): Promise<void> => effect((run) => attestLocks(stores, request, run, [OUTPUT_RECORD])),

    extendLocks: (request: LockRequest): Promise<void> => effect((run) => extendLocks(stores, request, run)),

    /** The store's own legal hold on every object, and a lock until then: a store may let go of what it holds when the retention expires. */
    placeHold: (request: LockRequest & Ordered): Promise<void> => effect((run) => placeHold(stores, request, run)),

    /** The store's own hold goes with the last matter; the order is on record in any case. */
    releaseHold: (request: LockRequest & Ordered & { readonly isLast: boolean }): Promise<void> =>
      effect(async (run) => {
        if (request.isLast) await releaseHold(stores, request, run);
      }),
  };
}

export const extendLocks = (stores: Stores, request: LockRequest, run: LookRun): Promise<void> =>
  eachLocked(stores, request, run, (store, object) => holdUntil(store, object, request));

export const placeHold = (stores: Stores, request: LockRequest, run: LookRun): Promise<void> =>
  eachLocked(stores, request, run, async (store, object) => {
    await store.evidence?.setLegalHold(object, true, run.signal);
    await holdUntil(store, object, request);
  });

export const releaseHold = (stores: Stores, request: LockRequest, run: LookRun): Promise<void> =>
  eachLocked(stores, request, run, async (store, object) => await store.evidence?.setLegalHold(object, false, run.signal));

async function holdUntil(store: ObjectStore, { bucket, key, versionId }: VersionName, { retainUntil, mode = 'COMPLIANCE' }: LockRequest): Promise<void> {
  const wanted = { mode, retainUntil };
  if (!coversLock(await store.retention(bucket, key, versionId), wanted)) await store.retain(bucket, key, wanted, versionId);
}

/** A store may acknowledge a lock and not keep it: the promise counts when it is read back. */
export async function attestLocks(stores: Stores, request: LockRequest, run: LookRun, alsoPaths: readonly string[]): Promise<void> {
  const { target, retainUntil, mode = 'COMPLIANCE' } = request;
  const store = objectsOf(stores, target.store);
  await eachPath(stores, request, run, alsoPaths, async (path) => {
    const held = await store.retention(target.bucket, `${target.prefix}${path}`);
    if (coversLock(held, { mode, retainUntil })) return;
    throw new PenstockError(
      'PolicyRefused',
      `${path} was to be locked until ${retainUntil}, the store answers ${held ? `${held.mode} until ${held.retainUntil}` : 'no lock'}.`,
      {
        store: store.name,
        nextStep: 'The source is kept where it still exists; run `penstock doctor` to see what the store can do.',
      },
    );
  });
}

/** All that can be done is done, and what was refused is told behind it: one object that is gone must not keep the others from being locked. */
async function eachLocked(stores: Stores, request: LockRequest, run: LookRun, work: (store: ObjectStore, object: VersionName) => Promise<void>): Promise<void> {
  const { bucket, store: name, prefix } = request.target;
  const store = objectsOf(stores, name);
  let refused = 0;
  let first: PenstockError | undefined;
  const workOn = async (path: string): Promise<void> => {
    const key = `${prefix}${path}`;
    try {
      for (const versionId of await lockedVersions(store, bucket, key, run.signal)) await work(store, { bucket, key, versionId });
    } catch (error) {
      if (!isFatal(error)) throw error;
      refused += 1;
      first ??= error;
    }
  };
  const unreadable = await eachPath(stores, request, run, [OUTPUT_RECORD], workOn).catch((error: unknown) => (isFatal(error) ? error : Promise.reject(error)));
  // Errors are never NotFound, which would say that there is no such retention.
  if (unreadable) {
    // Whoever takes away the list must not keep what it named from being locked.
    const listed = await eachListed(stores, request, run, workOn);
    throw new PenstockError('PolicyRefused', `${withoutList(listed, refused)} The list of what is retained cannot be read: ${unreadable.message}`);
  }
  if (first) throw new PenstockError('PolicyRefused', `${refused} of ${request.manifest.files + 1} objects were refused, the first: ${first.message}`);
}

const withoutList = (listed: number, refused: number): string =>
  `Done for ${listed - refused} of ${listed} objects that the store lists; what is hidden by a delete marker is not among them.`;

/** @returns how many there are */
async function eachListed(stores: Stores, { target }: LockRequest, run: LookRun, work: (path: string) => Promise<void>): Promise<number> {
  let listed = 0;
  const endpoint = endpointAt(stores, target);
  for await (const { entries } of eachPage((from) => endpoint.list({ signal: run.signal, ...from }))) {
    await inLanes(entries, OBJECTS_AT_ONCE, ({ path }) => work(path));
    listed += entries.length;
    run.report({ listed });
  }
  return listed;
}

/** The one that was archived, also where another version or a delete marker lies above it; undefined for the newest. @throws NotFound where no version is there */
export async function lockedVersions(store: ObjectStore, bucket: string, key: string, signal: AbortSignal): Promise<readonly (string | undefined)[]> {
  if (!store.evidence) return [undefined];
  const versions = (await store.evidence.versions(bucket, key, signal)).filter((version) => !version.isDeleteMarker).map(({ versionId }) => versionId);
  const [newest] = versions;
  if (newest === undefined) {
    // A directory's marker has no versions on a store over a file system.
    if (await store.head(bucket, key, { signal })) return [undefined];
    throw new PenstockError('NotFound', `s3://${bucket}/${key} is gone: no version of it is there.`, { store: store.name });
  }
  if (versions.length === 1) return versions;
  const locks = await Promise.all(versions.map(async (versionId) => ({ versionId, lock: await store.retention(bucket, key, versionId, signal) })));
  const locked = locks.filter(({ lock }) => lock !== undefined).map(({ versionId }) => versionId);
  return locked.length > 0 ? locked : [newest];
}

/** Every path of the manifest, and those beside it: the record that says the output is whole is kept as long as the output. */
export async function eachPath(
  stores: Stores,
  { manifest }: Pick<LockRequest, 'manifest'>,
  run: LookRun,
  alsoPaths: readonly string[],
  work: (path: string) => Promise<void>,
): Promise<void> {
  const all = (paths: readonly string[]) =>
    inLanes(paths, OBJECTS_AT_ONCE, async (path) => {
      run.signal.throwIfAborted();
      await work(path);
    });
  for (let page = 0; page < manifest.pages; page++) {
    await all((await readManifestPage(stores.warm, manifest, page)).map((entry) => entry.path));
    run.report({ page: page + 1, pages: manifest.pages });
  }
  await all(alsoPaths);
}
