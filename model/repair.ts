/** What repair of the erasure set is asked for, and how far it is. What is to be repaired lies in the object store, a record an object, most endangered first by name. */
import * as z from 'zod';
import { IdentifierSchema } from './identifiers.ts';
import { BandwidthSchema } from './quantity.ts';
import { withLines } from './scrub.ts';
import { MAX_LANES } from './transfer-input.ts';

export const REPAIR_WORKFLOW_ID = 'repair';
export const REPAIR_LIMIT_KEY = 'limits/repair.json';
/** Due now, and due when racks or space have come back. */
export const REPAIR_QUEUE = 'erasure/repairs/queue/';
export const REPAIR_LATER = 'erasure/repairs/later/';
/** What is still to be looked for: a record a lost rack, and one a prefix. They outlive a repair that is stopped. */
export const REPAIR_RACKS = 'erasure/repairs/racks/';
export const REPAIR_CLAIMS = 'erasure/repairs/claims/';

export const DEFAULT_LANES = 4;

export const RepairRequestSchema = z.strictObject({
  racks: z.array(IdentifierSchema).max(32).default([]).describe('Racks lost for good: every object that had a shard there is repaired, most endangered first'),
  claim: z.string().max(900).optional().describe('Also make manifests anew, from their shards, for objects under this prefix that have none left'),
  lanes: z.int().min(1).max(MAX_LANES).optional().describe('Units of work at once; as before where absent, 4 to begin with'),
  bytesPerSecond: BandwidthSchema.nullable()
    .optional()
    .describe('Limit of what is read from racks, null for none; as before where absent, the policy repairRate to begin with'),
});
export type RepairInput = z.input<typeof RepairRequestSchema>;
export type RepairRequest = z.output<typeof RepairRequestSchema>;

export const CallOffRackSchema = z.strictObject({ rack: IdentifierSchema.describe('A rack whose drain was begun and is not wanted any more') });
export type CallOffRack = z.input<typeof CallOffRackSchema>;
export interface RackCalledOff {
  readonly rack: string;
  /** How far its listing had come; absent where none was under way or on record. */
  readonly listing?: RackListing;
  /** Not due any more: nothing else than the drain wanted their repair. */
  readonly droppedObjects: number;
}

export const RepairRecordSchema = z.strictObject({
  key: z.string(),
  /** Racks that may still be lost, when it was found. */
  margin: z.int(),
  storedBytes: z.int().nonnegative(),
  foundAt: z.iso.datetime(),
  suspects: z.array(z.strictObject({ index: z.int(), rack: z.string(), repairId: z.string().optional(), state: z.enum(['rotten', 'lost']) })),
  /** It is due for drains of these racks and for nothing else; absent where anybody found something wrong. */
  forRacks: z.array(z.string()).optional(),
  /** Why it was put off. */
  problem: z.string().optional(),
});
export type RepairRecord = z.output<typeof RepairRecordSchema>;

/** Of both findings, each shard once: that it is rotten is believed, that it is lost is looked at again. */
export function mergeSuspects(one: RepairRecord['suspects'], other: RepairRecord['suspects']): RepairRecord['suspects'] {
  const merged = new Map<string, RepairRecord['suspects'][number]>();
  for (const suspect of [...one, ...other]) {
    const name = JSON.stringify([suspect.index, suspect.rack, suspect.repairId ?? null]);
    if (merged.get(name)?.state !== 'rotten') merged.set(name, suspect);
  }
  return [...merged.values()];
}

/** Of two records of one object: what both together are due for. */
export function mergeFindings(one: Finding, other: Finding): Finding {
  const suspects = mergeSuspects(one.suspects, other.suspects);
  return one.forRacks && other.forRacks ? { suspects, forRacks: [...new Set([...one.forRacks, ...other.forRacks])] } : { suspects };
}
type Finding = Pick<RepairRecord, 'suspects' | 'forRacks'>;

/** Fewest surviving shards first: "13" for a margin of -1. The size stands in the name, so that a listing tells how much is due. */
export const repairName = ({ margin, storedBytes }: Pick<RepairRecord, 'margin' | 'storedBytes'>, keyDigest: string): string =>
  `${String(Math.max(0, margin + 14)).padStart(2, '0')}/${keyDigest.slice(0, 40)}.${storedBytes}.json`;

export interface RepairName {
  readonly margin: number;
  readonly storedBytes: number;
  /** Of the object's key: the same in all its records. */
  readonly keyDigest: string;
}

export function parseRepairName(name: string): RepairName | undefined {
  const [, surviving, keyDigest, bytes] = /^(\d\d)\/([0-9a-f]{40})\.(\d+)\.json$/.exec(name) ?? [];
  if (surviving === undefined || keyDigest === undefined || bytes === undefined) return undefined;
  return { margin: Number(surviving) - 14, storedBytes: Number(bytes), keyDigest };
}

export interface RepairDue {
  readonly objects: number;
  readonly storedBytes: number;
  /** Counting stopped there: there are more. */
  readonly isMore: boolean;
}

/** Without those that a unit is done with: repaired, sound, or put off. */
export function withoutDone({ objects, storedBytes, isMore }: RepairDue, names: readonly string[]): RepairDue {
  const bytes = names.reduce((sum, name) => sum + (parseRepairName(name)?.storedBytes ?? 0), 0);
  return { objects: Math.max(0, objects - names.length), storedBytes: Math.max(0, storedBytes - bytes), isMore };
}

