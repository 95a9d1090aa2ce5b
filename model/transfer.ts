/** Inputs and answers of the transfer activities: references and counts, never lists that grow with the number of files. */
import type { Location } from './location.ts';
import type { FailedEntry, ManifestRef, Progress } from './manifest.ts';

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
  readonly retention?: { readonly mode: 'COMPLIANCE'; readonly retainUntil: string };
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
