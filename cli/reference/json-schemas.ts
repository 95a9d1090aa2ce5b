/** The scheduler's contract as JSON Schema: what may be sent, before sizes become bytes and defaults are filled in. */
import * as z from 'zod';
import {
  AllocationRequestSchema,
  AssignNodesSchema,
  CancelSchema,
  CommitCheckpointSchema,
  ExtendRetentionSchema,
  FinishSchema,
  RescheduleSchema,
  ReserveCheckpointSchema,
} from '../../model/allocation.ts';
import { ReleaseSchema, RenewSchema, ReserveSchema } from '../../model/broker.ts';
import { CheckRequestSchema } from '../../model/check.ts';
import { SetStoreLimitSchema } from '../../model/limits.ts';
import { RecallRequestSchema } from '../../model/recall.ts';
import { RepairRequestSchema } from '../../model/repair.ts';
import { ReplicateRequestSchema } from '../../model/replication.ts';
import { DisposeSchema, HoldOrderSchema } from '../../model/retention.ts';
import { RetentionReportSchema } from '../../model/retention-report.ts';
import { ScrubRequestSchema } from '../../model/scrub.ts';
import { SiteSchema } from '../../model/site.ts';
import { SetRateSchema, TransferRequestSchema } from '../../model/transfer-input.ts';
import type { GeneratedFile } from './generated-file.ts';

const contract = [
  {
    name: 'allocation',
    schema: AllocationRequestSchema,
    title: 'Allocation',
    description: 'Input of the workflow `allocation`, id `allocation/{tenant}/{project}/{allocationId}`, task queue `control`.',
  },
  { name: 'assign-nodes', schema: AssignNodesSchema, title: 'Assign nodes', description: 'Argument of the update `assignNodes`; it answers the mount plan.' },
  {
    name: 'reserve-checkpoint',
    schema: ReserveCheckpointSchema,
    title: 'Reserve a checkpoint',
    description: 'Argument of the update `reserveCheckpoint`; it answers where to write both copies.',
  },
  {
    name: 'commit-checkpoint',
    schema: CommitCheckpointSchema,
    title: 'Commit a checkpoint',
    description: 'Argument of the update `commitCheckpoint`; it answers when both copies are proven equal and durable.',
  },
  {
    name: 'finish',
    schema: FinishSchema,
    title: 'Finish',
    description: 'Argument of the update `finish`; it answers when the nodes may be given to another job.',
  },
  { name: 'cancel', schema: CancelSchema, title: 'Cancel', description: 'Argument of the update `cancel`; it answers what is kept and what is dropped.' },
  { name: 'reschedule', schema: RescheduleSchema, title: 'Reschedule', description: 'Argument of the update `reschedule`; it answers the readiness.' },
  {
    name: 'extend-retention',
    schema: ExtendRetentionSchema,
    title: 'Extend the retention',
    description: 'Argument of the update `extendRetention`; it answers the new end.',
  },
  {
    name: 'retention-hold',
    schema: HoldOrderSchema,
    title: 'Place or release a legal hold',
    description: 'Argument of the updates `placeHold` and `releaseHold` of the workflow `retain`, id `retention/{tenant}/{project}/{allocationId}`.',
  },
  {
    name: 'retention-dispose',
    schema: DisposeSchema,
    title: 'Dispose of what was retained',
    description: 'Argument of the update `disposeRetained` of the workflow `retain`, once its retention is over and the policy is to ask.',
  },
  {
    name: 'scrub',
    schema: ScrubRequestSchema,
    title: 'Scrub',
    description: 'Input of the workflow `scrub`, id `scrub`, task queue `control`. Updates: `setRate`, `pause`, `resume`.',
  },
  {
    name: 'repair',
    schema: RepairRequestSchema,
    title: 'Repair',
    description:
      'Input of the workflow `repair`, id `repair`, task queue `control`, and argument of its update `repairMore`. Updates: `setRate`, `pause`, `resume`.',
  },
  {
    name: 'transfer',
    schema: TransferRequestSchema,
    title: 'Transfer',
    description: 'Input of the workflow `transfer`, id `transfer/{transferId}` (`transfer-plan/{transferId}` with mode plan), task queue `control`.',
  },
  {
    name: 'recall',
    schema: RecallRequestSchema,
    title: 'Recall',
    description: 'Input of the workflow `recall`, id `recall/{tenant}/{project}/{allocationId}/{recallId}`, task queue `control`.',
  },
  {
    name: 'set-rate',
    schema: SetRateSchema,
    title: "Set a transfer's rate",
    description: 'Argument of the update `setRate` of a transfer; it answers the limit that holds then.',
  },
  {
    name: 'check',
    schema: CheckRequestSchema,
    title: 'Check',
    description: 'Input of the workflow `check`, id `check/{checkId}`, task queue `control`; it answers counts and the first differences.',
  },
  {
    name: 'replicate',
    schema: ReplicateRequestSchema,
    title: 'Replicate',
    description:
      'Input of the workflow `replicate`, id `replicate/{to}/{replicationId}`, task queue `control`; it answers counts and what could not be copied.',
  },
  {
    name: 'set-store-limit',
    schema: SetStoreLimitSchema,
    title: "Set a store's limit",
    description: 'Argument of the update `setStoreLimit` of the workflow `limits`, id `limits`; it answers all limits there are then.',
  },
  {
    name: 'reserve-bandwidth',
    schema: ReserveSchema,
    title: 'Reserve bandwidth',
    description:
      'Argument of the update `reserve` of the workflow `broker`, id `broker/{fabric}`, whose input is the name of the fabric, task queue `control`.',
  },
  {
    name: 'renew-bandwidth',
    schema: RenewSchema,
    title: 'Renew a lease of bandwidth',
    description: 'Argument of the update `renew` of the workflow `broker`; whoever waits asks by it, too.',
  },
  { name: 'release-bandwidth', schema: ReleaseSchema, title: 'Release bandwidth', description: 'Argument of the update `release` of the workflow `broker`.' },
  {
    name: 'retention-report',
    schema: RetentionReportSchema,
    title: 'Retention report',
    description: 'What `penstock retention report --json` prints: what is retained, until when and why, and what was found of it.',
  },
  { name: 'site', schema: SiteSchema, title: 'Site', description: 'A site file; docs/configuration.md explains every field.' },
] as const;

/** In the schemas' own order, so that a change of one field is a change of one line. */
export function jsonSchemaFiles(): GeneratedFile[] {
  return contract.map(({ name, schema, title, description }) => {
    const file = `${name}.schema.json`;
    const { $schema, ...body } = z.toJSONSchema(schema, { io: 'input' });
    return { path: `schemas/${file}`, content: `${JSON.stringify({ $schema, $id: file, title, description, ...body }, undefined, 2)}\n` };
  });
}