/** Objects on a lost rack are being looked for. */
export interface RackListing {
  readonly rack: string;
  readonly after?: string;
  readonly listedObjects: number;
  readonly concernedObjects: number;
}

export const RackListingSchema = z.strictObject({
  rack: z.string(),
  after: z.string().exactOptional(),
  listedObjects: z.int().nonnegative(),
  concernedObjects: z.int().nonnegative(),
});

/** What is still to be looked for. */
export interface WantedRepairs {
  readonly listings: readonly RackListing[];
  /** Prefixes under which manifests are to be made anew. */
  readonly claims: readonly string[];
}

/** Of two that list one rack, the one that has come further. */
export const furtherListing = (one: RackListing, other: RackListing | undefined): RackListing =>
  other && other.listedObjects > one.listedObjects ? other : one;

/** The first one's order; of each rack the further listing. */
export function mergeWanted(one: WantedRepairs, other: WantedRepairs): WantedRepairs {
  const listings = one.listings.map((each) =>
    furtherListing(
      each,
      other.listings.find(({ rack }) => rack === each.rack),
    ),
  );
  const more = other.listings.filter(({ rack }) => !listings.some((each) => each.rack === rack));
  return { listings: [...listings, ...more], claims: [...new Set([...one.claims, ...other.claims])] };
}

const CountSchema = z.int().nonnegative();
export const RepairCountsSchema = z.strictObject({
  repairedObjects: CountSchema,
  /** That turned out to need nothing. */
  soundObjects: CountSchema,
  /** Put off: no rack that takes a shard, or too few shards there. */
  postponedObjects: CountSchema,
  claimedObjects: CountSchema,
  rebuiltShards: CountSchema,
  rebuiltBytes: CountSchema,
  /** What their shards take, all of them: what the rest is measured by. */
  doneBytes: CountSchema,
  /** The first of what could not be done. */
  lines: z.array(z.string()).readonly(),
});
export type RepairCounts = Readonly<z.output<typeof RepairCountsSchema>>;

export const noRepairs: RepairCounts = {
  repairedObjects: 0,
  soundObjects: 0,
  postponedObjects: 0,
  claimedObjects: 0,
  rebuiltShards: 0,
  rebuiltBytes: 0,
  doneBytes: 0,
  lines: [],
};

export const addRepairs = (one: RepairCounts, other: RepairCounts): RepairCounts => ({
  repairedObjects: one.repairedObjects + other.repairedObjects,
  soundObjects: one.soundObjects + other.soundObjects,
  postponedObjects: one.postponedObjects + other.postponedObjects,
  claimedObjects: one.claimedObjects + other.claimedObjects,
  rebuiltShards: one.rebuiltShards + other.rebuiltShards,
  rebuiltBytes: one.rebuiltBytes + other.rebuiltBytes,
  doneBytes: one.doneBytes + other.doneBytes,
  lines: withLines(one.lines, other.lines),
});

/** An activity that failed and is tried again. */
export interface HeldUp {
  /** Such as `listing a rack`. */
  readonly what: string;
  /** Of the attempt under way, or of the next one. */
  readonly attempt: number;
  readonly problem: string;
  /** Absent while it is being tried. */
  readonly nextTryAt?: string;
}

export interface RepairStatus {
  /** planning: what is due was not counted yet. */
  readonly state: 'planning' | 'listing' | 'repairing' | 'waiting' | 'done';
  readonly running: boolean;
  readonly paused: boolean;
  /** Null: no limit. */
  readonly bytesPerSecond: number | null;
  readonly startedAt: string;
  readonly counts: RepairCounts;
  readonly due: RepairDue;
  readonly laterObjects: number;
  readonly listings: readonly RackListing[];
  /** Absent where nothing is known about the pace, or not all that is due: lost racks are still being listed, or more is due than was counted. */
  readonly etaSeconds?: number;
  /** What the pace is measured by. */
  readonly activeTime: ActiveTime;
  /** Absent where nothing is. */
  readonly heldUp?: readonly HeldUp[];
}

/** Time in which there was something to repair and nobody held it up: neither pauses nor waiting make the rest seem slower. */
export interface ActiveTime {
  readonly milliseconds: number;
  /** Null while nothing is done. */
  readonly since: number | null;
}
export const noTime: ActiveTime = { milliseconds: 0, since: null };

export const activeMilliseconds = ({ milliseconds, since }: ActiveTime, now: number): number => milliseconds + (since === null ? 0 : Math.max(0, now - since));

export const timeFrom = (time: ActiveTime, now: number, isActive: boolean): ActiveTime => ({
  milliseconds: activeMilliseconds(time, now),
  since: isActive ? now : null,
});

/** By what was done in the active time. Undefined where nothing was yet, or not all that is due was counted. */
export function repairEta({ doneBytes }: Pick<RepairCounts, 'doneBytes'>, due: RepairDue, activeSeconds: number): number | undefined {
  if (due.objects === 0) return 0;
  return !due.isMore && doneBytes > 0 && activeSeconds > 0 ? Math.ceil(due.storedBytes / (doneBytes / activeSeconds)) : undefined;
}

/** What was put off is tried again after a minute, then two, four, ... up to an hour, for as long as none of it succeeds. */
const FIRST_WAIT_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 3600;
export const waitSeconds = (vainRounds: number): number => Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** Math.min(vainRounds, 16));

/** Whether anything succeeded in between. */
export const isFurther = (before: RepairCounts, after: RepairCounts): boolean =>
  after.repairedObjects + after.soundObjects + after.claimedObjects > before.repairedObjects + before.soundObjects + before.claimedObjects;
