/** What can be said to a transfer and asked of it. */
import { ApplicationFailure, defineQuery, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import type { LimitActivities } from '../../activities/limits.ts';
import { CONTROL_QUEUE } from '../../model/identifiers.ts';
import { queryNames, signalNames, updateNames } from '../../model/messages.ts';
import { formatBandwidth } from '../../model/quantity.ts';
import type { UnitProgress } from '../../model/transfer.ts';
import { isTransferEnd, type RateAnswer, SetRateSchema, type TransferStatus } from '../../model/transfer-input.ts';
import { accept } from '../accept.ts';
import { now } from '../clock.ts';
import { inTurn } from '../in-turn.ts';
import { activities } from '../presets.ts';
import { show, statusOf, type TransferDesk, type TransferRecord } from './state.ts';

const setRate = defineUpdate<RateAnswer, [unknown]>(updateNames.setRate);
const unitProgress = defineSignal<[UnitProgress]>(signalNames.unitProgress);
const transferStatus = defineQuery<TransferStatus>(queryNames.transferStatus);

export function setHandlers(record: TransferRecord, desk: TransferDesk): void {
  setHandler(transferStatus, () => statusOf(record, desk));
  setHandler(unitProgress, (progress) => {
    // One that is done may still be telling.
    if (!desk.flying.has(progress.unit)) return;
    desk.flying.set(progress.unit, progress);
    desk.toldAt = now();
    show(record, desk);
  });
  setHandler(
    setRate,
    async (input) => {
      const { bytesPerSecond } = accept(SetRateSchema, input);
      await inTurn(desk, async () => {
        await limitTo(record.request.transferId, bytesPerSecond);
        record.limit = bytesPerSecond;
        show(record, desk);
      });
      return { bytesPerSecond };
    },
    {
      validator: (input) => {
        accept(SetRateSchema, input);
        if (isTransferEnd(record.state)) throw ApplicationFailure.nonRetryable(`the transfer is already ${record.state}`, 'Refused');
      },
    },
  );
}

/** Movers see the record within seconds. */
export const limitTo = (transferId: string, bytesPerSecond: number | null): Promise<void> =>
  activities<LimitActivities>('control', {
    queue: CONTROL_QUEUE,
    summary: bytesPerSecond === null ? 'take the limit away' : `limit to ${formatBandwidth(bytesPerSecond)}`,
  }).setTransferLimit({ transferId, bytesPerSecond });
