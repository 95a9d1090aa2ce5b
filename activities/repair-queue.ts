/** The records of what is to be repaired: small objects in the warm store whose names are in the order of danger. Written twice, a record is the same. */
import { Context } from '@temporalio/activity';
import type { EndangeredObject } from '../datapath/erasure/endangered.ts';
import type { Stores } from '../drivers/open-site.ts';
import { absent, isType, PenstockError } from '../model/errors.ts';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { formatIssues, parseInput } from '../model/issues.ts';
import { parseJson } from '../model/json.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { signalNames, workflowTypes } from '../model/messages.ts';
import {
  mergeFindings,
  parseRepairName,
  REPAIR_LATER,
  REPAIR_QUEUE,
  REPAIR_WORKFLOW_ID,
  type RepairDue,
  type RepairRecord,
  RepairRecordSchema,
  repairName,
} from '../model/repair.ts';
import { digestOfKey, isGivenUp } from './given-up.ts';
import { namesUnder, writeJson } from './system-records.ts';

/** Names are counted up to here: a hundred listings. */
const MOST_COUNTED = 100_000;

/**
 * What was suspected of the object before, under the same name, is still suspected. What cannot be read and was given up is not queued.
 * @param forRacks the racks whose drains want it, where nothing was found to be wrong
 */
export async function queueRepair(
  stores: Pick<Stores, 'warm'>,
  { key, margin, storedBytes, suspects }: EndangeredObject,
  forRacks?: readonly string[],
): Promise<void> {
  if (margin < 0 && (await isGivenUp(stores, key))) return;
  const found: RepairRecord = {
    key,
    margin,
    storedBytes,
    foundAt: new Date().toISOString(),
    suspects: [...suspects],
    ...(forRacks ? { forRacks: [...forRacks] } : {}),
  };
  const standing = await recordOrNone(stores, nameOf(found));
  await writeRecord(stores, nameOf(found), standing ? merged(found, standing) : found);
}

/** The first one, due for what both are due for. */
function merged({ forRacks, ...record }: RepairRecord, other: RepairRecord): RepairRecord {
  return { ...record, ...mergeFindings({ suspects: record.suspects, forRacks }, other) };
}

const writeRecord = ({ warm }: Pick<Stores, 'warm'>, name: string, record: RepairRecord): Promise<void> => writeJson(warm, REPAIR_QUEUE + name, record);

/** Undefined also where it is no record: a plan takes it up as it is, and its unit puts it aside. */
export async function recordOrNone(stores: Pick<Stores, 'warm'>, name: string, prefix = REPAIR_QUEUE): Promise<RepairRecord | undefined> {
  try {
    return await readRecord(stores, prefix + name);
  } catch (error) {
    if (isType(error, 'CorruptSource')) return undefined;
    throw error;
  }
}

/**
 * What an activity comes across by the way is put on record. The repair is woken at the first, and once more at the end where others came after it: each time
 * costs its history some events.
 */
export async function reportingDamage<T>(
  stores: Stores,
  work: (onDamage: (object: EndangeredObject) => Promise<void>) => Promise<T>,
  wake: () => Promise<void> = wakeRepair,
): Promise<T> {
  let reported = 0;
  try {
    return await work(async (object) => {
      await stores.warm.ensureBucket(SYSTEM_BUCKET);
      await queueRepair(stores, object);
      reported += 1;
      if (reported === 1) await wake();
    });
  } finally {
    if (reported > 1) await wake();
  }
}

/** Starts the repair where none is under way. */
export async function wakeRepair(): Promise<void> {
  await Context.current().client.workflow.signalWithStart(workflowTypes.repair, {
    workflowId: REPAIR_WORKFLOW_ID,
    taskQueue: CONTROL_QUEUE,
    args: [{}],
    signal: signalNames.repairsQueued,
    signalArgs: [],
    staticSummary: 'repair of the erasure set',
  });
}

/** Undefined where somebody else was done with it. CorruptSource where it is no record. */
export const readRepair = (stores: Pick<Stores, 'warm'>, name: string): Promise<RepairRecord | undefined> => readRecord(stores, REPAIR_QUEUE + name);

async function readRecord({ warm }: Pick<Stores, 'warm'>, key: string): Promise<RepairRecord | undefined> {
  const body = await warm.readBytes(SYSTEM_BUCKET, key).catch(absent);
  if (body === undefined) return undefined;
  const parsed = parseInput(RepairRecordSchema, parseJson(body));
  if (parsed.ok) return parsed.value;
  throw new PenstockError('CorruptSource', `${key} is not the record of a repair: ${formatIssues(parsed.issues)}.`, {
    nextStep: 'Remove it; the next scrub finds again what is wrong.',
  });
}

/** Unless the object was found again meanwhile, under the same name: that finding is not done. */
export async function repairDone(stores: Pick<Stores, 'warm'>, name: string, { foundAt }: RepairRecord): Promise<void> {
  const standing = await readRepair(stores, name);
  if (standing?.foundAt === foundAt) await stores.warm.remove(SYSTEM_BUCKET, REPAIR_QUEUE + name);
}

