/**
 * Reads every cell of the erasure set in turn, for weeks if need be. Its place lies in the history and on record: stopped, it goes on from there when it is started again.
 * There is one at a time, under the id `scrub`; what the schedule starts under other names starts that one.
 */
import { ActivityFailure, CancelledFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { OpenedScrub, ScrubActivities } from '../activities/scrub.ts';
import { CONTROL_QUEUE, ERASURE_QUEUE } from '../model/identifiers.ts';
import { queryNames, updateNames } from '../model/messages.ts';
import { formatBandwidth, formatBytes } from '../model/quantity.ts';
import {
  marginRows,
  SCRUB_WORKFLOW_ID,
  type ScrubProgress,
  ScrubProgressSchema,
  type ScrubRequest,
  ScrubRequestSchema,
  type ScrubStatus,
  scrubShare,
  withoutWait,
} from '../model/scrub.ts';
import { type RateAnswer, SetRateSchema } from '../model/transfer-input.ts';
import { accept } from './accept.ts';
import { failureOf } from './failures.ts';
import { inTurn, newTurns } from './in-turn.ts';
import { EVENTS_PER_RUN, historyIsFull, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

/** Carried into the next run of the same scrub. */
export interface ScrubRecord {
  readonly opened: OpenedScrub;
  progress: ScrubProgress;
  bytesPerSecond: number | null;
  paused: boolean;
}

const status = defineQuery<ScrubStatus>(queryNames.status);
const setRate = defineUpdate<RateAnswer, [unknown]>(updateNames.setRate);
const pause = defineUpdate<ScrubStatus>(updateNames.pause);
const resume = defineUpdate<ScrubStatus>(updateNames.resume);

/** @param input see ScrubRequestSchema */
export async function scrub(input: unknown, carried?: ScrubRecord): Promise<ScrubProgress | undefined> {
  const request = accept(ScrubRequestSchema, input ?? {});
  if (workflowInfo().workflowId !== SCRUB_WORKFLOW_ID) return await startTheOne(input);
  let record = carried && workflowInfo().continuedFromExecutionRunId ? carried : undefined;
  const turns = newTurns();
  const limit = (bytesPerSecond: number | null) =>
    control(bytesPerSecond === null ? 'take the limit away' : `limit to ${formatBandwidth(bytesPerSecond)}`).setErasureLimit({ what: 'scrub', bytesPerSecond });
  const change = (work: (known: ScrubRecord) => Promise<void>): Promise<void> =>
    inTurn(turns, async () => {
      await condition(() => record !== undefined);
      if (record) await work(record);
      if (record) show(record);
    });

  setHandler(status, () => statusOf(record, true));
  setHandler(
    setRate,
    async (wanted) => {
      const { bytesPerSecond } = accept(SetRateSchema, wanted);
      await change(async (known) => {
        known.bytesPerSecond = bytesPerSecond;
        if (!known.paused) await limit(bytesPerSecond);
      });
      return { bytesPerSecond };
    },
    { validator: (wanted) => void accept(SetRateSchema, wanted) },
  );
  setHandler(pause, async () => {
    await change(async (known) => {
      known.paused = true;
      await limit(0);
    });
    return statusOf(record, true);
  });
  setHandler(resume, async () => {
    await change(async (known) => {
      known.paused = false;
      // Asks again whether it may read: the hours may be others by now.
      known.progress = withoutWait(known.progress);
      await limit(known.bytesPerSecond);
    });
    return statusOf(record, true);
  });

  try {
    record ??= await begin(request);
    const isOver = await readOn(record, request.segmentSeconds);
    // A change of the rate under way belongs to this run.
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    if (isOver) return record.progress;
    throwIfCancelled();
  } catch (error) {
    throw failureOf(error);
  }
  return await continueAsNew<typeof scrub>({ ...request, anew: false }, record);
}

async function startTheOne(input: unknown): Promise<undefined> {
  try {
    await startChild<typeof scrub>('scrub', {
      workflowId: SCRUB_WORKFLOW_ID,
      args: [input ?? {}],
      // It outlives this one, which is only its starter.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: 'scrub of the erasure set',
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

const control = (summary: string) => activities<ScrubActivities>('control', { queue: CONTROL_QUEUE, summary });

async function begin({ anew, bytesPerSecond }: Pick<ScrubRequest, 'anew' | 'bytesPerSecond'>): Promise<ScrubRecord> {
  const opened = await control('look where the last scrub ended').openScrub({ anew, bytesPerSecond });
  return { opened, progress: opened.progress, bytesPerSecond: opened.bytesPerSecond, paused: false };
}

/** @returns false where the history is full and a new run has to go on */
async function readOn(record: ScrubRecord, seconds: number): Promise<boolean> {
  const { heartbeatSeconds, eventsPerRun } = record.opened;
  while (record.progress.state !== 'complete') {
    show(record);
    if (historyIsFull(Math.min(EVENTS_PER_RUN, eventsPerRun))) return false;
    await insideItsHours(record);
    await condition(() => !record.paused);
    const { state, after } = record.progress;
    const where = after === undefined ? 'from the beginning' : `from behind ${after}`;
    const summary = { reading: `read objects ${where}`, rereading: 'read again what was not seen', sweeping: `collect what nobody will finish, ${where}` }[
      state
    ];
    const segment = activities<ScrubActivities>('waiting', { queue: ERASURE_QUEUE, summary, heartbeatSeconds });
    try {
      record.progress = await segment.scrubSegment({ progress: record.progress, seconds });
    } catch (error) {
      record.progress = placeAtStop(error) ?? record.progress;
      throw error;
    }
  }
  show(record);
  return true;
}

/** A segment that is stopped has no answer: how far it came goes along with its failure. */
function placeAtStop(error: unknown): ScrubProgress | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof CancelledFailure ? ScrubProgressSchema.safeParse(cause.details[0]).data : undefined;
}

/** A worker's clock may be behind the server's: what it still calls closed is not asked for in a loop. */
const SHORTEST_WAIT_MILLISECONDS = 10_000;

/**
 * Until the segment before said that its hours begin, or a person resumes it. Whether they have begun is for the next segment to say, for the workflow knows neither the
 * site's policies nor its time zones.
 */
async function insideItsHours(record: ScrubRecord): Promise<void> {
  const { opensAt } = record.progress;
  if (opensAt === undefined) return;
  const milliseconds = Math.max(SHORTEST_WAIT_MILLISECONDS, Date.parse(opensAt) - Date.now());
  await condition(() => record.progress.opensAt === undefined, milliseconds, { summary: `outside its hours, which begin at ${opensAt}` });
  record.progress = withoutWait(record.progress);
  show(record);
}

function statusOf(record: ScrubRecord | undefined, running: boolean): ScrubStatus {
  return { progress: record?.progress, running, paused: record?.paused ?? false, bytesPerSecond: record?.bytesPerSecond ?? null };
}

function show({ progress, paused, bytesPerSecond }: ScrubRecord): void {
  const share = scrubShare(progress);
  const state = paused ? 'paused' : progress.opensAt === undefined ? progress.state : `waits for its window, opens at ${progress.opensAt}`;
  setCurrentDetails(
    [
      `**${state}**${share === undefined ? '' : `, ${Math.floor(share * 100)} %`}: ${progress.objects} objects, ${formatBytes(progress.storedBytes)} of shards`,
      '',
      `- limit ${bytesPerSecond === null ? 'none' : formatBandwidth(bytesPerSecond)}, since ${progress.startedAt}`,
      ...marginRows(progress.byMargin).map(([margin, objects]) => `- ${objects} objects may lose ${margin} more racks`),
      `- ${progress.damagedObjects} damaged, ${progress.shardsRemoved} shards collected, ${progress.unclaimedCount} without a manifest`,
      ...progress.lines.slice(0, 5).map((line) => `  - ${JSON.stringify(line)}`),
    ].join('\n'),
  );
}
