/** Brings a drained checkpoint back from the erasure set to the hot tier, byte for byte, with up to four racks gone. */
import type { CheckpointActivities } from '../activities/checkpoint.ts';
import type { RestoreRequest } from '../model/checkpoint.ts';
import { DATA_QUEUE } from '../model/identifiers.ts';
import { activities } from './presets.ts';

export interface RestoreResult {
  /** Directory on the hot tier, below the tenant's bucket. */
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** Racks whose shards were missing or rotten; empty where all was well. */
  readonly degradedRacks: readonly string[];
  /** Racks that others were faster than; absent in restores of before 0.3. */
  readonly lateRacks?: readonly string[];
}

export async function restoreCheckpoint(request: RestoreRequest): Promise<RestoreResult> {
  return activities<CheckpointActivities>('bulk', {
    queue: DATA_QUEUE,
    summary: `restore ${request.file === undefined ? '' : `${request.file} of `}checkpoint ${request.checkpointId} of ${request.tenant}/${request.project}/${request.allocationId}`,
  }).restoreFromErasureSet(request);
}
