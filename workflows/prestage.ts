/** Brings what a job reads to the hot tier: survey, reserve and pin, then move what is missing. */

import { patched } from '@temporalio/workflow';
import type { StagingActivities } from '../activities/staging.ts';
import type { ResolvedMount } from '../model/data-declaration.ts';
import { type AllocationKey, CONTROL_QUEUE, DATA_QUEUE } from '../model/identifiers.ts';
import type { FailedEntry } from '../model/manifest.ts';
import { formatBytes } from '../model/quantity.ts';
import { FAILED_SHOWN, type Survey, type SurveyedMount } from '../model/transfer.ts';
import { moveAll } from './moving.ts';
import { activities } from './presets.ts';
import { moveInSegments } from './segments.ts';

export interface PrestageRequest extends AllocationKey {
  /** The allocation that waits for the data; progress is reported to it. */
  readonly allocation: string;
  readonly mounts: readonly ResolvedMount[];
  readonly pinnedUntil: string;
  readonly heartbeatSeconds: number;
}

export interface PrestageResult {
  readonly files: number;
  readonly bytes: number;
  /** May be later than asked for, where waiting for space took long. */
  readonly pinnedUntil: string;
  readonly failedCount: number;
  /** The first few of the failed entries. */
  readonly failed: readonly FailedEntry[];
}

export async function prestage(request: PrestageRequest): Promise<PrestageResult> {
  // Remove after 2027-03-01: allocations started before 0.2 have ended by then.
  const inUnits = patched('sliding-window');
  const { heartbeatSeconds, allocation, pinnedUntil } = request;
  const key: AllocationKey = { tenant: request.tenant, project: request.project, allocationId: request.allocationId };
  const survey = await activities<StagingActivities>('bulk', {
    queue: DATA_QUEUE,
    heartbeatSeconds,
    summary: `list ${request.mounts.map((mount) => mount.source).join(', ')}`,
  }).survey({ ...key, mounts: request.mounts, allocation });

  const { pinnedUntil: pin } = await activities<StagingActivities>('waiting', {
    queue: CONTROL_QUEUE,
    heartbeatSeconds,
    summary: `reserve ${formatBytes(missingBytes(survey))} on the hot tier and pin it until ${pinnedUntil}`,
  }).reserveHot({ ...key, survey, pinnedUntil, allocation });

  const moved = await Promise.all(survey.mounts.map((mount) => moveMount(mount, request, inUnits)));
  // One after the other, and after what is copied: each recall is given staging's whole share of the bandwidth.
  for (const recall of survey.recalls) {
    await activities<StagingActivities>('bulk', {
      queue: CONTROL_QUEUE,
      heartbeatSeconds,
      summary: `recall ${recall.files} files, ${formatBytes(recall.bytes)} below ${recall.path}`,
    }).recall({ ...key, ...recall, allocation });
  }
  return {
    files: sum(survey.mounts.map((mount) => mount.manifest.files)) + sum(survey.recalls.map((recall) => recall.files)),
    bytes: sum(survey.mounts.map((mount) => mount.manifest.bytes)) + sum(survey.recalls.map((recall) => recall.bytes)),
    pinnedUntil: pin,
    failedCount: sum(moved.map((each) => each.failedCount)),
    failed: moved.flatMap((each) => each.failed).slice(0, FAILED_SHOWN),
  };
}

function moveMount(mount: SurveyedMount, request: PrestageRequest, inUnits: boolean): Promise<Pick<PrestageResult, 'failedCount' | 'failed'>> {
  const { manifest, source, target, mountIndex } = mount;
  const { heartbeatSeconds } = request;
  const move = { manifest, source, target, lane: 'staging', report: { workflowId: request.allocation, mountIndex } } as const;
  // A worker from before 0.2 may have written the manifest, and counts no units.
  return inUnits && manifest.units !== undefined
    ? moveAll({ ...move, replace: true }, { heartbeatSeconds, name: String(mountIndex) }) // a newer version replaces the one staged before
    : moveInSegments(move, { heartbeatSeconds, endAtFailure: false });
}

const missingBytes = (survey: Survey): number =>
  sum(survey.mounts.map((mount) => mount.manifest.bytes - mount.hotBytes)) + sum(survey.recalls.map((recall) => recall.bytes));
const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
