/** Heartbeats of the moving activities, merged into the workflow's own answer: history pays for few reports, this is free. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import * as z from 'zod';
import { etaSeconds, type Readiness, readinessOf } from '../model/readiness.ts';
import type { TransferStatus } from '../model/transfer-input.ts';

const HeartbeatSchema = z.object({
  doneFiles: z.number(),
  doneBytes: z.number(),
  bytesPerSecond: z.number(),
});

export async function withLiveProgress(client: Client, readiness: Readiness): Promise<Readiness> {
  if (readiness.state !== 'staging' || readiness.stagingWorkflowId === undefined) return readiness;
  const beats = await heartbeats(client, readiness.stagingWorkflowId, WITH_CHILDREN);
  const sum = (field: 'doneFiles' | 'doneBytes' | 'bytesPerSecond') => beats.reduce((total, beat) => total + beat[field], 0);
  // Mounts that are done beat no more, so the sum is a lower bound; so is what the workflow was last told.
  const doneFiles = Math.max(readiness.doneFiles, sum('doneFiles'));
  const doneBytes = Math.max(readiness.doneBytes, sum('doneBytes'));
  const bytesPerSecond = sum('bytesPerSecond');
  const progress = { files: readiness.files, bytes: readiness.bytes, doneFiles, doneBytes, bytesPerSecond };
  const eta = etaSeconds(progress);
  return { ...readiness, ...progress, readiness: Math.min(0.9999, readinessOf(progress)), ...(eta === undefined ? {} : { etaSeconds: eta }) };
}

/** The same for an ad hoc transfer: units under way beat, those that are done have been counted. */
export async function withLiveTransfer(client: Client, status: TransferStatus): Promise<TransferStatus> {
  if (status.state !== 'moving') return status;
  const beats = await heartbeats(client, status.workflowId);
  const sum = (field: 'doneFiles' | 'doneBytes' | 'bytesPerSecond') => beats.reduce((total, beat) => total + beat[field], 0);
  const doneFiles = Math.min(status.files, Math.max(status.doneFiles, status.settledFiles + sum('doneFiles')));
  const doneBytes = Math.min(status.bytes, Math.max(status.doneBytes, status.settledBytes + sum('doneBytes')));
  const bytesPerSecond = sum('bytesPerSecond') || status.bytesPerSecond;
  const { etaSeconds: _, ...known } = status;
  const eta = etaSeconds({ ...status, doneFiles, doneBytes, bytesPerSecond });
  return { ...known, doneFiles, doneBytes, bytesPerSecond, ...(eta === undefined ? {} : { etaSeconds: eta }) };
}

/** A mount of many units is moved by a child, and there are at most so many mounts. */
const WITH_CHILDREN = { children: 32 } as const;

async function heartbeats(
  client: Client,
  workflowId: string,
  { children }: { readonly children: number } = { children: 0 },
): Promise<z.output<typeof HeartbeatSchema>[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const own = (raw.pendingActivities ?? []).flatMap((activity) => {
      const payload = activity.heartbeatDetails?.payloads?.[0];
      const parsed = HeartbeatSchema.safeParse(payload ? defaultPayloadConverter.fromPayload(payload) : undefined);
      return parsed.success ? [parsed.data] : [];
    });
    const childIds = (raw.pendingChildren ?? []).slice(0, children).flatMap((child) => (child.workflowId ? [child.workflowId] : []));
    return [...own, ...(await Promise.all(childIds.map((childId) => heartbeats(client, childId)))).flat()];
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}
