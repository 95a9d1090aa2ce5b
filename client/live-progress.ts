/** Heartbeats of the moving activities, merged into the workflow's own answer: history pays for few reports, this is free. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import * as z from 'zod';
import { etaSeconds, type Readiness, readinessOf } from '../model/readiness.ts';

const HeartbeatSchema = z.object({
  mountIndex: z.number(),
  files: z.number(),
  bytes: z.number(),
  doneFiles: z.number(),
  doneBytes: z.number(),
  bytesPerSecond: z.number(),
});

export async function withLiveProgress(client: Client, readiness: Readiness): Promise<Readiness> {
  if (readiness.state !== 'staging' || readiness.stagingWorkflowId === undefined) return readiness;
  const beats = await heartbeats(client, readiness.stagingWorkflowId);
  const sum = (field: 'doneFiles' | 'doneBytes' | 'bytesPerSecond') => beats.reduce((total, beat) => total + beat[field], 0);
  // Mounts that are done beat no more, so the sum is a lower bound; so is what the workflow was last told.
  const doneFiles = Math.max(readiness.doneFiles, sum('doneFiles'));
  const doneBytes = Math.max(readiness.doneBytes, sum('doneBytes'));
  const bytesPerSecond = sum('bytesPerSecond');
  const progress = { files: readiness.files, bytes: readiness.bytes, doneFiles, doneBytes, bytesPerSecond };
  const eta = etaSeconds(progress);
  return { ...readiness, ...progress, readiness: Math.min(0.9999, readinessOf(progress)), ...(eta === undefined ? {} : { etaSeconds: eta }) };
}

async function heartbeats(client: Client, workflowId: string): Promise<z.output<typeof HeartbeatSchema>[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    return (raw.pendingActivities ?? []).flatMap((activity) => {
      const payload = activity.heartbeatDetails?.payloads?.[0];
      const parsed = HeartbeatSchema.safeParse(payload ? defaultPayloadConverter.fromPayload(payload) : undefined);
      return parsed.success ? [parsed.data] : [];
    });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}
