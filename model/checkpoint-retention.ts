/**
 * Which drained checkpoints stay and which go: the last ones, every so many-th, what is held; the rest some days after the allocation has ended. Pure.
 * The activities that remove, `penstock checkpoint plan` and the tests ask the same function.
 */
import * as z from 'zod';
import type { CheckpointKey } from './checkpoint.ts';
import type { AllocationKey } from './identifiers.ts';
import type { InputIssue } from './issues.ts';

const DAY_MS = 86_400_000;
/** About a second: less would have the workflow ask again and again while an allocation of the same name runs. */
const LEAST_KEEP_DAYS = 0.00001;

const KeepLastSchema = z.int().min(1).max(1000);
const KeepEverySchema = z.int().min(2).max(100_000);
const KeepDaysSchema = z.number().min(LEAST_KEEP_DAYS).max(36_525);

/** What an allocation asks for in place of the site's own terms. */
export const CheckpointTermsSchema = z.strictObject({
  keepLast: KeepLastSchema.optional().describe('So many of the newest whole ones stay'),
  keepEvery: KeepEverySchema.optional().describe('Every so many-th that it commits stays, too'),
  keepDays: KeepDaysSchema.optional().describe('So long after its end all of them stay'),
});
export type CheckpointTerms = z.output<typeof CheckpointTermsSchema>;

const rangeOf = (bound: z.ZodNumber, example: string) =>
  z
    .tuple([bound, bound])
    .refine(([least, most]) => least <= most, 'the least, then the most')
    .optional()
    .describe(`The least and the most, such as ${example}`);
const OverridesSchema = z
  .strictObject({ keepLast: rangeOf(KeepLastSchema, '[1, 10]'), keepEvery: rangeOf(KeepEverySchema, '[2, 100]'), keepDays: rangeOf(KeepDaysSchema, '[1, 30]') })
  .prefault({})
  .describe('What an allocation may ask for in place of them; what is not named here it may not change');

/** Part of `checkpoints` in the site file. */
export const checkpointRetentionFields = {
  keepLast: KeepLastSchema.default(2).describe('So many of the newest drained checkpoints of an allocation stay, whole ones'),
  keepEvery: KeepEverySchema.optional().describe(
    'Every so many-th checkpoint that an allocation commits stays, too, and is never superseded; none where absent',
  ),
  keepDays: KeepDaysSchema.default(7).describe('So long after the end of the allocation all of them stay; then the others go'),
  overrides: OverridesSchema,
  supersede: z
    .enum(['never', 'undrained'])
    .default('never')
    .describe('undrained: one whose drain has not begun is dropped as soon as its node has committed a newer one; never: each is drained'),
};
const CheckpointRetentionSchema = z.strictObject(checkpointRetentionFields);
export type CheckpointRetention = z.output<typeof CheckpointRetentionSchema>;

/** What of an allocation's terms the site does not allow. */
export function refusedTerms(terms: CheckpointTerms, { overrides }: Pick<CheckpointRetention, 'overrides'>): InputIssue[] {
  return (['keepLast', 'keepEvery', 'keepDays'] as const).flatMap((name) => {
    const [wanted, range] = [terms[name], overrides[name]];
    if (wanted === undefined || (range && wanted >= range[0] && wanted <= range[1])) return [];
    const expected = range ? `from ${range[0]} to ${range[1]}` : "none of its own: the site's holds";
    return [{ path: `checkpoints.${name}`, found: String(wanted), expected: `${expected} (checkpoints.overrides of the site file)` }];
  });
}

export interface DrainedCheckpoint {
  readonly checkpointId: string;
  /** ISO instant. */
  readonly committedAt: string;
  readonly bytes: number;
  /** It can be restored. Asked of the newest, until `keepLast` of them are. */
  readonly isWhole: boolean;
  /** Why it stays for good: it was named to be kept, or is one of every so many. */
  readonly keep?: string | undefined;
  /** The store lets nobody remove it. */
  readonly hold?: { readonly onLegalHold: boolean; readonly until?: string } | undefined;
}
/** What becomes of one, and why. */
export type Disposition =
  | { readonly kind: 'stays'; readonly why: string }
  /** It would go. `until`: ISO instant; absent where a legal hold keeps it, which has no end that is known. */
  | { readonly kind: 'held'; readonly until?: string; readonly why: string }
  /** `at`: ISO instant; absent while the allocation runs, for nobody knows when it will end. */
  | { readonly kind: 'goes'; readonly at?: string; readonly why: string };
