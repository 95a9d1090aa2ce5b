/** What an archive class of a cold store is: its retrieval tiers, how long they typically take, and how often a restore is looked at. */
import * as z from 'zod';

export const ArchiveClassSchema = z.enum(['GLACIER', 'DEEP_ARCHIVE']);
export type ArchiveClass = z.output<typeof ArchiveClassSchema>;

export const RestoreTierSchema = z.enum(['expedited', 'standard', 'bulk']);
export type RestoreTier = z.output<typeof RestoreTierSchema>;

/** How the cold store archives; where absent, what lies there is read as from any other store. */
export const ArchiveSchema = z.strictObject({
  storageClass: ArchiveClassSchema.describe('Storage class of archived output: what is read of it is restored first'),
  firstLookSeconds: z.number().positive().optional().describe('When a recall looks for the first time whether a restore is done; a minute where absent'),
  restoreDays: z.int().min(1).max(365).default(3).describe('How long a restored copy stays readable; a recall that is not done by then asks again'),
});
export type Archive = z.output<typeof ArchiveSchema>;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The longer end of what S3's RestoreObject documentation calls typical. A tier that a class does not have is absent. */
const TYPICAL_MS: Readonly<Record<ArchiveClass, Readonly<Partial<Record<RestoreTier, number>>>>> = {
  GLACIER: { expedited: 5 * MINUTE_MS, standard: 5 * HOUR_MS, bulk: 12 * HOUR_MS },
  DEEP_ARCHIVE: { standard: 12 * HOUR_MS, bulk: 48 * HOUR_MS },
};

/** Undefined where the class has no such tier. */
export const typicalRestoreMs = (storageClass: ArchiveClass, tier: RestoreTier): number | undefined => TYPICAL_MS[storageClass][tier];

export const tiersOf = (storageClass: ArchiveClass): RestoreTier[] => RestoreTierSchema.options.filter((tier) => TYPICAL_MS[storageClass][tier] !== undefined);

/** The first look; a test's site may be asked sooner. */
export const FIRST_LOOK_MS = MINUTE_MS;
const LATEST_LOOK_MS = 30 * MINUTE_MS;

/**
 * When to look again: after a quarter of the time waited so far, so that nobody waits longer than that for what is back. 48 hours are some 115 looks: 16 in the first two
 * hours, then two an hour.
 */
export const nextLookMs = (waitedMs: number, firstLookMs = FIRST_LOOK_MS): number => Math.min(LATEST_LOOK_MS, Math.max(firstLookMs, Math.ceil(waitedMs / 4)));
