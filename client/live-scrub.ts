/** The last heartbeat of a scrub's segment, and why its attempts fail, merged into the workflow's own answer, which is told of a segment at its end. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { SCRUB_WORKFLOW_ID, ScrubProgressSchema, type ScrubStatus, type ScrubTrouble } from '../model/scrub.ts';
import { heartbeatOf, type PendingActivity, typeOf } from './pending-activities.ts';

export async function withLiveScrub(client: Client, status: ScrubStatus): Promise<ScrubStatus> {
  const known = ScrubProgressSchema.safeParse(status.progress).data ?? status.progress;
  const told = { ...status, progress: known };
  if (!status.running) return told;
  const [pending] = await pendingActivities(client);
  if (!pending) return told;
  const beat = ScrubProgressSchema.safeParse(heartbeatOf(pending)).data;
  const isNews = beat !== undefined && (known === undefined || (beat.scrubId === known.scrubId && beat.updatedAt > known.updatedAt));
  const trouble = troubleOf(pending);
  return { ...told, ...(isNews ? { progress: beat } : {}), ...(trouble ? { trouble } : {}) };
}

/** The one that reads, or the one that looks where to begin. */
async function pendingActivities(client: Client): Promise<PendingActivity[]> {
  try {
    const { raw } = await client.workflow.getHandle(SCRUB_WORKFLOW_ID).describe();
    return (raw.pendingActivities ?? []).filter((pending) => READING.has(typeOf(pending)));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

const READING: ReadonlySet<string> = new Set(['scrubSegment', 'openScrub']);

function troubleOf({ lastFailure, attempt, nextAttemptScheduleTime, state }: PendingActivity): ScrubTrouble | undefined {
  const message = lastFailure?.message;
  if (!message) return undefined;
  const seconds = nextAttemptScheduleTime && state !== STARTED ? Number(nextAttemptScheduleTime.seconds) : 0;
  return { message, attempt: attempt ?? 1, ...(seconds > 0 ? { nextAttemptAt: new Date(seconds * 1000).toISOString() } : {}) };
}

/** PENDING_ACTIVITY_STATE_STARTED of temporal.api.enums.v1. */
const STARTED = 2;
