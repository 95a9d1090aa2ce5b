/** The limits of the stores: one workflow is the one writer of their records, which every mover watches. It ends only where it is cancelled, and the records stay. */
import { allHandlersFinished, condition, continueAsNew, defineQuery, defineUpdate, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { LimitActivities } from '../activities/limits.ts';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { SetStoreLimitSchema, type StoreLimits } from '../model/limits.ts';
import { queryNames, updateNames } from '../model/messages.ts';
import { formatBandwidth } from '../model/quantity.ts';
import { accept } from './accept.ts';
import { inTurn, newTurns } from './in-turn.ts';
import { historyIsFull } from './moving.ts';
import { activities } from './presets.ts';

export interface LimitsInput {
  /** From the run before, where this one continues it. */
  readonly limits?: StoreLimits;
  /** 2,000 where absent, which are some 200 changes; smaller in tests. */
  readonly eventsPerRun?: number;
}

const EVENTS_PER_RUN = 2000;

const setStoreLimit = defineUpdate<StoreLimits, [unknown]>(updateNames.setStoreLimit);
/** Unlike the query it starts the workflow where it does not run, and waits until the records have been read. */
const storeLimits = defineUpdate<StoreLimits>(updateNames.storeLimits);
const queryLimits = defineQuery<StoreLimits>(queryNames.storeLimits);

export async function limits({ limits: carried, eventsPerRun = EVENTS_PER_RUN }: LimitsInput = {}): Promise<void> {
  let known = carried;
  const turns = newTurns();
  const control = (summary: string) => activities<LimitActivities>('control', { queue: CONTROL_QUEUE, summary });
  const read = async (): Promise<StoreLimits> => {
    await condition(() => known !== undefined);
    return known ?? {};
  };

  setHandler(queryLimits, () => known ?? {});
  setHandler(storeLimits, read);
  setHandler(
    setStoreLimit,
    async (input) => {
      const { store, bytesPerSecond } = accept(SetStoreLimitSchema, input);
      await inTurn(turns, async () => {
        const { [store]: _, ...others } = await read();
        await control(`limit ${store} to ${bytesPerSecond === null ? 'no limit' : formatBandwidth(bytesPerSecond)}`).setStoreLimit({ store, bytesPerSecond });
        known = bytesPerSecond === null ? others : { ...others, [store]: bytesPerSecond };
        show(known);
      });
      return read();
    },
    { validator: (input) => void accept(SetStoreLimitSchema, input) },
  );

  known ??= await control('read the limits on record').readStoreLimits();
  show(known);
  await condition(() => historyIsFull(eventsPerRun));
  await condition(allHandlersFinished);
  await continueAsNew<typeof limits>({ limits: known, eventsPerRun });
}

function show(known: StoreLimits): void {
  const lines = Object.entries(known).map(([store, rate]) => `- ${store}: ${formatBandwidth(rate)} for each mover process`);
  setCurrentDetails(lines.length === 0 ? 'no store is limited' : `**limits**\n\n${lines.join('\n')}`);
}
