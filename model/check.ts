/** What a check is asked for and what it answers: the workflow `check`, which holds a target to a manifest. */
import * as z from 'zod';
import { PenstockError } from './errors.ts';
import { IdentifierSchema } from './identifiers.ts';
import { formatLocation, type Location, LocationSchema } from './location.ts';
import type { ManifestRef } from './manifest.ts';
import { formatSeconds } from './quantity.ts';
import { MAX_LANES } from './transfer-input.ts';

export const CheckRequestSchema = z.strictObject({
  checkId: IdentifierSchema.describe('Names the check; the list of what it found lies under it'),
  manifest: LocationSchema.describe('Where the manifest lies whose entries the target must hold: the "moved" of a transfer has checksums for all'),
  target: LocationSchema.describe('What is checked'),
  read: z
    .enum(['where-needed', 'always'])
    .default('where-needed')
    .describe('where-needed believes a checksum that the store has on record; always reads every byte, and so finds what rotted'),
  extra: z.boolean().default(false).describe('Also name what lies at the target and is not in the manifest'),
  lanes: z.int().min(1).max(MAX_LANES).default(4).describe('Parts of the manifest at once'),
});
export type CheckInput = z.input<typeof CheckRequestSchema>;
export type CheckRequest = z.output<typeof CheckRequestSchema>;

export const checkWorkflowId = (checkId: string): string => `check/${checkId}`;

/** As `rclone check --combined` marks them. `sameSize`: the manifest has no checksum, size alone was compared. */
export const checkSymbols = { same: '=', sameSize: '=', missing: '+', extra: '-', differing: '*', unreadable: '!' } as const;
export type CheckKind = keyof typeof checkSymbols;
export const checkKinds = ['same', 'sameSize', 'missing', 'extra', 'differing', 'unreadable'] as const satisfies readonly CheckKind[];
export type CheckCounts = Readonly<Record<CheckKind, number>>;
const CountSchema = z.int().nonnegative();
export const CheckCountsSchema = z.strictObject({
  same: CountSchema,
  sameSize: CountSchema,
  missing: CountSchema,
  extra: CountSchema,
  differing: CountSchema,
  unreadable: CountSchema,
} satisfies Record<CheckKind, typeof CountSchema>);

export const noCounts: CheckCounts = { same: 0, sameSize: 0, missing: 0, extra: 0, differing: 0, unreadable: 0 };

export const addCounts = (one: CheckCounts, other: CheckCounts): CheckCounts => ({
  same: one.same + other.same,
  sameSize: one.sameSize + other.sameSize,
  missing: one.missing + other.missing,
  extra: one.extra + other.extra,
  differing: one.differing + other.differing,
  unreadable: one.unreadable + other.unreadable,
});

/** Entries of the manifest that have been compared; what is extra is none of it. */
export const compared = ({ same, sameSize, missing, differing, unreadable }: CheckCounts): number => same + sameSize + missing + differing + unreadable;

export const differences = ({ missing, extra, differing, unreadable }: CheckCounts): number => missing + extra + differing + unreadable;

export interface CheckAnswer {
  readonly counts: CheckCounts;
  /** The first 20 that are not `=`, in path order within a part: the symbol, a space, the path; behind a tab what is wrong. */
  readonly lines: readonly string[];
}
/** The full list of what is not `=`, one line each, in the warm store. */
export interface CheckReport {
  readonly store: string;
  readonly bucket: string;
  readonly key: string;
}
export interface CheckResult extends CheckAnswer {
  readonly manifest: ManifestRef;
  /** Entries of the transfer that are not in its manifest of what arrived, so that none of them is looked at; absent where there are none, or nothing is known. */
  readonly notMoved?: number;
  /** Absent where all is the same. */
  readonly report?: CheckReport;
}
/** What the workflow itself answers while it runs, and afterwards. */
export interface CheckProgress extends CheckAnswer {
  /** Of the manifest; 0 before it is found. */
  readonly files: number;
  /** As written on the command line. */
  readonly target: string;
  /** ISO instant. */
  readonly startedAt: string;
  readonly notMoved?: number;
  readonly report?: CheckReport;
}
/** A line of the report. */
export interface CheckDifference {
  readonly symbol: string;
  /** Control characters as `\uXXXX`. */
  readonly path: string;
  readonly detail?: string;
}
export interface CheckStatus extends CheckProgress {
  readonly checkId: string;
  readonly state: 'checking' | 'complete' | 'cancelled' | 'failed';
  /** Entries of the manifest that have been compared, those of parts under way as they last told. */
  readonly done: number;
  /** Absent where nothing is known about the pace. */
  readonly etaSeconds?: number;
}

export const LINES_SHOWN = 20;

export const nothingChecked: CheckAnswer = { counts: noCounts, lines: [] };

export const addCheckAnswers = (one: CheckAnswer, other: CheckAnswer): CheckAnswer => ({
  counts: addCounts(one.counts, other.counts),
  lines: [...one.lines, ...other.lines].slice(0, LINES_SHOWN),
});

/** "120 of 201 entries, 0 differences, about 15 s to go". */
export function checkLine({ done, files, counts, etaSeconds }: Pick<CheckStatus, 'done' | 'files' | 'counts' | 'etaSeconds'>): string {
  return `${done} of ${files} entries, ${differences(counts)} differences${etaSeconds ? `, about ${formatSeconds(etaSeconds)} to go` : ''}`;
}

/** Before a source may go, each of its files must be the same at the target, by its checksum. Undefined where that is so. */
export function notWhole(
  { same, sameSize, missing, differing, unreadable }: Omit<CheckCounts, 'extra'>,
  files: number,
  target: Location,
  examples: readonly string[],
): PenstockError | undefined {
  if (same === files) return undefined;
  const unknown = sameSize > 0 ? `, ${unreadable} cannot be read and ${sameSize} have no checksum to compare` : ` and ${unreadable} cannot be read`;
  const shown = examples.length > 0 ? `, such as ${examples.slice(0, 3).join(', ')}` : '';
  return new PenstockError('CorruptSource', `${missing} of ${files} files are missing, ${differing} differ${unknown} in ${formatLocation(target)}${shown}.`, {
    nextStep: 'The source is kept; look at the store, then reset the workflow.',
  });
}

/** How a manifest is cut into parts for a check: whole pages, at most 1,024 parts, one page each where pages are heavy. */
const MAX_PARTS = 1024;
const PART_PAGES = 5;
const PART_BYTES = 64 * 2 ** 30;

export interface CheckPart {
  readonly fromPage: number;
  /** Behind the last one. */
  readonly toPage: number;
}

/** A function of the reference alone, so that the workflow needs no page. One empty part where there are no pages: the target may hold something. */
export function planCheck({ pages, bytes }: Pick<ManifestRef, 'pages' | 'bytes'>): CheckPart[] {
  if (pages === 0) return [{ fromPage: 0, toPage: 0 }];
  const light = Math.max(1, Math.min(PART_PAGES, Math.floor(PART_BYTES / Math.max(1, bytes / pages))));
  const each = Math.max(light, Math.ceil(pages / MAX_PARTS));
  return Array.from({ length: Math.ceil(pages / each) }, (_, part) => ({ fromPage: part * each, toPage: Math.min(pages, (part + 1) * each) }));
}
