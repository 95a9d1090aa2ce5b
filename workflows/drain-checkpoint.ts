/**
 * Drains one committed checkpoint from its rack to the erasure set. Outlives the job and its allocation: whatever happens
 * to them, an acknowledged checkpoint is finished here. Only an explicit cancellation (abandon) drops it.
 */
import { ApplicationFailure, CancellationScope, getExternalWorkflowHandle, isCancellation } from '@temporalio/workflow';
import type { CheckpointActivities } from '../activities/checkpoint.ts';
import type { CheckpointKey } from '../model/checkpoint.ts';
import { rackQueue } from '../model/identifiers.ts';
import { signalNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import type { DrainReport } from '../model/reports.ts';
import { messageOf } from './failures.ts';
import { activities } from './presets.ts';

export interface DrainRequest extends CheckpointKey {
  readonly rackId: string;
  readonly nodeId: string;
  readonly bytes: number;
  /** The allocation to tell; it may be over by then. */
  readonly allocation: string;
  readonly heartbeatSeconds: number;
}

export async function drainCheckpoint(request: DrainRequest): Promise<DrainReport> {
  const rack = (summary: string) =>
    activities<CheckpointActivities>('bulk', { queue: rackQueue(request.rackId), heartbeatSeconds: request.heartbeatSeconds, summary });
  const size = `checkpoint ${request.checkpointId}, ${formatBytes(request.bytes)}`;
  let report: DrainReport;
  try {
    await rack(`drain ${size}, rack ${request.rackId} -> erasure set 14+4`).drainToErasureSet(request);
    await rack(`read back every shard of ${size}`).verifyDrained(request);
    await rack(`release the in-rack copy of ${size}`).releaseRackCopy(request);
    report = { checkpointId: request.checkpointId, state: 'drained' };
  } catch (error) {
    report = await CancellationScope.nonCancellable(() => giveUp(request, error));
  }
  await CancellationScope.nonCancellable(() => tell(request, report));
  return report;
}

/** Abandoned: shards and copies go. Failed for good: everything stays for a person to look at. */
async function giveUp(request: DrainRequest, error: unknown): Promise<DrainReport> {
  if (!isCancellation(error)) {
    const message = messageOf(error);
    await tell(request, { checkpointId: request.checkpointId, state: 'stuck', reason: message });
    throw ApplicationFailure.nonRetryable(`${message} The in-rack copy is kept; mend the cause, then reset this workflow.`, 'DrainStuck');
  }
  await activities<CheckpointActivities>('bulk', {
    queue: rackQueue(request.rackId),
    heartbeatSeconds: request.heartbeatSeconds,
    summary: `drop checkpoint ${request.checkpointId} and its shards`,
  }).abandonCheckpoint(request);
  return { checkpointId: request.checkpointId, state: 'abandoned' };
}

async function tell(request: DrainRequest, report: DrainReport): Promise<void> {
  try {
    await getExternalWorkflowHandle(request.allocation).signal(signalNames.checkpointDrained, report);
  } catch {
    // The allocation ended before its drain did; that is allowed, and its record is in the erasure set.
  }
}
