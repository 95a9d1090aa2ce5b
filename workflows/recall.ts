/**
 * Brings archived output back: asks the store to restore what is needed, looks now and then whether it is there, reads and verifies it. The wait is a timer's, for hours or days; no
 * activity waits. The colder copy stays.
 */
import { ApplicationFailure, continueAsNew, defineQuery, isCancellation, setCurrentDetails, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import type { RecallActivities } from '../activities/recall.ts';
import { nextLookMs } from '../model/archive.ts';
import { allocationPrefix, DATA_QUEUE } from '../model/identifiers.ts';
import { type Location, shortLocation } from '../model/location.ts';
import { queryNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import {
  expectedBy,
  noRound,
  type OpenedRecall,
  type RecallRequest,
  RecallRequestSchema,
  type RecallResult,
  type RecallRound,
  type RecallStatus,
  recallLine,
  recallWorkflowId,
} from '../model/recall.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { now } from './clock.ts';
import { failureOf } from './failures.ts';
import { EVENTS_PER_RUN, historyIsFull, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

/** Carried into the next run of the same recall: counts, at most 20 failures, instants. */
export interface RecallRecord {
  /** ISO instants, as all of them. */
  readonly startedAt: string;
  state: RecallStatus['state'];
  opened?: OpenedRecall;
  round: RecallRound;
  /** Restores asked for in all rounds. */
  asked: number;
  /** Of the last restore that was asked for. */
  askedAt?: string;
  /** Since when something is waited for. */
  waitingSince?: string;
  nextLookAt?: string;
}

const status = defineQuery<RecallStatus>(queryNames.status);

/** @param input see RecallRequestSchema */
export async function recall(input: unknown, carried?: RecallRecord): Promise<RecallResult> {
  const request = accept(RecallRequestSchema, input);
  requireWorkflowId(recallWorkflowId(request));
  const known = carried && workflowInfo().continuedFromExecutionRunId ? carried : undefined;
  const record: RecallRecord = known ?? { startedAt: workflowInfo().startTime.toISOString(), state: 'opening', round: noRound, asked: 0 };
  setHandler(status, () => statusOf(request, record));
  try {
    record.opened ??= await open(request);
    const { opened } = record;
    if (await lookUntilThere(request, record, opened)) return resultOf(request, record, opened);
    throwIfCancelled();
  } catch (error) {
    record.state = isCancellation(error) ? 'cancelled' : 'failed';
    show(request, record);
    throw failureOf(error);
  }
  return await continueAsNew<typeof recall>(input, record);
}

const archived = (request: RecallRequest): Location => ({ store: 'cold', bucket: request.tenant, prefix: allocationPrefix(request) });

function open(request: RecallRequest): Promise<OpenedRecall> {
  const { tenant, project, allocationId, recallId, path, tier, target } = request;
  const summary = `find ${path || 'all'} of ${shortLocation(archived(request))}`;
  return activities<RecallActivities>('bulk', { queue: DATA_QUEUE, summary }).openRecall({ tenant, project, allocationId, recallId, path, tier, target });
}

/** @returns false where the history is full and a new run has to go on */
async function lookUntilThere(request: RecallRequest, record: RecallRecord, opened: OpenedRecall): Promise<boolean> {
  const { manifest, heartbeatSeconds, firstLookMs } = opened;
  const endsAt = Date.parse(record.startedAt) + request.giveUpAfterHours * 3_600_000;
  for (;;) {
    await untilNextLook(request, record);
    enter(request, record, 'looking');
    const summary = `ask ${opened.objects} objects, read what is restored, ${formatBytes(manifest.bytes)} to ${shortLocation(request.target)}`;
    record.round = await activities<RecallActivities>('moving', { queue: DATA_QUEUE, heartbeatSeconds, summary }).recallRound({
      manifest,
      source: archived(request),
      target: request.target,
      tier: request.tier,
      replace: request.replace,
    });
    noteRound(record);
    if (record.waitingSince === undefined) return true;
    const nowMs = Date.now();
    if (nowMs >= endsAt) throw tooLate(request, record);
    const waitMs = Math.min(endsAt - nowMs, nextLookMs(nowMs - Date.parse(record.askedAt ?? record.waitingSince), firstLookMs));
    record.nextLookAt = new Date(nowMs + waitMs).toISOString();
    if (historyIsFull(Math.min(EVENTS_PER_RUN, opened.eventsPerRun))) return false;
  }
}

async function untilNextLook(request: RecallRequest, record: RecallRecord): Promise<void> {
  if (record.nextLookAt === undefined) return;
  enter(request, record, 'waiting');
  const wait = Math.max(1, Date.parse(record.nextLookAt) - Date.now());
  await sleep(wait, { summary: `${record.round.waitingObjects} objects are being restored, ${request.tier}` });
  delete record.nextLookAt;
}

/** A restore that was asked for just now begins the wait anew: the copy before had expired, or there was none. */
function noteRound(record: RecallRecord): void {
  const { asked, waitingObjects } = record.round;
  const at = now();
  record.asked += asked;
  if (asked > 0) record.askedAt = at;
  if (waitingObjects > 0) record.waitingSince ??= at;
  else delete record.waitingSince;
}

function tooLate({ giveUpAfterHours, tier }: RecallRequest, { round, askedAt }: RecallRecord): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `cold: ${round.waitingObjects} objects were not restored within ${giveUpAfterHours} h; the last was asked for at ${askedAt ?? 'no time'}, ${tier}. What has arrived stays; recall the rest under another recallId.`,
    'DeadlineExceeded',
  );
}

function resultOf(request: RecallRequest, record: RecallRecord, { manifest, objects }: OpenedRecall): RecallResult {
  const { waitingObjects: _none, notTaken: _neither, ...round } = record.round;
  const state = round.failedCount > 0 ? 'partial' : 'complete';
  enter(request, record, state);
  return { ...round, asked: record.asked, state, objects, manifest };
}

function enter(request: RecallRequest, record: RecallRecord, state: RecallStatus['state']): void {
  record.state = state;
  show(request, record);
}

function statusOf(request: RecallRequest, record: RecallRecord): RecallStatus {
  const { tenant, project, allocationId, recallId, path, tier, target } = request;
  const { opened, round, waitingSince, nextLookAt } = record;
  const expected = record.askedAt === undefined ? undefined : expectedBy(record.askedAt, tier, opened?.storageClass);
  return {
    ...{ tenant, project, allocationId, recallId, path, tier, target: shortLocation(target) },
    state: record.state,
    startedAt: record.startedAt,
    files: opened?.manifest.files ?? 0,
    bytes: opened?.manifest.bytes ?? 0,
    doneFiles: round.files,
    doneBytes: round.bytes,
    objects: opened?.objects ?? 0,
    waitingObjects: round.waitingObjects,
    notTaken: round.notTaken,
    asked: record.asked,
    ...(waitingSince === undefined
      ? {}
      : { waiting: { since: waitingSince, ...(nextLookAt === undefined ? {} : { nextLookAt }), ...(expected === undefined ? {} : { expectedBy: expected }) } }),
    failedCount: round.failedCount,
    failed: round.failed,
  };
}

function show(request: RecallRequest, record: RecallRecord): void {
  const current = statusOf(request, record);
  setCurrentDetails(
    [
      `**${recallLine(current)}**`,
      '',
      `- ${current.path || 'all'} of ${shortLocation(archived(request))} to ${current.target}, ${formatBytes(current.bytes)}`,
      `- tier ${current.tier}, ${current.asked} restores asked for`,
      ...(current.waiting?.nextLookAt === undefined ? [] : [`- next look at ${current.waiting.nextLookAt}`]),
      ...current.failed.slice(0, 5).map(({ path, type, message }) => `- ${JSON.stringify(path)}: ${type}: ${JSON.stringify(message)}`),
    ].join('\n'),
  );
}
