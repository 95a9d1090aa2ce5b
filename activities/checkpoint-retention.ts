/** Drained checkpoints that are no longer kept: which they are, and their removal from the erasure set. */
import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { removeDrained } from '../datapath/checkpoint/drain.ts';
import { type InErasureSet, isWholeByLength, keysOfDrained, listDrained, readDrainedRecord } from '../datapath/checkpoint/drained.ts';
import { findErasureObject } from '../datapath/erasure/index.ts';
import { shardNameOf } from '../datapath/erasure/manifest.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import type { ObjectHold } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { type CheckpointKey, checkpointPrefix, checkpointsPrefix } from '../model/checkpoint.ts';
import {
  type DrainedCheckpoint,
  GoingRecordSchema,
  goingRecordKey,
  goingRecords,
  KeptRecordSchema,
  keptRecordKey,
  newestFirst,
  type PlannedCheckpoint,
  planRetention,
  type RetentionLook,
  retentionEndsAt,
} from '../model/checkpoint-retention.ts';
import type { DrainedRecord } from '../model/drained-record.ts';
import { absent } from '../model/errors.ts';
import { type AllocationKey, allocationWorkflowId } from '../model/identifiers.ts';
import { parseJson } from '../model/json.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { termsOf } from './checkpoint-terms.ts';
import { effect, type Run } from './effect.ts';
import { namesUnder, writeJson } from './system-records.ts';

const RECORDS_AT_ONCE = 8;
const HOLDS_AT_ONCE = 16;
/** A hold may be lifted, and nobody tells. */
const HELD_LOOK_MS = 7 * 86_400_000;

export interface EndedAllocation extends AllocationKey {
  /** ISO instant, as the allocation said; Temporal is asked whether there was a later one of the same name. */
  readonly endedAt: string;
}

export type CheckpointRetentionActivities = ReturnType<typeof createCheckpointRetentionActivities>;

export function createCheckpointRetentionActivities(stores: Stores) {
  return {
    /** Removes what is due by the site file of now and the allocation's own terms. May be repeated: what is left is judged as before. */
    removeSuperfluousCheckpoints: (request: EndedAllocation): Promise<RetentionLook> =>
      effect(async (run) => await removeSuperfluous(stores, request, await lastEnd(request), run)),
  };
}

const NOTHING = { stay: 0, removed: 0, removedBytes: 0, held: 0 } satisfies RetentionLook;

/** @param endedAt undefined while the allocation runs: then `keepDays` from now on nothing is due */
export async function removeSuperfluous(
  stores: Stores,
  allocation: AllocationKey,
  endedAt: string | undefined,
  run: Pick<Run, 'signal' | 'report'>,
): Promise<RetentionLook> {
  const dueAt = retentionEndsAt(endedAt ?? new Date().toISOString(), await termsOf(stores, allocation));
  if (endedAt === undefined || Date.parse(dueAt) > Date.now()) return { ...NOTHING, nextLookAt: dueAt };
  await stores.warm.ensureBucket(SYSTEM_BUCKET);
  await finishRemovals(stores, allocation, run.signal);
  return await removeDue(stores, allocation, await planCheckpoints(stores, allocation, { endedAt, signal: run.signal }), run);
}

/** What an attempt that died has begun. One that was committed and drained under the same id since is another one. */
async function finishRemovals(stores: Stores, allocation: AllocationKey, signal: AbortSignal): Promise<void> {
  const { warm, shardRacks: racks } = stores;
  for await (const name of namesUnder(warm, goingRecords(allocation))) {
    const key = { ...allocation, checkpointId: name.replace(/\.json$/, '') };
    const note = GoingRecordSchema.safeParse(parseJson(await warm.readBytes(SYSTEM_BUCKET, goingRecordKey(key))));
    const inErasureSet = { racks, prefix: checkpointPrefix(key), signal };
    const standing = await readDrainedRecord(inErasureSet);
    if (note.success && (!standing || standing.committedAt === note.data.committedAt)) await removeDrained(inErasureSet);
    await warm.remove(SYSTEM_BUCKET, goingRecordKey(key));
  }
}

async function removeOne({ warm, shardRacks: racks }: Stores, key: CheckpointKey, committedAt: string, signal: AbortSignal): Promise<void> {
  await writeJson(warm, goingRecordKey(key), { committedAt });
  await removeDrained({ racks, prefix: checkpointPrefix(key), signal });
  await warm.remove(SYSTEM_BUCKET, goingRecordKey(key));
}

export interface PlanCheckpoints {
  /** As in {@link planRetention}. */
  readonly endedAt: string | undefined;
  readonly signal: AbortSignal;
}

