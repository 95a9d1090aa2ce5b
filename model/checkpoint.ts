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
  /** Where the copy beside the rack's is, of one that the node's writer committed; `global` is a degraded commit. Absent where the job wrote both itself. */
  readonly secondCopy?: 'ring' | 'global';
}

export interface CheckpointStatus {
  readonly checkpointId: string;
  /** superseded: a newer one was committed before its drain began, and its copies were dropped. */
  readonly state: 'reserved' | 'committed' | 'drained' | 'abandoned' | 'stuck' | 'superseded';
  readonly rackId: string;
  readonly nodeId: string;
  readonly bytes: number;
  readonly files: number;
  readonly reason?: string;
  /** From its commit on, ISO instant. */
  readonly committedAt?: string;
  /** Why it is kept for good, and not superseded; absent where it is not. */
  readonly keep?: string;
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
export const checkpointPrefix = (key: CheckpointKey): string => `${checkpointsPrefix(key)}${key.checkpointId}/`;
/** Of all checkpoints of an allocation. */
export const checkpointsPrefix = (key: AllocationKey): string => `${key.tenant}/${key.project}/${key.allocationId}/checkpoints/`;

/** Both the node's and the rack's copy of a checkpoint lie below this path of their store. */
export const checkpointDirectory = (key: AllocationKey, checkpointId: string): string => `${checkpointsDirectory(key)}/${checkpointId}`;
/** The checkpoints of an allocation, a directory each. */
export const checkpointsDirectory = (key: AllocationKey): string => `checkpoints/${key.tenant}/${key.project}/${key.allocationId}`;
/** The same below the hot tier's root, whose first directories are the tenants' buckets: where a restore puts a checkpoint, and a degraded commit its second copy. */
export const globalCheckpointDirectory = (key: CheckpointKey): string => checkpointPrefix(key).slice(0, -1);

/** As the ring names it. */
export const ringKey = (key: CheckpointKey): string => `${key.tenant}/${key.project}/${key.allocationId}/${key.checkpointId}`;
/** @throws TypeError where it was not made by {@link ringKey} */
export function parseRingKey(text: string): CheckpointKey {
  const [tenant, project, allocationId, checkpointId, ...rest] = text.split('/');
  if (!tenant || !project || !allocationId || !checkpointId || rest.length > 0) throw new TypeError(`${JSON.stringify(text)} is no key of a checkpoint`);
  return { tenant, project, allocationId, checkpointId };
}
/** A file on the node that says that its ring may let go of a checkpoint that was never drained. */
export const droppedMarker = (key: CheckpointKey): string => `dropped-checkpoints/${ringKey(key)}`;
/** The same of one whose copy in the erasure set was read back; holds the digest of its commit. Until the ring needs the room, it offers it all the same. */
export const drainedMarker = (key: CheckpointKey): string => `drained-checkpoints/${ringKey(key)}`;

/** The record written last: without it a checkpoint does not exist. */
export const COMMIT_RECORD = 'penstock-commit.json';
