/** The broker, and what it is held to: an entity workflow whose update does nothing. Both continue as new at the same bound. */
import { allHandlersFinished, condition, continueAsNew, defineUpdate, setHandler } from '@temporalio/workflow';
import { EVENTS_PER_RUN, historyIsFull } from '../../workflows/moving.ts';

export { broker } from '../../workflows/broker.ts';

const touch = defineUpdate<number, [unknown]>('touch');

export async function bare(count = 0): Promise<void> {
  let touched = count;
  setHandler(touch, () => ++touched);
  await condition(() => historyIsFull(EVENTS_PER_RUN));
  await condition(allHandlersFinished);
  await continueAsNew<typeof bare>(touched);
}
