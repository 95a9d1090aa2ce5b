/** What a change must not look like: this `prestage` reserves before it surveys, and a run that began with the survey cannot go on with it. */
import type { StagingActivities } from '../../../activities/staging.ts';
import { CONTROL_QUEUE, DATA_QUEUE } from '../../../model/identifiers.ts';
import { activities } from '../../../workflows/presets.ts';
import type { PrestageRequest } from '../../../workflows/prestage.ts';

export async function prestage({ tenant, project, allocationId, mounts, allocation, pinnedUntil }: PrestageRequest): Promise<void> {
  const key = { tenant, project, allocationId };
  const reserve = activities<StagingActivities>('waiting', { queue: CONTROL_QUEUE, summary: 'reserve what nobody has counted' });
  await reserve.reserveHot({ ...key, survey: { mounts: [], recalls: [] }, pinnedUntil, allocation });
  const list = activities<StagingActivities>('bulk', { queue: DATA_QUEUE, summary: 'list too late' });
  await list.survey({ ...key, mounts, allocation });
}
