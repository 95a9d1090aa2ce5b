/** Histories as the server holds them: over all runs of a workflow, and what can be read from their events. */
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import type { TestSite } from './site.ts';

export type HistoryEvent = NonNullable<History['events']>[number];

export interface Run {
  readonly runId: string;
  readonly events: readonly HistoryEvent[];
}

export async function eventsOf(client: Client, workflowId: string, runId?: string): Promise<HistoryEvent[]> {
  return (await client.workflow.getHandle(workflowId, runId).fetchHistory()).events ?? [];
}

/** Every run from the given one on, in order: each that continued as new names its successor. */
export async function runsOf(client: Client, workflowId: string, firstRunId: string): Promise<Run[]> {
  const runs: Run[] = [];
  for (let runId: string | undefined = firstRunId; runId !== undefined; ) {
    const events = await eventsOf(client, workflowId, runId);
    runs.push({ runId, events });
    runId = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return runs;
}

/** The phase that the run last showed in its search attributes. */
export function phaseIn(events: readonly HistoryEvent[]): string | undefined {
  const payload = events.findLast((event) => event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields?.['phase'])
    ?.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields?.['phase'];
  const shown: unknown = payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
  const phase: unknown = Array.isArray(shown) ? shown[0] : shown;
  return typeof phase === 'string' ? phase : undefined;
}

export const scheduled = (events: readonly HistoryEvent[], activityType: string): HistoryEvent[] =>
  events.filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activityType);

export const signalled = (events: readonly HistoryEvent[], signal: string): HistoryEvent[] =>
  events.filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === signal);

export const childrenStarted = (events: readonly HistoryEvent[], workflowType: string): HistoryEvent[] =>
  events.filter((event) => event.childWorkflowExecutionStartedEventAttributes?.workflowType?.name === workflowType);

/** While the work runs, the processes that move bytes stand still: what waits for them is caught where it waits, however fast the disks are. */
export async function whileMoversStand<T>(site: TestSite, work: () => Promise<T>): Promise<T> {
  await site.running.service('worker-data').kill('SIGSTOP');
  try {
    return await work();
  } finally {
    await site.running.service('worker-data').kill('SIGCONT');
  }
}
