/** The demotion policy's schedule, and what a plan of it must know of allocations. */
import { type Client, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { DEMOTION_SCHEDULE_ID, type DemotionResult, RUNNING_ALLOCATIONS } from '../model/demotion-run.ts';
import { queryNames } from '../model/messages.ts';
import { ask } from './calls.ts';
import { Refusal } from './refusal.ts';

export interface DemotionSchedule {
  readonly paused: boolean;
  /** ISO instant; absent where it is paused. */
  readonly nextRunAt?: string;
  /** How far the run is that is under way. */
  readonly underWay?: { readonly workflowId: string; readonly result?: DemotionResult };
}

export interface DemotionCalls {
  /** Refusal NotFound where no control worker has created it yet. */
  schedule(): Promise<DemotionSchedule>;
  /** A run now, beside those by the clock; none where one is under way. */
  run(): Promise<void>;
  /** Workflow ids of the allocations that are not over; Temporal's visibility may lag by seconds. */
  allocationsUnderWay(): Promise<string[]>;
}

export function demotionCalls(client: Client): DemotionCalls {
  const handle = client.schedule.getHandle(DEMOTION_SCHEDULE_ID);
  return {
    async schedule() {
      const { state, info } = await handle.describe().catch(noSchedule);
      const [next] = info.nextActionTimes;
      const workflowId = info.runningActions.at(-1)?.workflow.workflowId;
      return {
        paused: state.paused,
        ...(next && !state.paused ? { nextRunAt: next.toISOString() } : {}),
        ...(workflowId === undefined ? {} : { underWay: await underWay(client, workflowId) }),
      };
    },
    run: () => handle.trigger(ScheduleOverlapPolicy.SKIP).catch(noSchedule),
    async allocationsUnderWay() {
      const ids: string[] = [];
      for await (const { workflowId } of client.workflow.list({ query: RUNNING_ALLOCATIONS })) ids.push(workflowId);
      return ids;
    },
  };
}

async function underWay(client: Client, workflowId: string): Promise<NonNullable<DemotionSchedule['underWay']>> {
  const result = await ask<DemotionResult | undefined>(client, client.workflow.getHandle(workflowId), queryNames.status);
  return { workflowId, ...(result ? { result } : {}) };
}

function noSchedule(error: unknown): never {
  if (!(error instanceof ScheduleNotFoundError)) throw error;
  throw new Refusal('NotFound', `there is no schedule ${DEMOTION_SCHEDULE_ID}. A control worker creates it at its start.`, error);
}
