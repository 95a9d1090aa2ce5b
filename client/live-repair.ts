/** What units and listings under way have done, and what holds them up, merged into the repair's own answer: it learns of a unit when that is over, which takes minutes. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import {
  activeMilliseconds,
  addRepairs,
  furtherListing,
  type HeldUp,
  noRepairs,
  type RackListing,
  RackListingSchema,
  REPAIR_WORKFLOW_ID,
  type RepairCounts,
  RepairCountsSchema,
  type RepairStatus,
  repairEta,
} from '../model/repair.ts';
import { heartbeatOf, millisecondsOf, type PendingActivity, typeOf } from './pending-activities.ts';

/** What the server knows of an activity under way. */
export interface RepairActivity {
  readonly type: string;
  /** Of its last heartbeat. */
  readonly told?: unknown;
  readonly heldUp?: HeldUp;
}

export async function withLiveRepair(client: Client, status: RepairStatus): Promise<RepairStatus> {
  if (!status.running) return status;
  try {
    const { raw } = await client.workflow.getHandle(REPAIR_WORKFLOW_ID).describe();
    return withActivities(status, (raw.pendingActivities ?? []).map(activityOf), Date.now());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return status;
    throw error;
  }
}

export function withActivities(status: RepairStatus, under: readonly RepairActivity[], nowMs: number): RepairStatus {
  const told = under.filter(({ type }) => COUNTING.has(type)).flatMap(({ told }) => countsOf(told));
  const done = told.reduce(addRepairs, noRepairs);
  const counts = addRepairs(status.counts, done);
  const due = {
    ...status.due,
    objects: Math.max(0, status.due.objects - done.repairedObjects - done.soundObjects - done.postponedObjects),
    storedBytes: Math.max(0, status.due.storedBytes - done.doneBytes),
  };
  const { etaSeconds: _, ...known } = status;
  const eta = status.state === 'repairing' ? repairEta(counts, due, activeMilliseconds(status.activeTime, nowMs) / 1000) : undefined;
  const heldUp = under.flatMap((activity) => (activity.heldUp ? [activity.heldUp] : []));
  return {
    ...known,
    counts,
    due,
    laterObjects: status.laterObjects + done.postponedObjects,
    listings: status.listings.map((listing) => under.map(({ told: beat }) => listingOf(beat, listing)).reduce(furtherListing, listing)),
    ...(eta === undefined ? {} : { etaSeconds: eta }),
    ...(heldUp.length === 0 ? {} : { heldUp }),
  };
}

/** Their heartbeats are counts of what is done. */
const COUNTING: ReadonlySet<string> = new Set(['repairUnit', 'claimObjects']);

function countsOf(told: unknown): RepairCounts[] {
  const parsed = RepairCountsSchema.safeParse(told);
  return parsed.success ? [parsed.data] : [];
}

/** The same listing, further on; or as it was. */
function listingOf(told: unknown, listing: RackListing): RackListing {
  const parsed = RackListingSchema.safeParse(told);
  return parsed.success && parsed.data.rack === listing.rack ? parsed.data : listing;
}

function activityOf(pending: PendingActivity): RepairActivity {
  const type = typeOf(pending);
  const heldUp = heldUpOf(type, pending);
  return { type, told: heartbeatOf(pending), ...(heldUp ? { heldUp } : {}) };
}

const WORKS: Readonly<Record<string, string>> = {
  planRepairs: 'looking what is due',
  listLostRack: 'listing a rack',
  repairUnit: 'repairing',
  claimObjects: 'making manifests anew',
  requeueRepairs: 'taking up what was put off',
  setErasureLimit: 'setting the limit',
};

function heldUpOf(type: string, { lastFailure, attempt, nextAttemptScheduleTime }: PendingActivity): HeldUp | undefined {
  if (!lastFailure) return undefined;
  const nextMs = millisecondsOf(nextAttemptScheduleTime);
  const problem = lastFailure.message || lastFailure.cause?.message || 'no reason was given';
  return { what: WORKS[type] ?? type, attempt: attempt ?? 1, problem, ...(nextMs === undefined ? {} : { nextTryAt: new Date(nextMs).toISOString() }) };
}
