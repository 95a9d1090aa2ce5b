/** The end of what was retained: every version of every object, and what is still there afterwards is told. */
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import { effect } from './effect.ts';
import { objectsOf } from './places.ts';
import { eachPath, type LockRequest, type LookRun, type Ordered } from './retention.ts';

/** Of a thousand versions each. */
const MAX_ROUNDS = 100;

export type DisposalActivities = ReturnType<typeof createDisposalActivities>;

export function createDisposalActivities(stores: Stores) {
  return {
    /** Denied where the store, or a clock, says that the retention is not over; then nothing more is deleted. What is gone is gone: it may be repeated. */
    deleteRetained: (request: LockRequest & Ordered): Promise<void> => effect((run) => deleteRetained(stores, request, run)),
  };
}

export async function deleteRetained(stores: Stores, request: LockRequest, run: LookRun): Promise<void> {
  const { bucket, prefix, store: name } = request.target;
  const store = objectsOf(stores, name);
  await demandOver(store, request, run.signal);
  await eachPath(stores, request, run, [OUTPUT_RECORD], (path) => demandFree(store, bucket, `${prefix}${path}`, run.signal));
  // First the record that says the output is whole: from then on nobody takes for whole what is going.
  await removeVersions(store, bucket, `${prefix}${OUTPUT_RECORD}`, run.signal);
  await eachPath(stores, request, run, [], (path) => removeVersions(store, bucket, `${prefix}${path}`, run.signal));
}

/** By every clock there is: one that was set ahead must not end a retention early. @throws Denied */
async function demandOver(store: ObjectStore, { target, retainUntil }: LockRequest, signal: AbortSignal): Promise<void> {
  const storeTime = (await store.evidence?.bucketState(target.bucket, signal))?.storeTime;
  const clocks = [new Date().toISOString(), ...(storeTime === undefined ? [] : [storeTime])];
  const behind = clocks.find((clock) => Date.parse(clock) < Date.parse(retainUntil));
  if (behind === undefined) return;
  throw new PenstockError('Denied', `The retention until ${retainUntil} is not over by every clock: one says ${behind}. Nothing is deleted.`, {
    store: store.name,
  });
}

/** Somebody else may have extended it at the store. @throws Denied before anything goes */
async function demandFree(store: ObjectStore, bucket: string, key: string, signal: AbortSignal): Promise<void> {
  for (const { versionId, isDeleteMarker } of (await store.evidence?.versions(bucket, key, signal)) ?? []) {
    if (isDeleteMarker) continue;
    const lock = await store.retention(bucket, key, versionId, signal);
    if (!lock || Date.parse(lock.retainUntil) <= Date.now()) continue;
    throw new PenstockError('Denied', `s3://${bucket}/${key} is locked until ${lock.retainUntil}. Nothing is deleted.`, { store: store.name });
  }
}

/** Page by page where there are very many; read back as gone. */
async function removeVersions(store: ObjectStore, bucket: string, key: string, signal: AbortSignal): Promise<void> {
  const list = async () => (await store.evidence?.versions(bucket, key, signal)) ?? [];
  for (let round = 0, versions = await list(); versions.length > 0; round += 1, versions = await list()) {
    if (round === MAX_ROUNDS) throw stillThere(store, bucket, key);
    for (const { versionId } of versions) await store.remove(bucket, key, { versionId, signal });
  }
  // Of a store without versions, and of a directory's marker.
  if (await store.head(bucket, key, { signal })) await store.remove(bucket, key, { signal });
  if (await store.head(bucket, key, { signal })) throw stillThere(store, bucket, key);
}

const stillThere = (store: ObjectStore, bucket: string, key: string): PenstockError =>
  new PenstockError('Conflict', `s3://${bucket}/${key} is still there after its deletion was acknowledged.`, { store: store.name });
