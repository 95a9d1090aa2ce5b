/** What a scrub of the erasure set is asked for, and how far it is: one record in the object store, so that a scrub that was stopped goes on from its place. */
import * as z from 'zod';
import { type ObjectClass, objectClasses, objectClassOf } from './object-class.ts';
import { BandwidthSchema } from './quantity.ts';

export const SCRUB_WORKFLOW_ID = 'scrub';
export const SCRUB_PROGRESS_KEY = 'erasure/scrub.json';
export const SCRUB_LIMIT_KEY = 'limits/scrub.json';
/** Objects that were not seen whole, a record each, until they are read again at the end. */
export const SCRUB_UNSEEN = 'erasure/scrub-unseen/';

export const ScrubRequestSchema = z.strictObject({
  anew: z.boolean().default(false).describe('Begin at the first object, also where an earlier scrub was stopped on its way'),
  bytesPerSecond: BandwidthSchema.nullable().optional().describe('Limit of what is read from racks, null for none; the policy scrubRate where absent'),
  segmentSeconds: z.int().min(1).max(3600).default(300).describe('How long one activity reads before the place is put into the history'),
});
export type ScrubInput = z.input<typeof ScrubRequestSchema>;
export type ScrubRequest = z.output<typeof ScrubRequestSchema>;

const CountSchema = z.int().nonnegative();
const LINES_SHOWN = 20;
/** Objects by the number of racks that may still be lost; negative where one cannot be restored now. */
const ByMarginSchema = z.record(z.string().regex(/^-?\d+$/), CountSchema);
const ByClassSchema = z.partialRecord(z.enum(objectClasses), ByMarginSchema);
export type ByMargin = Readonly<z.output<typeof ByMarginSchema>>;
export type ByClass = Readonly<z.output<typeof ByClassSchema>>;

export const ScrubProgressSchema = z.strictObject({
  scrubId: z.string(),
  /** reading: objects. rereading: those whose racks did not all answer then. sweeping: names of shards, for what nobody will finish. */
  state: z.enum(['reading', 'rereading', 'sweeping', 'complete']),
  startedAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  /** The last key that was read; in `sweeping` the last name. Absent at the beginning. */
  after: z.string().optional(),
  /** When the policy scrubHours lets it read again; absent while it may. */
  opensAt: z.iso.datetime().optional(),
  objects: CountSchema,
  /** Of shards, as they lie on the racks. */
  storedBytes: CountSchema,
  byMargin: ByMarginSchema,
  /** The same for each class of objects. */
  byClass: ByClassSchema.default({}),
  /** Those of byMargin whose racks did not all answer: their margin is what is certain, and may be more. */
  unseenByMargin: ByMarginSchema.default({}),
  damagedObjects: CountSchema,
  shardsRemoved: CountSchema,
  /** Whole sets of shards without a manifest. */
  unclaimedCount: CountSchema,
  /** The first of what was found. */
  lines: z.array(z.string()).max(LINES_SHOWN),
  /** In which it read, and was neither paused nor stopped. */
  activeMilliseconds: CountSchema.default(0),
  /** Of the last one that was complete: what this one's share is measured against. */
  previous: z
    .strictObject({
      endedAt: z.iso.datetime(),
      objects: CountSchema,
      storedBytes: CountSchema,
      byClass: ByClassSchema.default({}),
      unseenByMargin: ByMarginSchema.default({}),
    })
    .optional(),
});
export type ScrubProgress = z.output<typeof ScrubProgressSchema>;

export interface ScrubStatus {
  readonly progress: ScrubProgress | undefined;
  readonly running: boolean;
  readonly paused: boolean;
  /** Null: no limit. */
  readonly bytesPerSecond: number | null;
  /** Why its activity failed last; absent while it does not. */
  readonly trouble?: ScrubTrouble;
}

export interface ScrubTrouble {
  readonly message: string;
  /** The attempt under way, or the next one. */
  readonly attempt: number;
  /** Absent while an attempt is under way. */
  readonly nextAttemptAt?: string;
}

/** Its place, as it goes on inside its hours. */
export function withoutWait({ opensAt: _, ...progress }: ScrubProgress): ScrubProgress {
  return progress;
}

const previousOf = ({ updatedAt, objects, storedBytes, byClass, unseenByMargin }: ScrubProgress): CompleteScrub => ({
  endedAt: updatedAt,
  objects,
  storedBytes,
  byClass,
  unseenByMargin,
});

export type CompleteScrub = NonNullable<ScrubProgress['previous']>;

/** The last one that saw all objects: what it says of margins is true of the whole set. */
export const lastComplete = (progress: ScrubProgress): CompleteScrub | undefined => (progress.state === 'complete' ? previousOf(progress) : progress.previous);

/** Over all classes. */
export function marginsOf(byClass: ByClass): ByMargin {
  const sum: Record<string, number> = {};
  for (const byMargin of Object.values(byClass)) for (const [margin, objects] of Object.entries(byMargin)) sum[margin] = (sum[margin] ?? 0) + objects;
  return sum;
}

export function newScrub(scrubId: string, now: string, before: ScrubProgress | undefined): ScrubProgress {
  const previous = before && lastComplete(before);
  return {
    scrubId,
    state: 'reading',
    startedAt: now,
    updatedAt: now,
    objects: 0,
    storedBytes: 0,
    byMargin: {},
    byClass: {},
    unseenByMargin: {},
    damagedObjects: 0,
    shardsRemoved: 0,
    unclaimedCount: 0,
    lines: [],
    activeMilliseconds: 0,
    ...(previous ? { previous } : {}),
  };
}

export interface ScrubFinding {
  readonly key: string;
  readonly storedBytes: number;
  readonly margin: number;
  readonly problems: readonly string[];
  /** Whose racks did not answer. */
  readonly unseenShards?: number;
}

