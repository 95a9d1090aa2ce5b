/** A checkpoint: reserved, written twice in the rack, committed (acknowledged), drained to the erasure set. */
import type { AllocationKey } from './identifiers.ts';

export interface CheckpointReservation {
  readonly checkpointId: string;
  /** Where the job writes the first copy, on the node. */
  readonly localPath: string;
  /** Where the job writes the second copy, in the rack. */
  readonly rackPath: string;
  /** Where the checkpoint will be found once drained. */
  readonly uri: string;
  readonly rackId: string;
  readonly nodeId: string;
  /** Unused reservations end at this ISO instant. */
  readonly expiresAt: string;
}

export interface CommittedCheckpoint {
  readonly checkpointId: string;
  readonly files: number;
  readonly bytes: number;
  /** Hex SHA-256 over the sorted list of (path, bytes, CRC32C). Both copies have this digest. */
  readonly digest: string;
  readonly committedAt: string;
}

export interface CheckpointStatus {
  readonly checkpointId: string;
  readonly state: 'reserved' | 'committed' | 'drained' | 'abandoned' | 'stuck';
  readonly rackId: string;
  readonly nodeId: string;
  readonly bytes: number;
  readonly files: number;
  readonly reason?: string;
}

export interface CheckpointKey extends AllocationKey {
  readonly checkpointId: string;
}
export interface RestoreRequest extends CheckpointKey {
  /** Only this one, by its path within the checkpoint; all where absent. */
  readonly file?: string;
}

export const drainWorkflowId = (key: CheckpointKey): string => `drain/${key.tenant}/${key.project}/${key.allocationId}/${key.checkpointId}`;

/** Key prefix of a checkpoint in the erasure set; ends with `/`. */
export const checkpointPrefix = (key: CheckpointKey): string => `${key.tenant}/${key.project}/${key.allocationId}/checkpoints/${key.checkpointId}/`;

/** The record written last: without it a checkpoint does not exist. */
export const COMMIT_RECORD = 'penstock-commit.json';
