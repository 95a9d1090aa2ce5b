/** Inputs and answers of the transfer activities: references and counts, never lists that grow with the number of files. */
import * as z from 'zod';
import type { ArchiveClass } from './archive.ts';
import type { Location } from './location.ts';
import type { FailedEntry, ManifestRef, Progress } from './manifest.ts';
import type { Lock } from './retention.ts';

/** Which limit a transfer runs under: staging may use only its share of the hot tier's write bandwidth. */
export type Lane = 'staging' | 'archive';

export interface TransferRequest {
  readonly manifest: ManifestRef;
  readonly source: Location;
  readonly target: Location;
  readonly lane: Lane;
  /** First manifest page still to move. */
  readonly fromPage: number;
  /** What earlier segments moved. */
  readonly done: { readonly files: number; readonly bytes: number };
  readonly retention?: Lock;
  /** The allocation to tell about progress; absent where nobody waits for it. */
  readonly report?: { readonly workflowId: string; readonly mountIndex: number };
}

export interface TransferAnswer {
  /** Undefined when every page has been moved. */
  readonly nextPage: number | undefined;
  readonly progress: Progress;
  readonly failedCount: number;
  /** The first 20 failures; the whole list lies beside the manifest. */
  readonly failed: readonly FailedEntry[];
}

/** What links are to a transfer from a file system; see drivers/file-store/port.ts. */
export type SymlinkPolicy = 'skip' | 'keep' | 'follow' | 'refuse';

/**
 * What is moved where, in as many units (model/transfer-plan.ts) as its manifest has. The same request goes to every unit and to the finish, so that any worker may do any of them.
 */
export interface MoveRequest {
  readonly manifest: ManifestRef;
  readonly source: Location;
  readonly target: Location;
  /** Staging shares the hot tier's write bandwidth; undefined for all other transfers. */
  readonly lane?: Lane;
  /** Different content under an entry's name is replaced; else it is that entry's Conflict. */
  readonly replace: boolean;
  /** Modes and extended attributes go along. */
  readonly attributes?: boolean;
  readonly symlinks?: SymlinkPolicy;
  readonly retention?: TransferRequest['retention'];
  /** New objects at the target are of this class, and small entries share packs. */
  readonly archive?: ArchiveClass;
  /** Whose limit (model/limits.ts) holds: of the transfer's rate, each of its lanes may use its part. Absent: only the stores' limits. */
  readonly limit?: { readonly transferId: string; readonly lanes: number };
  readonly report?: TransferRequest['report'];
  /** The workflow to signal with progress now and then; absent where nobody waits for it. */
  readonly progressTo?: string;
}
export interface UnitRequest extends MoveRequest {
  /** 0 to `manifest.units` - 1. */
  readonly unit: number;
}

export interface Counts {
  readonly files: number;
  readonly bytes: number;
}

/** What one unit moved; a share of a large entry counts its bytes, and as a file only in the finish. */
export interface UnitAnswer extends Counts {
  /** Of the bytes, those of shares: they stay only where their large entry is published. */
  readonly shareBytes?: number;
  readonly failedCount: number;
  /** The first 20 failures; the whole list lies beside the manifest. */
  readonly failed: readonly FailedEntry[];
}
export const nothingMoved: UnitAnswer = { files: 0, bytes: 0, failedCount: 0, failed: [] };

/** Failures that an answer shows; the whole list lies beside the manifest. */
export const FAILED_SHOWN = 20;

export const addAnswers = (one: UnitAnswer, other: UnitAnswer): UnitAnswer => ({
  files: one.files + other.files,
  bytes: one.bytes + other.bytes,
  ...(one.shareBytes === undefined && other.shareBytes === undefined ? {} : { shareBytes: (one.shareBytes ?? 0) + (other.shareBytes ?? 0) }),
  failedCount: one.failedCount + other.failedCount,
  failed: [...one.failed, ...other.failed].slice(0, FAILED_SHOWN),
});

/** The end of a move: large entries are published, and what arrived is recorded as a manifest of its own. */
export interface MoveAnswer extends UnitAnswer {
  /** Every entry that arrived, as it lies at the target, with its CRC32C: what `check` holds the target to. */
  readonly moved: ManifestRef;
}
export interface ListTransferRequest {
  /** Where the manifest lies among Penstock's own: "transfers/{id}" or "{tenant}/{project}/{allocationId}/{name}". */
  readonly name: string;
  readonly source: Location;
  /** Prefixes below the source that are left out. */
  readonly exclude: readonly string[];
  readonly symlinks?: SymlinkPolicy;
  /** Else a prefix without objects is NotFound. */
  readonly allowEmpty?: boolean;
  /** The target, for a dry run: what cannot be moved there is counted, as far as the listing knows it. */
  readonly foresee?: Location;
}
/** Entries of which the listing says already that they will not be moved. */
export interface Foreseen {
  readonly count: number;
  /** The first {@link FORESEEN_SHOWN}. */
  readonly first: readonly FailedEntry[];
}
export const FORESEEN_SHOWN = 5;
/** Nothing is foreseen where it was not asked for, or where an earlier attempt made the list. */
export type ListedTransfer = ManifestRef & { readonly foreseen?: Foreseen };
/** The answer of a unit under way, signalled to a transfer and carried by heartbeats. */
export interface UnitProgress {
  readonly unit: number;
  readonly doneFiles: number;
  readonly doneBytes: number;
  readonly bytesPerSecond: number;
}

/** What a mover knows to lie at the target under its final name. */
export interface LeftWhole extends Counts {
  /** An earlier attempt's files count when this one has come to them. */
  readonly isAtLeast: boolean;
}

/** What heartbeats of a mover carry beside that, and its failure where it is cancelled. */
export interface MoverDetails extends Omit<UnitProgress, 'bytesPerSecond'>, Counts {
  /** Absent while it is not known. */
  readonly bytesPerSecond?: number;
  readonly whole: LeftWhole;
  readonly mountIndex?: number;
}
const CancelledSchema = z.object({ whole: z.object({ files: z.number(), bytes: z.number(), isAtLeast: z.boolean() }) });

/** What a mover that was cancelled leaves whole at the target; undefined where it did not get to say so. */
export function wholeOf(details: readonly unknown[] | undefined): LeftWhole | undefined {
  return CancelledSchema.safeParse(details?.[0]).data?.whole;
}

/** Of a move that does not go on: large entries, of which some were published with their last share. */
export interface AbandonAnswer {
  /** Entries whose unfinished upload or file was ended. */
  readonly ended: number;
  /** Entries of which something unfinished may be left, for a store would not end it. */
  readonly left: number;
  readonly published: Counts;
}

export interface SurveyedMount {
  readonly mountIndex: number;
  readonly source: Location;
  readonly target: Location;
  readonly manifest: ManifestRef;
  /** Bytes below the target already, perhaps of another version: for the reservation, not for readiness. */
  readonly hotBytes: number;
}

export interface Survey {
  /** S3 mounts with tier_hint hot. */
  readonly mounts: readonly SurveyedMount[];
  /** Paths of the hot tier of which some files are only at its remote origin. */
  readonly recalls: readonly { readonly mountIndex: number; readonly path: string; readonly files: number; readonly bytes: number }[];
}

export interface VerifyAnswer {
  readonly files: number;
  readonly bytes: number;
}