const oneMore = (byMargin: ByMargin, margin: number): ByMargin => ({ ...byMargin, [margin]: (byMargin[margin] ?? 0) + 1 });

/** One object further. */
export function withObject(progress: ScrubProgress, { key, storedBytes, margin, problems, unseenShards = 0 }: ScrubFinding): ScrubProgress {
  const isDamaged = problems.length > 0;
  const objectClass = objectClassOf(key);
  return {
    ...progress,
    after: key,
    objects: progress.objects + 1,
    storedBytes: progress.storedBytes + storedBytes,
    byMargin: oneMore(progress.byMargin, margin),
    byClass: { ...progress.byClass, [objectClass]: oneMore(progress.byClass[objectClass] ?? {}, margin) },
    unseenByMargin: unseenShards > 0 ? oneMore(progress.unseenByMargin, margin) : progress.unseenByMargin,
    damagedObjects: progress.damagedObjects + (isDamaged ? 1 : 0),
    lines: isDamaged ? withLines(progress.lines, [`${key}: ${problems.slice(0, 3).join('; ')}`]) : progress.lines,
  };
}

/** Of an object as it was counted when not all of it was seen. */
export const UnseenObjectSchema = z.strictObject({
  scrubId: z.string(),
  key: z.string(),
  margin: z.int(),
  isDamaged: z.boolean(),
  /** Racks that did not answer; empty where it could not be looked at, at all. */
  racks: z.array(z.string()),
});
export type UnseenObject = z.output<typeof UnseenObjectSchema>;

const oneLess = (byMargin: ByMargin, margin: number): ByMargin => {
  const { [margin]: objects = 0, ...others } = byMargin;
  return objects > 1 ? { ...others, [margin]: objects - 1 } : others;
};

/** The same object read once more, or gone: it is counted as it is now, in the place of what was counted then. */
export function withObjectAgain(progress: ScrubProgress, then: UnseenObject, now: ScrubFinding | undefined): ScrubProgress {
  const objectClass = objectClassOf(then.key);
  const without: ScrubProgress = {
    ...progress,
    objects: progress.objects - 1,
    byMargin: oneLess(progress.byMargin, then.margin),
    byClass: { ...progress.byClass, [objectClass]: oneLess(progress.byClass[objectClass] ?? {}, then.margin) },
    unseenByMargin: oneLess(progress.unseenByMargin, then.margin),
    damagedObjects: progress.damagedObjects - (then.isDamaged ? 1 : 0),
  };
  if (!now) return without;
  const { after: _, ...counted } = withObject(without, { ...now, storedBytes: 0 });
  return counted;
}

export const unseenObjects = ({ unseenByMargin }: Pick<ScrubProgress, 'unseenByMargin'>): number =>
  Object.values(unseenByMargin).reduce((sum, objects) => sum + objects, 0);

/** Of a whole set of shards that is too young to be claimed: a write may be under way. */
export const youngLine = ({ key, beganAtMilliseconds }: { key: string; beganAtMilliseconds: number }, sweepAfterHours: number): string =>
  `${key}: its shards are there, its manifests are not, and a write may be under way: not claimable before ${claimableAt(beganAtMilliseconds, sweepAfterHours)}`;

export const claimableAt = (beganAtMilliseconds: number, sweepAfterHours: number): string =>
  new Date(beganAtMilliseconds + sweepAfterHours * HOUR_MS).toISOString();

const HOUR_MS = 3_600_000;
const LINE_LENGTH = 1_500; // twenty of them are half of the 64 KiB of a payload

/** The first twenty, each cut. */
export const withLines = (before: readonly string[], lines: readonly string[]): string[] =>
  [...before, ...lines.map((line) => line.slice(0, LINE_LENGTH))].slice(0, LINES_SHOWN);

/** 0 to 1 by the last complete scrub; undefined where there was none. */
export function scrubShare({ state, storedBytes, previous }: ScrubProgress): number | undefined {
  if (state !== 'reading') return 1;
  return previous && previous.storedBytes > 0 ? Math.min(0.9999, storedBytes / previous.storedBytes) : undefined;
}

/** By the pace while it read. Undefined where nothing is known about it. */
export function scrubEtaSeconds(progress: ScrubProgress): number | undefined {
  const share = scrubShare(progress);
  if (progress.state !== 'reading' || share === undefined || share <= 0 || progress.activeMilliseconds === 0) return undefined;
  return (progress.activeMilliseconds / 1000 / share) * (1 - share);
}

/** In the order of danger, "4" last. */
export const marginRows = (byMargin: Readonly<Record<string, number>>): (readonly [number, number])[] =>
  Object.entries(byMargin)
    .map(([margin, objects]) => [Number(margin), objects] as const)
    .sort(([a], [b]) => a - b);

/** From an object without a shard to a whole one: with 14 data and 4 parity shards. */
const WORST_MARGIN = -14;
const BEST_MARGIN = 4;

export interface ObjectsAtMargin {
  readonly objectClass: ObjectClass;
  readonly margin: number;
  readonly objects: number;
}

/** Of the last scrub that was complete, every class and margin, 0 where there is nothing: a gauge that is not set keeps what it was. Empty where there was none. */
export function marginsToMeasure(progress: ScrubProgress): ObjectsAtMargin[] {
  const whole = lastComplete(progress)?.byClass;
  if (!whole) return [];
  const margins = Array.from({ length: BEST_MARGIN - WORST_MARGIN + 1 }, (_, index) => WORST_MARGIN + index);
  return objectClasses.flatMap((objectClass) => margins.map((margin) => ({ objectClass, margin, objects: whole[objectClass]?.[margin] ?? 0 })));
}
