/** Penstock's public API: what schedulers import. */
export type { AllocationInput, AllocationRequest } from '../model/allocation.ts';
export type { LeaseToken, RenewRequest, ReserveInput, Standing } from '../model/broker.ts';
export type { BrokerOverview } from '../model/broker-overview.ts';
export type { CheckInput, CheckResult, CheckStatus } from '../model/check.ts';
export type { CheckpointReservation, CommittedCheckpoint } from '../model/checkpoint.ts';
export type { AllocationKey } from '../model/identifiers.ts';
export { allocationWorkflowId } from '../model/identifiers.ts';
export type { StoreLimits } from '../model/limits.ts';
export type { Location } from '../model/location.ts';
export type { MountPlan } from '../model/mount-plan.ts';
export type { Readiness } from '../model/readiness.ts';
export type { ReplicateInput, ReplicationCounts } from '../model/replication.ts';
export type { CancelAnswer, FinishAnswer } from '../model/reports.ts';
export type { AllocationStatus } from '../model/status.ts';
export type { TransferInput, TransferResult, TransferStatus } from '../model/transfer-input.ts';
export { connectPenstock, type Penstock, type Submission } from './penstock.ts';
export { Refusal } from './refusal.ts';
export type { TransferRow } from './transfers.ts';
