/**
 * Drains one committed checkpoint from its rack to the erasure set. Outlives the job and its allocation: whatever happens
 * to them, an acknowledged checkpoint is finished here. Only an explicit cancellation (abandon) drops it, or, by the site's policy and before a byte is
 * stored, a newer checkpoint of its node.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  patched,
  setCurrentDetails,
  setHandler,
  startChild,
} from '@temporalio/workflow';
import type { CheckpointActivities, DrainOne } from '../activities/checkpoint.ts';
import { rackQueue } from '../model/identifiers.ts';
import { queryNames, signalNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import { checkpointCopy, replicateWorkflowId } from '../model/replication.ts';
import type { DrainReport, Superseding } from '../model/reports.ts';
import { innerMessageOf } from './failures.ts';
import { activities } from './presets.ts';
import type { replicate } from './replicate.ts';

export interface DrainRequest extends DrainOne {
  readonly bytes: number;
  /** The allocation to tell; it may be over by then. */
  readonly allocation: string;
  readonly heartbeatSeconds: number;
  /** Sets of other sites that the checkpoint is copied to once it is drained. */
  readonly copies?: readonly string[];
}

const begun = defineSignal(signalNames.drainBegun);
const hasBegun = defineQuery<boolean>(queryNames.drainBegun);
const superseded = defineSignal<[Superseding]>(signalNames.checkpointSuperseded);

export async function drainCheckpoint(request: DrainRequest): Promise<DrainReport> {
  const waiting = new CancellationScope();
  let isBegun = false;
  let by: string | undefined;
  setHandler(hasBegun, () => isBegun);
  setHandler(begun, () => {
    isBegun = true;
  });
  setHandler(superseded, (newer) => {
    if (isBegun || by !== undefined || request.keep !== undefined) return;
    by = newer.by;
    waiting.cancel();
  });
  const rack = (summary: string) =>
    activities<CheckpointActivities>('bulk', { queue: rackQueue(request.rackId), heartbeatSeconds: request.heartbeatSeconds, summary });
  const size = `checkpoint ${request.checkpointId}, ${formatBytes(request.bytes)}`;
  const show = (step: string) => setCurrentDetails(`**${step}**: ${size}, of node ${request.nodeId} in rack ${request.rackId}`);
  let report: DrainReport;
  try {
    show('being stored in the erasure set, in turn where it needs a window');
    await waiting.run(() => rack(`drain ${size}, rack ${request.rackId} -> erasure set 14+4`).drainToErasureSet(request));
    // Where it was called off too late, it is stored, and goes on.
    isBegun = true;
    by = undefined;
    show('being read back, then the rack lets go of its copy');
    await rack(`read back every shard of ${size}`).verifyDrained(request);
    await rack(`release the in-rack copy of ${size}`).releaseRackCopy(request);
    report = { checkpointId: request.checkpointId, state: 'drained' };
    show('drained');
  } catch (error) {
    report = await CancellationScope.nonCancellable(() => giveUp(request, error, { by, isBegun }));
  }
  if (report.state === 'abandoned') show('abandoned; its copies and shards were dropped');
  if (report.state === 'superseded') setCurrentDetails(`**superseded** ${report.reason} before its drain began; its copies were dropped`);
  await CancellationScope.nonCancellable(() => tell(request, report));
  if (report.state === 'drained' && request.copies) {
    // Remove after 2027-06-01: drains started before 0.3 have ended by then.
    const copiesToo = patched('checkpoint-copies');
    if (copiesToo) await CancellationScope.nonCancellable(() => beginCopies(request, request.copies ?? []));
  }
  return report;
}

/** Begun, not waited for: the checkpoint is safe here, and the other site may be away for days. */
async function beginCopies(request: DrainRequest, copies: readonly string[]): Promise<void> {
  for (const to of copies) {
    const copy = checkpointCopy(request, to);
    try {
      await startChild<typeof replicate>('replicate', {
        workflowId: replicateWorkflowId(copy),
        workflowIdReusePolicy: 'ALLOW_DUPLICATE', // this drain may be reset after it had begun one
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: `copy checkpoint ${request.checkpointId} to ${to}`,
        args: [copy],
      });
    } catch (error) {
      // It is under way already, which is all that is wanted.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

interface GivenUp {
  /** The newer checkpoint, where one superseded it. */
  readonly by: string | undefined;
  readonly isBegun: boolean;
}

/** Abandoned, or superseded by a newer one: shards and copies go. Failed for good: everything stays for a person to look at. */
async function giveUp(request: DrainRequest, error: unknown, { by, isBegun }: GivenUp): Promise<DrainReport> {
  const { checkpointId, rackId, heartbeatSeconds } = request;
  if (!isCancellation(error)) {
    const message = innerMessageOf(error);
    setCurrentDetails(`**stuck**: ${message}`);
    await tell(request, { checkpointId, state: 'stuck', reason: message });
    throw ApplicationFailure.nonRetryable(`${message} The in-rack copy is kept; mend the cause, then reset this workflow.`, 'DrainStuck');
  }
  const drop = (what: string) =>
    activities<CheckpointActivities>('bulk', { queue: rackQueue(rackId), heartbeatSeconds, summary: `drop checkpoint ${checkpointId}${what}` });
  if (by === undefined) {
    await drop(' and its shards').abandonCheckpoint(request);
    return { checkpointId, state: 'abandoned' };
  }
  // It may have begun in the moment in which it was called off.
  if (isBegun) await drop(' and its shards').abandonCheckpoint(request);
  else await drop(`, superseded by ${by}`).dropCheckpointCopies(request);
  return { checkpointId, state: 'superseded', reason: `by ${by}` };
}

async function tell(request: DrainRequest, report: DrainReport): Promise<void> {
  try {
    await getExternalWorkflowHandle(request.allocation).signal(signalNames.checkpointDrained, report);
  } catch {
    // The allocation ended before its drain did; that is allowed, and its record is in the erasure set.
  }
}
