/** What the server tells of an activity under way: live answers are made of it. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';

export type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

export const typeOf = ({ activityType }: PendingActivity): string => activityType?.name ?? '';

/** Of its last heartbeat; undefined where there was none. */
export function heartbeatOf({ heartbeatDetails }: PendingActivity): unknown {
  const payload = heartbeatDetails?.payloads?.[0];
  return payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
}

/** Since 1970; undefined where there was no such instant. */
export const millisecondsOf = (instant: PendingActivity['lastHeartbeatTime']): number | undefined =>
  instant ? Number(instant.seconds) * 1000 + Number(instant.nanos ?? 0) / 1e6 : undefined;