export type PlannedCheckpoint = DrainedCheckpoint & { readonly disposition: Disposition };

export type RetentionTerms = Pick<CheckpointRetention, 'keepLast' | 'keepDays'>;

/**
 * The newest first. What goes, goes with `keepLast` newer whole ones still there, so that the only one that can be restored never does; and again asked when
 * some have gone, it says the same of those that are left.
 * @param endedAt ISO instant at which the allocation ended; undefined while it runs
 */
export function planRetention(checkpoints: readonly DrainedCheckpoint[], policy: RetentionTerms, endedAt?: string): PlannedCheckpoint[] {
  const at = endedAt === undefined ? undefined : retentionEndsAt(endedAt, policy);
  let newerWhole = 0;
  return newestFirst(checkpoints).map((checkpoint, newer) => {
    const disposition = newer === 0 ? { kind: 'stays' as const, why: 'the newest' } : dispositionOf(checkpoint, newerWhole, policy, at);
    if (checkpoint.isWhole) newerWhole += 1;
    return { ...checkpoint, disposition };
  });
}

function dispositionOf({ keep, hold }: DrainedCheckpoint, newerWhole: number, { keepLast, keepDays }: RetentionTerms, at: string | undefined): Disposition {
  if (newerWhole < keepLast) return { kind: 'stays', why: newerWhole === 0 ? 'none of the newer ones can be restored' : `one of the last ${keepLast}` };
  if (keep !== undefined) return { kind: 'stays', why: keep };
  if (hold)
    return { kind: 'held', ...(hold.until === undefined ? {} : { until: hold.until }), why: hold.onLegalHold ? 'a legal hold' : "the store's retention" };
  const why = `there are ${newerWhole} newer ones, checkpoints.keepLast is ${keepLast}`;
  return at === undefined ? { kind: 'goes', why: `${why}, and keepDays ${keepDays} from the end of the allocation` } : { kind: 'goes', at, why };
}

/** Of two that were committed at one instant the order is the same wherever it is asked. */
export const newestFirst = <T extends Pick<DrainedCheckpoint, 'committedAt' | 'checkpointId'>>(checkpoints: readonly T[]): T[] =>
  checkpoints.toSorted((a, b) => Date.parse(b.committedAt) - Date.parse(a.committedAt) || (a.checkpointId < b.checkpointId ? 1 : -1));

export const retentionEndsAt = (endedAt: string, { keepDays }: Pick<CheckpointRetention, 'keepDays'>): string =>
  new Date(Date.parse(endedAt) + keepDays * DAY_MS).toISOString();

/** Why the so many-th checkpoint that an allocation commits is kept; undefined where it is not one of those. */
export const keptAsNumber = (number: number, { keepEvery }: Pick<CheckpointRetention, 'keepEvery'>): string | undefined =>
  keepEvery !== undefined && number % keepEvery === 0 ? `number ${number}, checkpoints.keepEvery is ${keepEvery}` : undefined;

/** In the system's bucket: a record of each that is kept for good, written before it is drained. */
export const keptRecordKey = (key: CheckpointKey): string => `kept-checkpoints/${key.tenant}/${key.project}/${key.allocationId}/${key.checkpointId}.json`;
export const KeptRecordSchema = z.strictObject({ why: z.string() });
/** In the system's bucket: a note of each that is being removed, which outlives whoever removes it. Of a checkpoint without a record nothing else would tell what is left. */
export const goingRecordKey = (key: CheckpointKey): string => `${goingRecords(key)}${key.checkpointId}.json`;
export const goingRecords = (key: AllocationKey): string => `going-checkpoints/${key.tenant}/${key.project}/${key.allocationId}/`;
/** `committedAt` as its record has it: the id may be used again. */
export const GoingRecordSchema = z.strictObject({ committedAt: z.string() });

/** In the system's bucket: the terms of the allocation of this name that was admitted last, where it asked for any. */
export const termsRecordKey = (key: AllocationKey): string => `checkpoint-terms/${key.tenant}/${key.project}/${key.allocationId}.json`;

export const checkpointRetentionWorkflowId = (key: AllocationKey): string => `checkpoint-retention/${key.tenant}/${key.project}/${key.allocationId}`;

/** What one look at an ended allocation's checkpoints did. */
export interface RetentionLook {
  readonly stay: number;
  readonly removed: number;
  readonly removedBytes: number;
  /** Would go, and the store holds them. */
  readonly held: number;
  /** ISO instant; absent where nothing is left to go. */
  readonly nextLookAt?: string;
}
