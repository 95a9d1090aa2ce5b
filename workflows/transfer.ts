/**
 * One ad hoc transfer: list, move in a window of units, put on record what arrived. It may be stopped, slowed and cancelled at any time; what has arrived whole
 * stays, and the same transfer started again moves the rest. A large file that was not whole is given back, and moved anew.
 */
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  patched,
  workflowInfo,
} from '@temporalio/workflow';
import type { AdHocActivities } from '../activities/ad-hoc.ts';
import type { TransferActivities } from '../activities/transfer.ts';
import { CONTROL_QUEUE, DATA_QUEUE } from '../model/identifiers.ts';
import { shortLocation } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import type { AbandonAnswer } from '../model/transfer.ts';
import { TransferRequestSchema, type TransferResult, transferWorkflowId } from '../model/transfer-input.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { reasonOf } from './failures.ts';
import { inTurn } from './in-turn.ts';
import { abandonUnits, EVENTS_PER_RUN, finishUnits, historyIsFull, leftBy, moveAtOnce, moveUnits, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';
import { cancelledReason, staysAt } from './transfer/ending.ts';
import { limitTo, setHandlers } from './transfer/messages.ts';
import { enter, lanesOf, moveRequest, newDesk, newRecord, show, statusOf, type TransferDesk, type TransferRecord } from './transfer/state.ts';

/** @param input see TransferRequestSchema. @param carried the record of the run before, where this one continues it. */
export async function transfer(input: unknown, carried?: TransferRecord): Promise<TransferResult> {
  // Only a run that continues another is handed a record; anybody may start one with a second argument.
  const record = carried && workflowInfo().continuedFromExecutionRunId ? carried : open(input);
  const desk = newDesk();
  setHandlers(record, desk);
  try {
    const manifest = record.manifest ?? (await list(record, desk));
    if (record.request.mode === 'plan') {
      enter(record, desk, 'planned');
      return resultOf(record, manifest);
    }
    const isOver = await moveOn(record, desk, manifest);
    if (isOver) enter(record, desk, record.window.failedCount > 0 ? 'partial' : 'complete');
    // A change of the rate under way belongs to this run; an end refuses others.
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    if (isOver) {
      await CancellationScope.nonCancellable(() => limitTo(record.request.transferId, null));
      return resultOf(record, manifest);
    }
    throwIfCancelled();
  } catch (error) {
    await CancellationScope.nonCancellable(() => close(record, desk, error));
    if (isCancellation(error)) throw error;
    throw ApplicationFailure.nonRetryable(record.reason?.message ?? String(error), record.reason?.code ?? 'Failed', statusOf(record, desk));
  }
  return await continueAsNew<typeof transfer>(record.request, record);
}

function open(input: unknown): TransferRecord {
  const request = accept(TransferRequestSchema, input);
  requireWorkflowId(transferWorkflowId(request));
  return newRecord(request);
}

async function list(record: TransferRecord, desk: TransferDesk): Promise<ManifestRef> {
  const { request } = record;
  const { transferId, source, target, exclude, symlinks, mode, allowEmpty } = request;
  enter(record, desk, 'checking');
  // In turn with changes of the rate, which may come first: it puts the limit on record.
  record.opened = await inTurn(desk, () =>
    activities<AdHocActivities>('control', { queue: CONTROL_QUEUE, summary: 'check the request against the site' }).openTransfer({
      transferId,
      source,
      target,
      mode,
      bytesPerSecond: record.limit,
    }),
  );
  enter(record, desk, 'listing');
  const { foreseen, ...manifest } = await activities<TransferActivities>('bulk', {
    queue: DATA_QUEUE,
    heartbeatSeconds: record.opened.heartbeatSeconds,
    summary: `list ${shortLocation(source)}`,
  }).listTransfer({
    name: `transfers/${transferId}`,
    source,
    exclude,
    symlinks,
    ...(allowEmpty ? { allowEmpty } : {}),
    ...(mode === 'plan' ? { foresee: target } : {}),
  });
  record.manifest = manifest;
  if (foreseen) record.foreseen = foreseen;
  return manifest;
}

/** @returns false where the history is full and a new run has to go on */
async function moveOn(record: TransferRecord, desk: TransferDesk, manifest: ManifestRef): Promise<boolean> {
  const request = moveRequest(record, manifest);
  const units = manifest.units ?? 0;
  const { heartbeatSeconds = 30, eventsPerRun = EVENTS_PER_RUN } = record.opened ?? {};
  if (record.state !== 'moving') enter(record, desk, 'moving');
  const progressTo = workflowInfo().workflowId;
  if (units <= 1) {
    begin(desk, 0);
    try {
      finished(record, await moveAtOnce(request, { heartbeatSeconds, progressTo }));
    } catch (error) {
      desk.stopped.set(0, leftBy(error));
      throw error;
    }
    return true;
  }
  record.window = await moveUnits(request, record.window, {
    heartbeatSeconds,
    lanes: lanesOf(record),
    progressTo,
    isFull: () => historyIsFull(Math.min(EVENTS_PER_RUN, eventsPerRun)),
    onBegin: (unit) => {
      begin(desk, unit);
      record.window = { ...record.window, nextUnit: unit + 1 };
    },
    onStop: (unit, left) => void desk.stopped.set(unit, left),
    onEnd: (unit, window) => {
      desk.flying.delete(unit);
      record.window = { ...window, nextUnit: record.window.nextUnit };
      show(record, desk);
    },
  });
  if (record.window.nextUnit < units) return false;
  enter(record, desk, 'finishing');
  finished(record, await finishUnits(request, { heartbeatSeconds }));
  return true;
}

const begin = (desk: TransferDesk, unit: number): void => void desk.flying.set(unit, { unit, doneFiles: 0, doneBytes: 0, bytesPerSecond: 0 });

/** The finish counts the whole: large files as files, and what failed once. */
function finished(record: TransferRecord, { moved, ...answer }: Awaited<ReturnType<typeof finishUnits>>): void {
  record.answer = answer;
  record.window = { ...answer, nextUnit: record.manifest?.units ?? 0 };
  record.moved = moved;
}

function resultOf(record: TransferRecord, manifest: ManifestRef): TransferResult {
  const state = record.state === 'planned' || record.state === 'partial' ? record.state : 'complete';
  const { files, bytes, failedCount, failed } = state === 'planned' ? { ...manifest, failedCount: 0, failed: [] } : record.window;
  const shape = { units: manifest.units ?? 0, lanes: lanesOf(record) };
  const foreseen = record.foreseen ? { foreseen: record.foreseen } : {};
  return { state, files, bytes, ...shape, failedCount, failed, manifest, ...foreseen, ...(record.moved ? { moved: record.moved } : {}) };
}

/** What has arrived stays; the reason says how to go on. */
async function close(record: TransferRecord, desk: TransferDesk, error: unknown): Promise<void> {
  const account = (abandoned: Parameters<typeof staysAt>[2]): void => {
    const stays = staysAt(record, desk, abandoned);
    record.stays = { files: stays.files, bytes: stays.bytes };
    record.reason = isCancellation(error) ? cancelledReason(record, stays) : reasonOf(error);
  };
  const hasLarge = sharesLarge(record);
  account(hasLarge ? 'next' : 'none');
  desk.flying.clear();
  enter(record, desk, isCancellation(error) ? 'cancelled' : 'failed');
  await condition(allHandlersFinished);
  // The name may be used again, without this limit. A plan has none, and the transfer of its name may be under way.
  if (record.request.mode === 'move') await limitTo(record.request.transferId, null);
  if (!hasLarge) return;
  account(await abandon(record));
  show(record, desk);
}

/** Units share only large files; where there is one unit, it has moved by itself. */
const sharesLarge = ({ manifest, movingSince }: TransferRecord): boolean => movingSince !== undefined && (manifest?.units ?? 0) > 1;

async function abandon(record: TransferRecord): Promise<AbandonAnswer | undefined> {
  const { manifest, opened } = record;
  if (!manifest) return undefined;
  // Remove after 2027-06-01: transfers that ended before the change are not replayed any more by then.
  const givesBack = patched('abandon-unfinished');
  return givesBack ? await abandonUnits(moveRequest(record, manifest), { heartbeatSeconds: opened?.heartbeatSeconds ?? 30 }) : undefined;
}
