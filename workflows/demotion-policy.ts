/**
 * Applies the site's demotion rules once: lists what is due, part by part, and moves each part down. Started by a schedule, one at a time. Its history is bounded: parts
 * follow one another, at about four activities each, and it continues as new with its cursor and its counts.
 */
import { ApplicationFailure, CancellationScope, continueAsNew, defineQuery, isCancellation, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { DemotionActivities, OpenedDemotion } from '../activities/demotion.ts';
import type { TransferActivities } from '../activities/transfer.ts';
import {
  type DemotionCursor,
  type DemotionMove,
  type DemotionResult,
  emptyResult,
  nothing,
  type RemovedAnswer,
  withListed,
  withMoved,
} from '../model/demotion-run.ts';
import { messageOf } from '../model/errors.ts';
import { CONTROL_QUEUE, DATA_QUEUE } from '../model/identifiers.ts';
import { shortLocation } from '../model/location.ts';
import { queryNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import { now } from './clock.ts';
import { rootCause } from './failures.ts';
import { EVENTS_PER_RUN, historyIsFull, moveAll, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

export interface DemotionInput {
  /** From the run before, where this one continues it. */
  readonly carried?: DemotionState;
}
interface DemotionState {
  readonly opened: OpenedDemotion;
  readonly result: DemotionResult;
  /** Absent at the end. */
  readonly cursor?: DemotionCursor;
  /** The next one, counted from 0. */
  readonly part: number;
}

const status = defineQuery<DemotionResult | undefined>(queryNames.status);

export async function demotionPolicy({ carried }: DemotionInput = {}): Promise<DemotionResult> {
  let state = carried;
  setHandler(status, () => state?.result);
  try {
    state ??= await begin();
    while (state.cursor && !historyIsFull(Math.min(EVENTS_PER_RUN, state.opened.eventsPerRun))) {
      show(state);
      state = await applyTo(state, state.cursor);
    }
    show(state);
    throwIfCancelled();
  } catch (error) {
    const result: DemotionResult = ended(state?.result ?? emptyResult(now()));
    const failure = isCancellation(error) ? 'cancelled' : messageOf(rootCause(error));
    await CancellationScope.nonCancellable(() => control('record how far it came').recordDemotion({ ...result, failure }));
    throw error;
  }
  if (state.cursor) return await continueAsNew<typeof demotionPolicy>({ carried: state });
  const result = ended(state.result);
  await control('record the result').recordDemotion(result);
  return result;
}

async function begin(): Promise<DemotionState> {
  const opened = await control('read the rules').openDemotion();
  return { opened, result: emptyResult(now()), part: 0, ...(opened.firstTier ? { cursor: { tier: opened.firstTier } } : {}) };
}

/** One part: listed, and each of its moves done. */
async function applyTo({ opened, result, part }: DemotionState, cursor: DemotionCursor): Promise<DemotionState> {
  const { heartbeatSeconds } = opened;
  const summary = `what is due on ${cursor.tier}${cursor.bucket === undefined ? '' : ` from ${cursor.bucket}/${cursor.after ?? ''} on`}`;
  const listed = await activities<DemotionActivities>('bulk', { queue: DATA_QUEUE, heartbeatSeconds, summary }).listDemotion({
    cursor,
    now: result.startedAt,
    part,
  });
  let after = withListed(result, listed);
  for (const move of listed.moves) after = withMoved(after, await tryToMoveDown(move, { heartbeatSeconds, now: result.startedAt, part }));
  return { opened, result: after, part: part + 1, ...(listed.next ? { cursor: listed.next } : {}) };
}

interface Step {
  readonly heartbeatSeconds: number;
  readonly now: string;
  readonly part: number;
}

/** What fails of one part keeps the others from nothing: it is told, its sources stay, and the next run tries again. */
async function tryToMoveDown(move: DemotionMove, step: Step): Promise<RemovedAnswer> {
  try {
    return await moveDown(move, step);
  } catch (error) {
    const cause = rootCause(error);
    if (isCancellation(error) || !(cause instanceof ApplicationFailure)) throw error;
    return { removed: nothing, keptCount: move.manifest.files, kept: [{ file: shortLocation(move.source), reason: cause.message }] };
  }
}

/** Copies, reads back what arrived, and only then removes the sources that are still what was copied. What does not arrive stays and is told. */
async function moveDown({ manifest, source, target }: DemotionMove, { heartbeatSeconds, now: startedAt, part }: Step): Promise<RemovedAnswer> {
  const places = `${shortLocation(source)} -> ${shortLocation(target)}`;
  const { moved, failed, failedCount } = await moveAll(
    { manifest, source, target, replace: false, attributes: true },
    { heartbeatSeconds, name: `${part}-${target.store}` },
  );
  const kept = failed.map(({ path, message }) => ({ file: `${shortLocation(source)}${path}`, reason: message }));
  if (moved.files === 0) return { removed: nothing, keptCount: failedCount, kept };
  const call = (summary: string) => ({ queue: DATA_QUEUE, heartbeatSeconds, summary });
  await activities<TransferActivities>('moving', call(`verify ${moved.files} files, ${places}`)).verifyTransfer({ manifest: moved, moved, target });
  const answer = await activities<DemotionActivities>('bulk', call(`remove ${moved.files} verified sources, ${places}`)).removeDemoted({
    manifest,
    moved,
    source,
    target,
    now: startedAt,
  });
  return { removed: answer.removed, keptCount: failedCount + answer.keptCount, kept: [...kept, ...answer.kept] };
}

const control = (summary: string) => activities<DemotionActivities>('control', { queue: CONTROL_QUEUE, summary });
const ended = (result: DemotionResult): DemotionResult => ({ ...result, endedAt: now() });

function show({ result, cursor }: DemotionState): void {
  const { looked, moved, keptCount, kept } = result;
  setCurrentDetails(
    [
      `**${cursor ? `at ${cursor.tier}: ${cursor.bucket ?? ''}` : 'over'}**: ${moved.files} files, ${formatBytes(moved.bytes)} moved of ${looked.files} looked at`,
      '',
      `- ${keptCount} that were due stay`,
      ...kept.slice(0, 5).map(({ file, reason }) => `  - ${JSON.stringify(file)}: ${reason}`),
    ].join('\n'),
  );
}
