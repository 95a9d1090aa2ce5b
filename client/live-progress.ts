/** Heartbeats of the moving activities, merged into the workflow's own answer: history pays for few reports, this is free. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import * as z from 'zod';
import { etaSeconds, type Readiness, readinessOf } from '../model/readiness.ts';
import type { TransferStatus } from '../model/transfer-input.ts';
import { heartbeatOf, millisecondsOf, type PendingActivity, typeOf } from './pending-activities.ts';

const HeartbeatSchema = z.object({
  doneFiles: z.number(),
  doneBytes: z.number(),
  /** Absent in a mover's first seconds. */
  bytesPerSecond: z.number().exactOptional(),
});
type Heartbeat = z.output<typeof HeartbeatSchema>;

/** Heartbeats reach the server at most five seconds apart (workers/roles.ts): with two of them missing, what the last one said of the rate is no news any more. */
const NEWS_WITHIN_MS = 12_000;

export async function withLiveProgress(client: Client, readiness: Readiness): Promise<Readiness> {
  if (readiness.state !== 'staging' || readiness.stagingWorkflowId === undefined) return readiness;
  const { doneFiles, doneBytes, bytesPerSecond } = sumOf(await movers(client, readiness.stagingWorkflowId, WITH_CHILDREN), Date.now());
  // Mounts that are done beat no more, so the sum is a lower bound; so is what the workflow was last told.
  const progress = {
    files: readiness.files,
    bytes: readiness.bytes,
    doneFiles: Math.max(readiness.doneFiles, doneFiles),
    doneBytes: Math.max(readiness.doneBytes, doneBytes),
    bytesPerSecond,
  };
  const { etaSeconds: _, ...known } = readiness;
  const eta = etaSeconds(progress);
  return { ...known, ...progress, readiness: Math.min(0.9999, readinessOf(progress)), ...(eta === undefined ? {} : { etaSeconds: eta }) };
}

/** The same for an ad hoc transfer: units under way beat, those that are done have been counted. */
export async function withLiveTransfer(client: Client, status: TransferStatus): Promise<TransferStatus> {
  if (status.state !== 'moving') return status;
  return withMovers(status, await movers(client, status.workflowId), Date.now());
}

/** What the server knows of an activity under way. */
export interface Mover {
  /** Of its last heartbeat; undefined where there was none. */
  readonly beat: Heartbeat | undefined;
  readonly beatAtMs: number | undefined;
  /** By a worker. */
  readonly isBegun: boolean;
  /** When it last beat, was begun by a worker, or, before that, was put in the queue. */
  readonly heardAtMs: number;
}

export function withMovers(status: TransferStatus, under: readonly Mover[], nowMs: number): TransferStatus {
  const told = sumOf(under, nowMs);
  const doneFiles = Math.min(status.files, Math.max(status.doneFiles, status.settledFiles + told.doneFiles));
  const doneBytes = Math.min(status.bytes, Math.max(status.doneBytes, status.settledBytes + told.doneBytes));
  const bytesPerSecond = status.limit === 0 ? 0 : told.bytesPerSecond;
  const { etaSeconds: _, heardAt: __, ...known } = status;
  const eta = bytesPerSecond > 0 ? etaSeconds({ ...status, doneFiles, doneBytes, bytesPerSecond }) : undefined;
  return { ...known, doneFiles, doneBytes, bytesPerSecond, ...(eta === undefined ? {} : { etaSeconds: eta }), ...newsOf(under, nowMs) };
}

function newsOf(under: readonly Mover[], nowMs: number): Pick<TransferStatus, 'heardAt' | 'quietSeconds'> {
  if (under.length === 0) return {};
  const heardAtMs = Math.max(...under.map((mover) => mover.heardAtMs));
  const quietMs = nowMs - heardAtMs;
  const isQuiet = quietMs > NEWS_WITHIN_MS;
  if (!isQuiet && under.every(({ beat }) => beat?.bytesPerSecond === undefined)) return {};
  return { heardAt: new Date(heardAtMs).toISOString(), ...(isQuiet ? { quietSeconds: Math.round(quietMs / 1000) } : {}) };
}

/** What was done stays done; a rate is believed while it is news. One that has just begun is taken to be as fast as the others: units follow each other all the time. */
function sumOf(under: readonly Mover[], nowMs: number): Required<Heartbeat> {
  const sum = { doneFiles: 0, doneBytes: 0, bytesPerSecond: 0 };
  const isNews = (atMs: number | undefined): boolean => atMs !== undefined && nowMs - atMs <= NEWS_WITHIN_MS;
  let known = 0;
  let begun = 0;
  for (const { beat, beatAtMs, isBegun, heardAtMs } of under) {
    sum.doneFiles += beat?.doneFiles ?? 0;
    sum.doneBytes += beat?.doneBytes ?? 0;
    const rate = beat?.bytesPerSecond;
    if (rate === undefined) begun += isBegun && isNews(heardAtMs) ? 1 : 0;
    else if (isNews(beatAtMs)) {
      known += 1;
      sum.bytesPerSecond += rate;
    }
  }
  return { ...sum, bytesPerSecond: known === 0 ? 0 : Math.round((sum.bytesPerSecond * (known + begun)) / known) };
}

/** A mount of many units is moved by a child, and there are at most so many mounts. */
const WITH_CHILDREN = { children: 32 } as const;

async function movers(client: Client, workflowId: string, { children }: { readonly children: number } = { children: 0 }): Promise<Mover[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const own = (raw.pendingActivities ?? []).filter((pending) => MOVING.has(typeOf(pending))).map(moverOf);
    const childIds = (raw.pendingChildren ?? []).slice(0, children).flatMap((child) => (child.workflowId ? [child.workflowId] : []));
    return [...own, ...(await Promise.all(childIds.map((childId) => movers(client, childId)))).flat()];
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

/** The last is of workflows begun before 0.2. */
const MOVING: ReadonlySet<string> = new Set(['moveUnit', 'moveWhole', 'finishMove', 'transferSegment']);

function moverOf(pending: PendingActivity): Mover {
  const { lastHeartbeatTime, lastStartedTime, scheduledTime } = pending;
  const parsed = HeartbeatSchema.safeParse(heartbeatOf(pending));
  const [beatAtMs, startedAtMs, scheduledAtMs = 0] = [lastHeartbeatTime, lastStartedTime, scheduledTime].map(millisecondsOf);
  const heard = [beatAtMs, startedAtMs].filter((each) => each !== undefined);
  return { beat: parsed.data, beatAtMs, isBegun: startedAtMs !== undefined, heardAtMs: heard.length > 0 ? Math.max(...heard) : scheduledAtMs };
}
