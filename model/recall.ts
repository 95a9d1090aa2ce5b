/** A recall: archived output, or one path of it, brought back from the cold tier. What the workflow `recall` is asked for, what it shows and what it answers. */
import * as z from 'zod';
import { type ArchiveClass, RestoreTierSchema, typicalRestoreMs } from './archive.ts';
import { type AllocationKey, IdentifierSchema, TenantSchema } from './identifiers.ts';
import { LocationSchema } from './location.ts';
import type { FailedEntry, ManifestRef } from './manifest.ts';

const PATH_EXPECTED = 'a file or directory below the output: steps with "/" between them, without empty, "." or ".." steps; at most 900 characters';

export const RecallRequestSchema = z.strictObject({
  recallId: IdentifierSchema.describe('Names the recall'),
  tenant: TenantSchema.describe('Whose output it is'),
  project: IdentifierSchema.describe('Its project'),
  allocationId: IdentifierSchema.describe('The allocation that wrote it'),
  path: z.string().max(900).refine(isPath, PATH_EXPECTED).transform(opened).default('').describe('A file or a directory of the output; empty for all of it'),
  tier: RestoreTierSchema.default('standard').describe('How fast the store restores, at what price; DEEP_ARCHIVE has no expedited'),
  target: LocationSchema.refine(({ store }) => store !== 'cold', 'a place outside of the cold tier').describe('Where to'),
  replace: z.boolean().default(false).describe('Replace what lies there with other content; else such a file is a Conflict'),
  giveUpAfterHours: z.number().positive().max(2160).default(336).describe('When it fails with DeadlineExceeded; what has arrived stays'),
});
export type RecallInput = z.input<typeof RecallRequestSchema>;
export type RecallRequest = z.output<typeof RecallRequestSchema>;
export type RecallKey = AllocationKey & Pick<RecallRequest, 'recallId'>;

function isPath(text: string): boolean {
  const steps = text.replace(/\/$/, '').split('/');
  return text === '' || (!/\p{Cc}/u.test(text) && steps.every((step) => step !== '' && step !== '.' && step !== '..'));
}

function opened(path: string): string {
  return path.replace(/\/$/, '');
}

/** A directory's path names all that is below it. */
export const isWithin = (path: string, wanted: string): boolean => wanted === '' || path === wanted || path.startsWith(`${wanted}/`);

export const recallWorkflowId = ({ tenant, project, allocationId, recallId }: RecallKey): string => `recall/${tenant}/${project}/${allocationId}/${recallId}`;

/** What a look at the store found; all of the recall, not only what is new. */
export interface RecallRound {
  /** At the target, whole. */
  readonly files: number;
  readonly bytes: number;
  readonly failedCount: number;
  /** The first 20. */
  readonly failed: readonly FailedEntry[];
  /** Objects that the store is restoring. */
  readonly waitingObjects: number;
  /** Restores that were asked for now. */
  readonly asked: number;
  /** Objects, of those waited for, that the store would not begin to restore now: it has no capacity for the tier. */
  readonly notTaken: number;
}
export const noRound: RecallRound = { files: 0, bytes: 0, failedCount: 0, failed: [], waitingObjects: 0, asked: 0, notTaken: 0 };

/** What is to be recalled, found once. */
export interface OpenedRecall {
  readonly manifest: ManifestRef;
  /** Packs and single objects that hold it. */
  readonly objects: number;
  /** Absent where the output was not archived: nothing is waited for. */
  readonly storageClass?: ArchiveClass;
  readonly heartbeatSeconds: number;
  readonly eventsPerRun: number;
  readonly firstLookMs: number;
}

export interface RecallStatus extends RecallKey {
  readonly path: string;
  readonly tier: RecallRequest['tier'];
  readonly target: string;
  /** `looking` asks the store what is restored, and reads it; `waiting` until the next look; `failed` as Temporal's reason says. */
  readonly state: 'opening' | 'looking' | 'waiting' | 'complete' | 'partial' | 'failed' | 'cancelled';
  readonly startedAt: string;
  readonly files: number;
  readonly bytes: number;
  readonly doneFiles: number;
  readonly doneBytes: number;
  readonly objects: number;
  readonly waitingObjects: number;
  readonly notTaken: number;
  /** Restores asked for in all; more than the objects where a copy expired before it was read. */
  readonly asked: number;
  /** Absent while nothing is waited for. */
  readonly waiting?: { readonly since: string; readonly nextLookAt?: string; readonly expectedBy?: string };
  readonly failedCount: number;
  readonly failed: readonly FailedEntry[];
}

export interface RecallResult extends Omit<RecallRound, 'waitingObjects' | 'notTaken'> {
  readonly state: 'complete' | 'partial';
  readonly objects: number;
  /** The list of what was recalled; what arrived lies beside it. */
  readonly manifest: ManifestRef;
}

/** The longer end of what the store's documentation calls typical; undefined where nothing is said. */
export function expectedBy(askedAt: string, tier: RecallRequest['tier'], storageClass: ArchiveClass | undefined): string | undefined {
  const milliseconds = storageClass && typicalRestoreMs(storageClass, tier);
  return milliseconds === undefined ? undefined : new Date(Date.parse(askedAt) + milliseconds).toISOString();
}

/** One line of progress. */
export function recallLine({ state, doneFiles, files, waitingObjects, notTaken, objects, waiting }: RecallStatus): string {
  const done = `${doneFiles} of ${files} files there`;
  if (!waiting) return `${state}: ${done}`;
  const expected = waiting.expectedBy ? `, expected by ${waiting.expectedBy}` : '';
  const refused = notTaken > 0 ? `, ${notTaken} not begun, for the store has no capacity for this tier now` : '';
  return `${state}: ${done}, ${waitingObjects} of ${objects} objects being restored since ${waiting.since}${expected}${refused}`;
}
