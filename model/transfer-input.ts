/** What an ad hoc transfer is asked for, and what it answers: the input and updates of the workflow `transfer`. */
import * as z from 'zod';
import { IdentifierSchema, TenantSchema } from './identifiers.ts';
import { LocationSchema, overlaps, SYSTEM_BUCKET } from './location.ts';
import type { FailedEntry, ManifestRef } from './manifest.ts';
import { BANDWIDTH_EXPECTED, BandwidthSchema } from './quantity.ts';
import type { Reason } from './readiness.ts';
import type { Foreseen } from './transfer.ts';

export const MAX_LANES = 32;
const MAX_EXCLUDES = 100;
const MAX_EXCLUDE_LENGTH = 500; // 100 of them are less than the 64 KiB of a payload

export const TransferRequestSchema = z
  .strictObject({
    transferId: IdentifierSchema.describe('Names the transfer; started again under the same name it attaches'),
    source: LocationSchema.describe('What is moved'),
    target: LocationSchema.describe('Where it goes; what lies there besides stays'),
    exclude: z
      .array(z.string().min(1).max(MAX_EXCLUDE_LENGTH))
      .max(MAX_EXCLUDES)
      .default([])
      .describe('Prefixes below the source that are left out, such as "tmp/"'),
    replace: z.boolean().default(false).describe('Replace what lies at the target with other content; else it is a failed entry, Conflict'),
    attributes: z
      .boolean()
      .default(true)
      .describe(
        'Permission bits and extended attributes go along, wherever both ends can keep them; an object store keeps them as metadata. From objects to objects: content type and the like, and user metadata',
      ),
    symlinks: z
      .enum(['skip', 'keep', 'follow', 'refuse'])
      .default('keep')
      .describe('What symbolic links of a directory tree are: left out, moved as links, moved as what they lead to, or failed entries'),
    // No default: it would make another request of every one that was submitted before it was there.
    allowEmpty: z
      .boolean()
      .optional()
      .describe('An object prefix without objects is a source like an empty directory; else it is taken for a mistyped one, NotFound'),
    bytesPerSecond: BandwidthSchema.optional().describe('Limit of the whole transfer, to begin with; 0 stops it until it is raised. None where absent'),
    lanes: z.int().min(1).max(MAX_LANES).default(4).describe('Units of work at once, for its whole life'),
    tenant: TenantSchema.optional().describe('Whose work it is: a search attribute, and its share of the workers'),
    mode: z.enum(['move', 'plan']).default('move').describe('plan: lists and plans by the planner of the real transfer, and moves nothing'),
  })
  .superRefine(({ source, target }, context) => {
    if (overlaps(source, target)) {
      context.addIssue({ code: 'custom', path: ['target'], input: target, message: 'a place that neither is nor holds the source, nor lies in it' });
    }
    for (const [end, { bucket }] of Object.entries({ source, target })) {
      if (bucket !== SYSTEM_BUCKET) continue;
      context.addIssue({
        code: 'custom',
        path: [end, 'bucket'],
        input: bucket,
        message: `another bucket: ${SYSTEM_BUCKET} holds Penstock's own records, of all tenants`,
      });
    }
  });

export type TransferInput = z.input<typeof TransferRequestSchema>;
export type AdHocTransfer = z.output<typeof TransferRequestSchema>;

/** Null is no limit. */
export const RateSchema = z.union([BandwidthSchema, z.null()], `${BANDWIDTH_EXPECTED}; 0 to stop, null for no limit`);

export const SetRateSchema = z.strictObject({
  bytesPerSecond: RateSchema.describe('For the whole transfer; 0 stops it until it is raised, null takes the limit away'),
});
export interface RateAnswer {
  readonly bytesPerSecond: number | null;
}

/** The same for every client: starting twice attaches to the first. Planning is a run of its own. */
export const transferWorkflowId = ({ transferId, mode = 'move' }: { transferId: string; mode?: AdHocTransfer['mode'] | undefined }): string =>
  mode === 'plan' ? `transfer-plan/${transferId}` : `transfer/${transferId}`;

export function parseTransferWorkflowId(workflowId: string): string | undefined {
  const [kind, transferId, ...rest] = workflowId.split('/');
  return kind === 'transfer' && transferId && rest.length === 0 ? transferId : undefined;
}

/** The last five are ends; `partial`: everything was tried, and some entries could not be moved. */
export const transferStates = ['checking', 'listing', 'moving', 'finishing', 'planned', 'complete', 'partial', 'cancelled', 'failed'] as const;
export type TransferState = (typeof transferStates)[number];

export const isTransferEnd = (state: TransferState): boolean => transferStates.indexOf(state) >= transferStates.indexOf('planned');

export interface TransferStatus {
  readonly workflowId: string;
  readonly transferId: string;
  readonly state: TransferState;
  /** As written on the command line. */
  readonly source: string;
  readonly target: string;
  /** Of the source as it was listed; 0 before. */
  readonly files: number;
  readonly bytes: number;
  /** Shares of large files count as bytes at once, and as a file when it is whole. */
  readonly doneFiles: number;
  readonly doneBytes: number;
  /** Of these, what units have moved that are done: beside it comes what those under way have. */
  readonly settledFiles: number;
  readonly settledBytes: number;
  /** Recent rate; 0 where nothing moves. */
  readonly bytesPerSecond: number;
  /** Absent where nothing is known about the rate. */
  readonly etaSeconds?: number;
  /** ISO instant at which movers were last heard of; absent while none has told a rate, and where nothing moves. */
  readonly heardAt?: string;
  /** Seconds since then, where it is longer than two of their heartbeats. Only the client knows; the query does not. */
  readonly quietSeconds?: number;
  readonly units: number;
  readonly doneUnits: number;
  /** At most so many units at once. */
  readonly lanes: number;
  /** The transfer's own limit; null where it has none. Those of its stores come on top. */
  readonly limit: number | null;
  readonly failedCount: number;
  /** The first 20; all of them lie beside the manifest, at `failed/`. */
  readonly failed: readonly FailedEntry[];
  /** ISO instants. */
  readonly startedAt: string;
  readonly endedAt?: string;
  /** Why it failed or was cancelled. */
  readonly reason?: Reason;
  readonly manifest?: ManifestRef;
  /** What arrived, as it lies at the target: what `check` holds the target to. */
  readonly moved?: ManifestRef;
}

/** `partial` is an answer, not a failure of the workflow: what could be moved has been. */
export interface TransferResult {
  readonly state: 'complete' | 'partial' | 'planned';
  readonly files: number;
  readonly bytes: number;
  readonly units: number;
  readonly lanes: number;
  readonly failedCount: number;
  readonly failed: readonly FailedEntry[];
  readonly manifest: ManifestRef;
  /** Of a plan: what the listing knows already not to be movable; absent where that is not known. */
  readonly foreseen?: Foreseen;
  /** Absent where it was only planned. */
  readonly moved?: ManifestRef;
}
