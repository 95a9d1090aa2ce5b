/** Locks of archived objects: read back from the store, and extended. Never shortened: the store itself refuses that. */

import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifestPage } from '../datapath/transfer/manifest-store.ts';
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { Location } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import { effect, type Run } from './effect.ts';

const OBJECTS_AT_ONCE = 16;

export interface LockRequest {
  readonly manifest: ManifestRef;
  readonly target: Location;
  readonly retainUntil: string;
}

export type RetentionActivities = ReturnType<typeof createRetentionActivities>;

export function createRetentionActivities(stores: Stores) {
  return {
    /** PolicyRefused names the first object that is gone or less locked than promised: an alarm, not something to repeat. */
    attestLocks: (request: LockRequest): Promise<void> => effect((run) => attestLocks(stores, request, run, [OUTPUT_RECORD])),

    extendLocks: (request: LockRequest): Promise<void> =>
      effect(async (run) => {
        const store = storeOf(stores, request.target);
        await eachPath(stores, request, run, [OUTPUT_RECORD], async (path) => {
          const key = `${request.target.prefix}${path}`;
          const held = await store.retention(request.target.bucket, key);
          if (held && Date.parse(held.retainUntil) >= Date.parse(request.retainUntil)) return;
          await store.retain(request.target.bucket, key, { mode: 'COMPLIANCE', retainUntil: request.retainUntil });
        });
        await attestLocks(stores, request, run, [OUTPUT_RECORD]);
      }),
  };
}

/** A store may acknowledge a lock and not keep it: the promise counts when it is read back. */
export async function attestLocks(stores: Stores, request: LockRequest, run: Run, alsoPaths: readonly string[]): Promise<void> {
  const { target, retainUntil } = request;
  const store = storeOf(stores, target);
  const promised = Math.floor(Date.parse(retainUntil) / 1000) * 1000; // S3 keeps whole seconds
  await eachPath(stores, request, run, alsoPaths, async (path) => {
    const held = await store.retention(target.bucket, `${target.prefix}${path}`);
    if (held?.mode === 'COMPLIANCE' && Date.parse(held.retainUntil) >= promised) return;
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

/** Every path of the manifest, and those beside it: the record that says the output is whole is kept as long as the output. */
async function eachPath(
  stores: Stores,
  { manifest }: LockRequest,
  run: Run,
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

const storeOf = (stores: Stores, target: Location): ObjectStore => (target.store === 'cold' ? stores.cold : stores.warm);