/** Out of the way of others until racks or space are back; for good, where it was given up meanwhile. */
export async function postponeRepair(stores: Pick<Stores, 'warm'>, name: string, record: RepairRecord, problem: string): Promise<void> {
  if (await isGivenUp(stores, record.key)) return await repairDone(stores, name, record);
  const before = await recordOrNone(stores, nameOf(record), REPAIR_LATER);
  const putOff = { ...(before ? merged(record, before) : record), problem: problem.slice(0, 2_000) };
  await writeJson(stores.warm, REPAIR_LATER + nameOf(record), putOff);
  await repairDone(stores, name, record);
}

/** What is no record of ours is kept as it is, out of the way of the others. */
export async function putAside({ warm }: Pick<Stores, 'warm'>, name: string): Promise<void> {
  const body = await warm.readBytes(SYSTEM_BUCKET, REPAIR_QUEUE + name);
  await warm.writeBytes(SYSTEM_BUCKET, REPAIR_LATER + name, body);
  await warm.remove(SYSTEM_BUCKET, REPAIR_QUEUE + name);
}

/** Back into the queue, all that were put off; what was found again meanwhile takes over what they suspect. @returns how many */
export async function requeueRepairs(stores: Pick<Stores, 'warm'>, signal: AbortSignal): Promise<number> {
  const { warm } = stores;
  let moved = 0;
  for await (const name of namesUnder(warm, REPAIR_LATER)) {
    signal.throwIfAborted();
    const [standing, later] = [await recordOrNone(stores, name), await recordOrNone(stores, name, REPAIR_LATER)];
    if (standing && later) await writeRecord(stores, name, merged(standing, later));
    else
      await warm.writeBytes(SYSTEM_BUCKET, REPAIR_QUEUE + name, await warm.readBytes(SYSTEM_BUCKET, REPAIR_LATER + name), { contentType: 'application/json' });
    await warm.remove(SYSTEM_BUCKET, REPAIR_LATER + name);
    moved++;
  }
  return moved;
}

/** All records of the object, at whatever margin it was found. @returns how many */
export async function dropRepairs({ warm }: Pick<Stores, 'warm'>, key: string): Promise<number> {
  const keyDigest = digestOfKey(key);
  let dropped = 0;
  for (const prefix of [REPAIR_QUEUE, REPAIR_LATER])
    for await (const name of namesUnder(warm, prefix)) {
      if (parseRepairName(name)?.keyDigest !== keyDigest) continue;
      await warm.remove(SYSTEM_BUCKET, prefix + name);
      dropped++;
    }
  return dropped;
}

export interface QueuedRepairs {
  /** The first so many, most endangered first. */
  readonly names: string[];
  readonly due: RepairDue;
  readonly laterObjects: number;
}

/** How much is due and put off. An object that was found again at another margin has two records until the next plan, and counts once. */
export const firstRepairs = ({ warm }: Pick<Stores, 'warm'>, most: number): Promise<QueuedRepairs> => lookThrough(warm, most, () => undefined);

/** The same, in order: of an object's records the most endangered one is kept, and takes over what the others suspect. */
export async function planQueue(stores: Pick<Stores, 'warm'>, most: number, signal: AbortSignal): Promise<QueuedRepairs> {
  const repeats: [string, string][] = [];
  const queued = await lookThrough(stores.warm, most, (kept, repeated) => void repeats.push([kept, repeated]));
  for (const [kept, repeated] of repeats) {
    signal.throwIfAborted();
    await joinRecords(stores, kept, repeated);
  }
  return queued;
}

async function joinRecords(stores: Pick<Stores, 'warm'>, kept: string, repeated: string): Promise<void> {
  const [worst, other] = [await recordOrNone(stores, kept), await recordOrNone(stores, repeated)];
  if (!worst || !other) return;
  await writeRecord(stores, kept, merged(worst, other));
  await repairDone(stores, repeated, other);
}

async function lookThrough(warm: Stores['warm'], most: number, onRepeat: (kept: string, repeated: string) => void): Promise<QueuedRepairs> {
  await warm.ensureBucket(SYSTEM_BUCKET);
  const names: string[] = [];
  const nameByKey = new Map<string, string>();
  let objects = 0;
  let storedBytes = 0;
  for await (const name of namesUnder(warm, REPAIR_QUEUE)) {
    if (objects === MOST_COUNTED) return { names, due: { objects, storedBytes, isMore: true }, laterObjects: await countLater(warm) };
    const parsed = parseRepairName(name);
    const kept = parsed && nameByKey.get(parsed.keyDigest);
    if (kept !== undefined) {
      onRepeat(kept, name);
      continue;
    }
    if (parsed) nameByKey.set(parsed.keyDigest, name);
    if (names.length < most) names.push(name);
    objects++;
    storedBytes += parsed?.storedBytes ?? 0;
  }
  return { names, due: { objects, storedBytes, isMore: false }, laterObjects: await countLater(warm) };
}

async function countLater(warm: Stores['warm']): Promise<number> {
  const objects = new Set<string>();
  for await (const name of namesUnder(warm, REPAIR_LATER)) {
    objects.add(parseRepairName(name)?.keyDigest ?? name);
    if (objects.size === MOST_COUNTED) break;
  }
  return objects.size;
}

const nameOf = (record: RepairRecord): string => repairName(record, digestOfKey(record.key));
