/** The records of what is to be repaired: small objects in the warm store whose names are in the order of danger. Written twice, a record is the same. */
import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { EndangeredObject } from '../datapath/erasure/endangered.ts';
import type { Stores } from '../drivers/open-site.ts';
import { absent, PenstockError } from '../model/errors.ts';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { formatIssues, parseInput } from '../model/issues.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { signalNames, workflowTypes } from '../model/messages.ts';
import {
  parseRepairName,
  REPAIR_LATER,
  REPAIR_QUEUE,
  REPAIR_WORKFLOW_ID,
  type RepairDue,
  type RepairRecord,
  RepairRecordSchema,
  repairName,
} from '../model/repair.ts';

/** Names are counted up to here: a hundred listings. */
const MOST_COUNTED = 100_000;

export async function queueRepair({ warm }: Pick<Stores, 'warm'>, { key, margin, storedBytes, suspects }: EndangeredObject): Promise<void> {
  const record: RepairRecord = { key, margin, storedBytes, foundAt: new Date().toISOString(), suspects: [...suspects] };
  await warm.writeBytes(SYSTEM_BUCKET, REPAIR_QUEUE + nameOf(record), bodyOf(record), { contentType: 'application/json' });
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
export async function readRepair({ warm }: Pick<Stores, 'warm'>, name: string): Promise<RepairRecord | undefined> {
  const body = await warm.readBytes(SYSTEM_BUCKET, REPAIR_QUEUE + name).catch(absent);
  if (body === undefined) return undefined;
  const parsed = parseInput(RepairRecordSchema, jsonOf(body));
  if (parsed.ok) return parsed.value;
  throw new PenstockError('CorruptSource', `${REPAIR_QUEUE}${name} is not the record of a repair: ${formatIssues(parsed.issues)}.`, {
    nextStep: 'Remove it; the next scrub finds again what is wrong.',
  });
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Unless the object was found again meanwhile, under the same name: that finding is not done. */
export async function repairDone(stores: Pick<Stores, 'warm'>, name: string, { foundAt }: RepairRecord): Promise<void> {
  const standing = await readRepair(stores, name);
  if (standing?.foundAt === foundAt) await stores.warm.remove(SYSTEM_BUCKET, REPAIR_QUEUE + name);
}

/** Out of the way of others until racks or space are back. */
export async function postponeRepair(stores: Pick<Stores, 'warm'>, name: string, record: RepairRecord, problem: string): Promise<void> {
  await stores.warm.writeBytes(SYSTEM_BUCKET, REPAIR_LATER + nameOf(record), bodyOf({ ...record, problem: problem.slice(0, 2_000) }), {
    contentType: 'application/json',
  });
  await repairDone(stores, name, record);
}

/** What is no record of ours is kept as it is, out of the way of the others. */
export async function putAside({ warm }: Pick<Stores, 'warm'>, name: string): Promise<void> {
  const body = await warm.readBytes(SYSTEM_BUCKET, REPAIR_QUEUE + name);
  await warm.writeBytes(SYSTEM_BUCKET, REPAIR_LATER + name, body);
  await warm.remove(SYSTEM_BUCKET, REPAIR_QUEUE + name);
}

/** Back into the queue, all that were put off. @returns how many */
export async function requeueRepairs({ warm }: Stores, signal: AbortSignal): Promise<number> {
  let moved = 0;
  for await (const name of namesUnder(warm, REPAIR_LATER)) {
    signal.throwIfAborted();
    const body = await warm.readBytes(SYSTEM_BUCKET, REPAIR_LATER + name);
    await warm.writeBytes(SYSTEM_BUCKET, REPAIR_QUEUE + name, body, { contentType: 'application/json' });
    await warm.remove(SYSTEM_BUCKET, REPAIR_LATER + name);
    moved++;
  }
  return moved;
}

/** The first so many, most endangered first, and how many there are. */
export async function firstRepairs({ warm }: Stores, most: number): Promise<{ names: string[]; due: RepairDue; laterObjects: number }> {
  await warm.ensureBucket(SYSTEM_BUCKET);
  const names: string[] = [];
  let objects = 0;
  let storedBytes = 0;
  for await (const name of namesUnder(warm, REPAIR_QUEUE)) {
    if (objects === MOST_COUNTED) return { names, due: { objects, storedBytes, isMore: true }, laterObjects: await countLater(warm) };
    if (names.length < most) names.push(name);
    objects++;
    storedBytes += parseRepairName(name)?.storedBytes ?? 0;
  }
  return { names, due: { objects, storedBytes, isMore: false }, laterObjects: await countLater(warm) };
}

async function countLater(warm: Stores['warm']): Promise<number> {
  let count = 0;
  for await (const _ of namesUnder(warm, REPAIR_LATER)) if (++count === MOST_COUNTED) break;
  return count;
}

async function* namesUnder(warm: Stores['warm'], prefix: string): AsyncGenerator<string> {
  for (let after: string | undefined; ; ) {
    const page = await warm.list(SYSTEM_BUCKET, prefix, after === undefined ? {} : { after });
    for (const { key } of page.entries) yield key.slice(prefix.length);
    if (page.next === undefined) return;
    after = page.next;
  }
}

const nameOf = (record: RepairRecord): string => repairName(record, createHash('sha256').update(record.key).digest('hex'));
const bodyOf = (record: RepairRecord): Buffer => Buffer.from(JSON.stringify(record));
