/** The last heartbeat of a scrub's segment, and why its attempts fail, merged into the workflow's own answer, which is told of a segment at its end. */
import { type Client, type WorkflowExecutionDescription, WorkflowNotFoundError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { SCRUB_WORKFLOW_ID, ScrubProgressSchema, type ScrubStatus, type ScrubTrouble } from '../model/scrub.ts';

export async function withLiveScrub(client: Client, status: ScrubStatus): Promise<ScrubStatus> {
  const known = ScrubProgressSchema.safeParse(status.progress).data ?? status.progress;
  const told = { ...status, progress: known };
  if (!status.running) return told;
  const [pending] = await pendingActivities(client);
  if (!pending) return told;
  const beat = ScrubProgressSchema.safeParse(detailsOf(pending)).data;
  const isNews = beat !== undefined && (known === undefined || (beat.scrubId === known.scrubId && beat.updatedAt > known.updatedAt));
  const trouble = troubleOf(pending);
  return { ...told, ...(isNews ? { progress: beat } : {}), ...(trouble ? { trouble } : {}) };
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** The one that reads, or the one that looks where to begin. */
async function pendingActivities(client: Client): Promise<PendingActivity[]> {
  try {
    const { raw } = await client.workflow.getHandle(SCRUB_WORKFLOW_ID).describe();
    return (raw.pendingActivities ?? []).filter(({ activityType }) => READING.has(activityType?.name ?? ''));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

const READING: ReadonlySet<string> = new Set(['scrubSegment', 'openScrub']);

function detailsOf({ heartbeatDetails }: PendingActivity): unknown {
  const payload = heartbeatDetails?.payloads?.[0];
  return payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
}

function troubleOf({ lastFailure, attempt, nextAttemptScheduleTime, state }: PendingActivity): ScrubTrouble | undefined {
  const message = lastFailure?.message;
  if (!message) return undefined;
  const seconds = nextAttemptScheduleTime && state !== STARTED ? Number(nextAttemptScheduleTime.seconds) : 0;
  return { message, attempt: attempt ?? 1, ...(seconds > 0 ? { nextAttemptAt: new Date(seconds * 1000).toISOString() } : {}) };
}

/** PENDING_ACTIVITY_STATE_STARTED of temporal.api.enums.v1. */
const STARTED = 2;
