/** The scheduler's contract: the allocation workflow's input and the arguments of its updates. JSON Schemas come from here. */
import * as z from 'zod';
import { CheckpointTermsSchema } from './checkpoint-retention.ts';
import { DataDeclarationSchema } from './data-declaration.ts';
import { IdentifierSchema, TenantSchema, UserSchema } from './identifiers.ts';
import { BytesSchema } from './quantity.ts';
import { LockModeSchema } from './retention-policy.ts';

const InstantSchema = z.iso.datetime({ offset: true, message: 'an instant such as "2026-11-21T08:00:00Z"' });
const SecondsSchema = z
  .int()
  .positive()
  .max(366 * 86_400);

/** Retention of the archived output: nobody can delete or shorten it before `retainUntil`. */
export const RetentionSchema = z.strictObject({
  mode: LockModeSchema.optional().describe("COMPLIANCE: nobody can free it. The site's where absent, and never weaker than that"),
  retainUntil: InstantSchema.describe('An absolute instant, for "7 years" means different things to different people'),
});

export const AllocationRequestSchema = z.strictObject({
  tenant: TenantSchema.describe('Who pays and owns the data; also the name of its bucket in each store'),
  project: IdentifierSchema.describe("The tenant's project"),
  allocationId: IdentifierSchema.describe('Unique within the project; submitting it twice attaches to the first'),
  user: UserSchema.describe('Whose home directory is mounted'),
  data: DataDeclarationSchema.prefault({}).describe('What the job reads and writes; where absent, it gets its home, an output and a checkpoint prefix'),
  checkpoint: z.enum(['enabled', 'none']).default('enabled').describe('none: the job takes no checkpoints, and no prefix is made for them'),
  checkpoints: CheckpointTermsSchema.optional().describe("Which of its checkpoints stay, within what the site allows; the site's own terms where absent"),
  expectedStart: InstantSchema.optional().describe('When the scheduler expects to start the job; staged data stays pinned until then'),
  walltimeSeconds: SecondsSchema.default(86_400).describe("The job's time limit; QoS and exports expire after it even if the scheduler is gone"),
  requiredFeatures: z
    .array(z.string().max(64))
    .max(16)
    .default([])
    .describe('Node features the job needs, such as "nvme_scratch"; nodes without them are refused'),
  sensitivity: z.literal('standard').default('standard').describe('How the data must be handled'),
  retention: RetentionSchema.optional().describe("The archived output's retention; the site's default where absent"),
});

export const AssignNodesSchema = z.strictObject({
  nodes: z
    .array(
      z.strictObject({
        nodeId: IdentifierSchema.describe("The node's id in the site file"),
        rackId: IdentifierSchema.describe('The rack it stands in'),
        features: z.array(z.string().max(64)).max(16).default([]).describe('Such as "nvme_scratch"'),
      }),
    )
    .min(1)
    .max(128)
    .describe('The nodes given to the job, with the features their agents reported, such as "nvme_scratch"'),
});

export const ReserveCheckpointSchema = z.strictObject({
  checkpointId: IdentifierSchema.describe('New for each checkpoint'),
  bytes: BytesSchema.describe('Upper bound of what will be written'),
  nodeId: IdentifierSchema.optional().describe('The node that writes it; the first assigned node where absent'),
  keep: z.boolean().optional().describe('true: it stays when others go after the end of the allocation, and no newer one supersedes it'),
});
export const CommitCheckpointSchema = z.strictObject({ checkpointId: IdentifierSchema.describe('The id it was reserved under') });
export const FinishSchema = z.strictObject({
  outcome: z.enum(['succeeded', 'failed']).describe('How the job ended; only the output of one that succeeded is archived'),
  exitCode: z.int().optional().describe("The job's exit code, for the record"),
});
export const CancelSchema = z.strictObject({
  mode: z.enum(['drain', 'abandon']).describe('drain: keep and finish moving what exists; abandon: drop what is not yet safe'),
  reason: z.string().min(1).max(256).describe('For those who ask later'),
});
export const RescheduleSchema = z.strictObject({ expectedStart: InstantSchema.describe('Staged data stays pinned until then') });
export const ExtendRetentionSchema = z.strictObject({ retainUntil: InstantSchema.describe('Not earlier than what was promised before') });

/** What a client may send; sizes may be text. */
export type AllocationInput = z.input<typeof AllocationRequestSchema>;
/** The parsed input: sizes are bytes, defaults are filled in. */
export type AllocationRequest = z.output<typeof AllocationRequestSchema>;
export type AssignNodes = z.output<typeof AssignNodesSchema>;
export type AssignedNode = AssignNodes['nodes'][number];
export type ReserveCheckpoint = z.output<typeof ReserveCheckpointSchema>;
export type CommitCheckpoint = z.output<typeof CommitCheckpointSchema>;
export type Finish = z.output<typeof FinishSchema>;
export type Cancel = z.output<typeof CancelSchema>;
export type Reschedule = z.output<typeof RescheduleSchema>;
export type ExtendRetention = z.output<typeof ExtendRetentionSchema>;
export type Retention = z.output<typeof RetentionSchema>;