/** The drained checkpoints of an allocation, the newest first, with what becomes of each. */
export async function planCheckpoints(stores: Stores, allocation: AllocationKey, { endedAt, signal }: PlanCheckpoints): Promise<PlannedCheckpoint[]> {
  const racks = stores.shardRacks;
  const terms = await termsOf(stores, allocation);
  const ids = await listDrained({ racks, prefix: checkpointsPrefix(allocation), signal });
  const drained: { checkpointId: string; committedAt: string; record: DrainedRecord; inErasureSet: InErasureSet }[] = [];
  await inLanes(ids, RECORDS_AT_ONCE, async (checkpointId) => {
    const inErasureSet = { racks, prefix: checkpointPrefix({ ...allocation, checkpointId }), signal };
    const record = await readDrainedRecord(inErasureSet);
    if (record) drained.push({ checkpointId, committedAt: record.committedAt, record, inErasureSet });
  });
  const known: DrainedCheckpoint[] = [];
  let whole = 0;
  for (const { checkpointId, record, inErasureSet } of newestFirst(drained)) {
    const isWhole = whole < terms.keepLast && (await isWholeByLength(inErasureSet, record));
    if (isWhole) whole += 1;
    const keep = await readKept(stores, { ...allocation, checkpointId });
    known.push({ checkpointId, committedAt: record.committedAt, bytes: record.bytes, isWhole, keep });
  }
  const plan = (checkpoints: readonly DrainedCheckpoint[]) => planRetention(checkpoints, terms, endedAt);
  const going = new Set(plan(known).flatMap(({ checkpointId, disposition }) => (disposition.kind === 'goes' ? [checkpointId] : [])));
  const holds = new Map<string, ObjectHold>();
  for (const { checkpointId, record, inErasureSet } of drained) {
    const hold = going.has(checkpointId) ? await holdOn(stores, inErasureSet, record) : undefined;
    if (hold) holds.set(checkpointId, hold);
  }
  return plan(known.map((checkpoint) => ({ ...checkpoint, hold: holds.get(checkpoint.checkpointId) })));
}

async function removeDue(
  stores: Stores,
  allocation: AllocationKey,
  planned: readonly PlannedCheckpoint[],
  run: Pick<Run, 'signal' | 'report'>,
): Promise<RetentionLook> {
  const look = { ...NOTHING };
  const laterMs: number[] = [];
  // The oldest first: whatever ends this, those that are left are the newer ones.
  for (const { checkpointId, committedAt, bytes, disposition } of planned.toReversed()) {
    if (disposition.kind === 'stays') look.stay += 1;
    if (disposition.kind === 'held') {
      look.held += 1;
      laterMs.push(Math.min(Date.parse(disposition.until ?? '') || Infinity, Date.now() + HELD_LOOK_MS));
    }
    if (disposition.kind === 'goes') {
      await removeOne(stores, { ...allocation, checkpointId }, committedAt, run.signal);
      look.removed += 1;
      look.removedBytes += bytes;
    }
    run.report({ ...look });
  }
  return laterMs.length === 0 ? look : { ...look, nextLookAt: new Date(Math.min(...laterMs)).toISOString() };
}

/** A legal hold if any of its shards is on one, else the longest retention of any of them. */
async function holdOn({ shardObjects, site }: Stores, { racks, prefix, signal }: InErasureSet, record: DrainedRecord): Promise<ObjectHold | undefined> {
  const buckets = new Map(site.erasureSet.racks.map(({ id, bucket }) => [id, bucket]));
  const holds: ObjectHold[] = [];
  for (const key of keysOfDrained(record, prefix)) {
    const manifest = await findErasureObject({ racks, key, signal });
    await inLanes(manifest?.shards ?? [], HOLDS_AT_ONCE, async (shard) => {
      const bucket = buckets.get(shard.rack);
      const hold = manifest && bucket !== undefined ? await shardObjects.hold(bucket, shardNameOf(manifest, shard), { signal }) : undefined;
      if (hold) holds.push(hold);
    });
  }
  const until = holds
    .flatMap((hold) => hold.until ?? [])
    .sort((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);
  return holds.find(({ onLegalHold }) => onLegalHold) ?? (until === undefined ? undefined : { onLegalHold: false, until });
}

/** Undefined while an allocation of this name runs: it may have been submitted again. */
async function lastEnd({ endedAt, ...key }: EndedAllocation): Promise<string | undefined> {
  try {
    const { status, closeTime } = await Context.current().client.workflow.getHandle(allocationWorkflowId(key)).describe();
    if (status.name === 'RUNNING') return undefined;
    return closeTime?.toISOString() ?? endedAt;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return endedAt; // Temporal forgets what has ended long ago
    throw error;
  }
}

/** Why it is kept for good; undefined where nothing says so. */
async function readKept({ warm }: Stores, key: CheckpointKey): Promise<string | undefined> {
  const body = await warm.readBytes(SYSTEM_BUCKET, keptRecordKey(key)).catch(absent);
  if (body === undefined) return undefined;
  const parsed = KeptRecordSchema.safeParse(parseJson(body));
  // Somebody wanted it kept, whatever it says.
  return parsed.success ? parsed.data.why : `${keptRecordKey(key)}, which cannot be read`;
}

export async function recordKept({ warm }: Stores, key: CheckpointKey, why: string): Promise<void> {
  await warm.ensureBucket(SYSTEM_BUCKET);
  await writeJson(warm, keptRecordKey(key), { why });
}
