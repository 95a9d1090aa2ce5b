/**
 * The drained checkpoints of an allocation after its end: all of them for some days, then the last ones and those that are kept. Goes on while the store
 * holds one that would go. Where an allocation of the same name runs again, its end is waited for, too.
 */
import { condition, continueAsNew, defineQuery, isCancellation, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { CheckpointRetentionActivities, EndedAllocation } from '../activities/checkpoint-retention.ts';
import type { RetentionLook } from '../model/checkpoint-retention.ts';
import { messageOf } from '../model/errors.ts';
import { DATA_QUEUE } from '../model/identifiers.ts';
import { queryNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import { later, now } from './clock.ts';
import { rootCause } from './failures.ts';
import { historyIsFull } from './moving.ts';
import { activities } from './presets.ts';

export interface RetainCheckpointsRequest extends EndedAllocation {
  readonly heartbeatSeconds: number;
  /** ISO instant of the next look; what is due is decided then, by the site file of then. */
  readonly lookAt: string;
  /** From the run before, where this one continues it. */
  readonly removed?: number;
}

/** What the query `status` answers. */
export interface CheckpointRetentionStatus {
  readonly lookAt: string;
  readonly removed: number;
  readonly last?: RetentionLook;
  /** Why the last look failed; there is another one a day later. */
  readonly problem?: string | undefined;
}

const DAY_MS = 86_400_000;
/** No timer is longer: a clock that was set wrong, or a wish for centuries, costs a look at the clock a month. */
const LONGEST_TIMER_MS = 30 * DAY_MS;
/** A timer and an activity with its tasks are eleven: some 45 looks. */
const EVENTS_PER_RUN = 500;

const status = defineQuery<CheckpointRetentionStatus>(queryNames.status);

export async function retainCheckpoints(request: RetainCheckpointsRequest): Promise<CheckpointRetentionStatus> {
  const { heartbeatSeconds } = request;
  let known: CheckpointRetentionStatus = { lookAt: request.lookAt, removed: request.removed ?? 0 };
  setHandler(status, () => known);
  for (;;) {
    setCurrentDetails(renderDetails(known));
    await untilInstant(known.lookAt);
    if (Date.now() >= Date.parse(known.lookAt)) {
      known = { ...known, ...(await look(request, heartbeatSeconds)) };
      known = { ...known, removed: known.removed + (known.problem === undefined ? (known.last?.removed ?? 0) : 0) };
      if (known.problem === undefined && known.last?.nextLookAt === undefined) break;
    }
    if (historyIsFull(EVENTS_PER_RUN)) {
      await continueAsNew<typeof retainCheckpoints>({ ...request, lookAt: known.lookAt, removed: known.removed });
    }
  }
  setCurrentDetails(renderDetails(known));
  return known;
}

async function untilInstant(instant: string): Promise<void> {
  const milliseconds = Math.min(Date.parse(instant) - Date.now(), LONGEST_TIMER_MS);
  if (milliseconds > 0) await condition(() => false, milliseconds, { summary: 'the checkpoints that are not kept go' });
}

/** What failed for good is shown and tried again: racks that are replaced and site files that are mended tell nobody here. */
async function look(
  { tenant, project, allocationId, endedAt }: RetainCheckpointsRequest,
  heartbeatSeconds: number,
): Promise<Pick<CheckpointRetentionStatus, 'lookAt' | 'last' | 'problem'>> {
  const call = activities<CheckpointRetentionActivities>('bulk', {
    queue: DATA_QUEUE,
    heartbeatSeconds,
    summary: `remove the checkpoints of ${allocationId} that are not kept`,
  });
  try {
    const last = await call.removeSuperfluousCheckpoints({ tenant, project, allocationId, endedAt });
    return { lookAt: last.nextLookAt ?? now(), last, problem: undefined };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { lookAt: later(DAY_MS / 1000), problem: messageOf(rootCause(error)) };
  }
}

function renderDetails({ lookAt, removed, last, problem }: CheckpointRetentionStatus): string {
  return [
    `**${removed} checkpoints removed**${last ? `, ${last.stay} stay` : ''}`,
    '',
    ...(problem === undefined ? [] : [`- **the last look failed**: ${problem}`]),
    ...(last && last.held > 0 ? [`- ${last.held} would go, and the store holds them`] : []),
    ...(last && last.removed > 0 ? [`- ${formatBytes(last.removedBytes)} freed by the last look`] : []),
    `- next look ${last && last.nextLookAt === undefined && problem === undefined ? 'none: nothing is left to go' : lookAt}`,
  ].join('\n');
}
