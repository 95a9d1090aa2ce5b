import type { AllocationKey } from './identifiers.ts';

export interface RetentionStatus {
  readonly location: string;
  /** ISO instant before which the store lets nobody delete. */
  readonly retainUntil: string;
  readonly attestations: number;
  readonly lastAttestedAt?: string;
  /** What the last attestation found missing or less locked than promised. */
  readonly breach?: string;
}

export const retentionWorkflowId = (key: AllocationKey): string => `retention/${key.tenant}/${key.project}/${key.allocationId}`;
