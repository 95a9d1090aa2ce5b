/** A move of many units in a history of its own, for a prestage or a demote that waits for it. */
import { continueAsNew } from '@temporalio/workflow';
import type { MoveAnswer, MoveRequest } from '../model/transfer.ts';
import { EVENTS_PER_RUN, finishUnits, historyIsFull, moveUnits, newWindow, reportedShare, reporter, throwIfCancelled, type WindowState } from './moving.ts';

export interface MoveInput {
  readonly request: MoveRequest;
  readonly lanes: number;
  readonly heartbeatSeconds: number;
  /** {@link EVENTS_PER_RUN} where absent; smaller in tests. */
  readonly eventsPerRun?: number;
  /** From the run before, where this one continues it. */
  readonly window?: WindowState;
}

export async function move(input: MoveInput): Promise<MoveAnswer> {
  const { request, lanes, heartbeatSeconds, eventsPerRun = EVENTS_PER_RUN, window: before = newWindow } = input;
  const window = await moveUnits(request, before, {
    lanes,
    heartbeatSeconds,
    isFull: () => historyIsFull(eventsPerRun),
    onEnd: reporter(request, reportedShare(request, before)),
  });
  if (window.nextUnit < (request.manifest.units ?? 0)) {
    throwIfCancelled();
    await continueAsNew<typeof move>({ ...input, window });
  }
  return await finishUnits(request, { heartbeatSeconds });
}
