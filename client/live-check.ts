/** Heartbeats of a check's parts, merged into the workflow's own answer, which counts only parts that are done. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { addCounts, type CheckCounts, CheckCountsSchema, type CheckProgress, type CheckStatus, checkWorkflowId, compared, noCounts } from '../model/check.ts';
import { heartbeatOf } from './pending-activities.ts';
import { toRefusal } from './refusal.ts';

/** More may be told beside the counts. */
const BeatSchema = CheckCountsSchema.strip();

export async function withLiveCheck(client: Client, checkId: string, progress: CheckProgress): Promise<CheckStatus> {
  const { state, beats } = await seen(client, checkWorkflowId(checkId));
  const counts = beats.reduce(addCounts, progress.counts);
  // A part that ends between the two questions is missed until the next.
  const done = Math.min(progress.files, compared(counts));
  const eta = state === 'checking' ? etaSeconds(progress, done) : undefined;
  return { ...progress, checkId, state, counts, done, ...(eta === undefined ? {} : { etaSeconds: eta }) };
}

interface Seen {
  readonly state: CheckStatus['state'];
  readonly beats: readonly CheckCounts[];
}

async function seen(client: Client, workflowId: string): Promise<Seen> {
  try {
    const { raw, status } = await client.workflow.getHandle(workflowId).describe();
    const beats = (raw.pendingActivities ?? []).map((pending) => BeatSchema.safeParse(heartbeatOf(pending)).data ?? noCounts);
    return { state: stateOf(status.name), beats };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw toRefusal(error, workflowId);
    throw error;
  }
}

function stateOf(name: string): CheckStatus['state'] {
  switch (name) {
    case 'RUNNING':
    case 'PAUSED':
    case 'CONTINUED_AS_NEW':
      return 'checking';
    case 'COMPLETED':
      return 'complete';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return 'failed';
  }
}

/** By the pace so far: how many bytes an entry has is nothing that a part tells. */
function etaSeconds({ files, startedAt }: CheckProgress, done: number): number | undefined {
  const seconds = (Date.now() - Date.parse(startedAt)) / 1000;
  return done > 0 && seconds > 0 ? Math.ceil(((files - done) * seconds) / done) : undefined;
}
