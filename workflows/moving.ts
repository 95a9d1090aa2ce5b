/**
 * Moving what a manifest names, in units, so many at once: the window that `transfer`, `prestage` and `demote` share. Few units are moved in the caller's own
 * history; many by a child of their own, which continues as new as often as it takes.
 */
import {
  CancellationScope,
  CancelledFailure,
  ChildWorkflowCancellationType,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import type { TransferActivities } from '../activities/transfer.ts';
import { DATA_QUEUE } from '../model/identifiers.ts';
import { shortLocation } from '../model/location.ts';
import { signalNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import { readinessOf } from '../model/readiness.ts';
import type { StagingReport } from '../model/reports.ts';
import {
  type AbandonAnswer,
  addAnswers,
  type LeftWhole,
  type MoveAnswer,
  type MoveRequest,
  nothingMoved,
  type UnitAnswer,
  wholeOf,
} from '../model/transfer.ts';
import { allOrNone } from './deadline.ts';
import { rootCause } from './failures.ts';
import type { move } from './move.ts';
import { activities } from './presets.ts';

/** At most 400 events in the history of who moves inline: six a unit. */
const INLINE_UNITS = 64;
const DEFAULT_LANES = 4;
/** Of a run that moves, when no more units are begun: one is six events, and four for each of its reports (activities/reports.ts). Carried over: counts and 20 failures, no unit. */
export const EVENTS_PER_RUN = 2000;
const REPORT_STEP = 0.2; // four signals a mount at most, whatever the number of units

/** How far a window has come: plain data, carried into the next run. */
export interface WindowState extends UnitAnswer {
  /** All before it are done. */
  readonly nextUnit: number;
}

export const newWindow: WindowState = { nextUnit: 0, ...nothingMoved };

export interface Moving {
  readonly heartbeatSeconds: number;
  readonly lanes: number;
  /** The workflow that units under way tell their progress. */
  readonly progressTo?: string;
  /** From then on no unit is begun; those under way are finished. */
  readonly isFull?: () => boolean;
  readonly onBegin?: (unit: number) => void;
  readonly onEnd?: (unit: number, window: WindowState) => void;
  /** It failed or was cancelled. */
  readonly onStop?: (unit: number, left: Left) => void;
}

/** What an activity that moves and did not come to its end leaves whole at the target; undefined where it did not get to say so. */
export type Left = LeftWhole | undefined;

/** True when a new run is due: as soon as the server suggests it, and well before any limit. */
export function historyIsFull(eventsPerRun: number): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength > eventsPerRun;
}

/** Before continuing as new: a cancellation that came with the last unit's answer would end with this run, and be lost. */
export function throwIfCancelled(): void {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
}

/** Works through `from` to `to` - 1, so many at once, in order. @returns the first one not begun; `to` at the end */
export async function slide(range: { from: number; to: number; lanes: number }, work: (item: number) => Promise<void>, isFull: () => boolean): Promise<number> {
  let next = range.from;
  const lane = async (): Promise<void> => {
    while (next < range.to && !isFull()) {
      const item = next;
      next += 1;
      await work(item);
    }
  };
  await allOrNone(Array.from({ length: Math.min(range.lanes, range.to - range.from) }, () => lane));
  return next;
}

export async function moveUnits(request: MoveRequest, before: WindowState, moving: Moving): Promise<WindowState> {
  const units = request.manifest.units ?? 0;
  let window = before;
  const nextUnit = await slide(
    { from: before.nextUnit, to: units, lanes: moving.lanes },
    async (unit) => {
      moving.onBegin?.(unit);
      try {
        const answer = await call(moving, `move unit ${unit + 1} of ${units}, ${placesOf(request)}`).moveUnit({ ...request, unit, ...tellsTo(moving) });
        window = { ...addAnswers(window, answer), nextUnit: window.nextUnit };
      } catch (error) {
        moving.onStop?.(unit, leftBy(error));
        throw error;
      }
      moving.onEnd?.(unit, window);
    },
    moving.isFull ?? (() => false),
  );
  return { ...window, nextUnit };
}

/** Behind the last unit: large entries are published, and what arrived is put on record. Its counts are those of the whole move. */
export const finishUnits = (request: MoveRequest, moving: Pick<Moving, 'heartbeatSeconds'>): Promise<MoveAnswer> =>
  call(moving, `finish the move ${placesOf(request)}`).finishMove(request);

/** All in one activity: a small lifecycle costs no more for being cut in units. */
export const moveAtOnce = (request: MoveRequest, moving: Pick<Moving, 'heartbeatSeconds' | 'progressTo'>): Promise<MoveAnswer> =>
  call(moving, `move ${request.manifest.files} files, ${formatBytes(request.manifest.bytes)}, ${placesOf(request)}`).moveWhole({
    ...request,
    ...tellsTo(moving),
  });

export function leftBy(error: unknown): Left {
  // By this workflow, before the activity was so much as scheduled.
  if (error instanceof CancelledFailure) return { files: 0, bytes: 0, isAtLeast: false };
  const cause = rootCause(error);
  return cause instanceof CancelledFailure ? wholeOf(cause.details) : undefined;
}

/** Behind a move of several units that does not go on: what it began of large entries and did not publish. @returns undefined where it could not be given back; a sweep finds the rest */
export async function abandonUnits(request: MoveRequest, { heartbeatSeconds }: Pick<Moving, 'heartbeatSeconds'>): Promise<AbandonAnswer | undefined> {
  const summary = `give back what the move ${placesOf(request)} began and did not publish`;
  const answer = await activities<TransferActivities>('tidy', { queue: DATA_QUEUE, heartbeatSeconds, summary })
    .abandonMove(request)
    .catch(() => undefined);
  // Movers before 0.3 answer a number.
  return typeof answer === 'object' ? answer : undefined;
}

export interface MovingAll {
  readonly heartbeatSeconds: number;
  /** Tells two moves of one workflow apart. */
  readonly name: string;
}

/** The whole of a manifest, however much that is. */
export async function moveAll(request: MoveRequest, { heartbeatSeconds, name }: MovingAll): Promise<MoveAnswer> {
  const units = request.manifest.units ?? 0;
  if (units <= 1) return await moveAtOnce(request, { heartbeatSeconds });
  if (units <= INLINE_UNITS) {
    await moveUnits(request, newWindow, { heartbeatSeconds, lanes: DEFAULT_LANES, onEnd: reporter(request, 0) });
    return await finishUnits(request, { heartbeatSeconds });
  }
  // It stops with its parent, and is waited for: what the parent does next may remove what it writes.
  return await executeChild<typeof move>('move', {
    workflowId: `${workflowInfo().workflowId}/move/${name}`,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE', // the parent may be reset after it failed
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    staticSummary: `move ${formatBytes(request.manifest.bytes)} in ${units} units, ${placesOf(request)}`,
    args: [{ request, lanes: DEFAULT_LANES, heartbeatSeconds }],
  });
}

/** Tells the allocation at steps of a fifth how much of its mount is there; a unit by itself does not know. */
export function reporter({ manifest, report }: MoveRequest, reportedBefore: number): (unit: number, window: WindowState) => void {
  let told = reportedBefore;
  return (_unit, { files, bytes }) => {
    const progress = { files: manifest.files, bytes: manifest.bytes, doneFiles: files, doneBytes: bytes, bytesPerSecond: 0 };
    const share = readinessOf(progress);
    if (!report || share >= 1 || share - told < REPORT_STEP) return;
    told = share;
    const staging: StagingReport = { mounts: [{ mountIndex: report.mountIndex, progress }] };
    // A courtesy: the allocation may be over, and that it is cancelled is told to the units themselves.
    void getExternalWorkflowHandle(report.workflowId)
      .signal(signalNames.stagingReport, staging)
      .catch((error: unknown) => isCancellation(error));
  };
}

/** What was told when so much was there, for a run that goes on. */
export const reportedShare = ({ manifest }: MoveRequest, { files, bytes }: WindowState): number =>
  Math.floor(readinessOf({ files: manifest.files, bytes: manifest.bytes, doneFiles: files, doneBytes: bytes }) / REPORT_STEP) * REPORT_STEP;

const tellsTo = ({ progressTo }: Pick<Moving, 'progressTo'>) => (progressTo === undefined ? {} : { progressTo });

const placesOf = ({ source, target }: MoveRequest): string => `${shortLocation(source)} -> ${shortLocation(target)}`;

const call = ({ heartbeatSeconds }: Pick<Moving, 'heartbeatSeconds'>, summary: string) =>
  activities<TransferActivities>('moving', { queue: DATA_QUEUE, heartbeatSeconds, summary });
