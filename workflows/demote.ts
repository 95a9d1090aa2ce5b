/** Moves a prefix down a tier: list, copy, verify against what was read, record, and only then remove the source. */
import { ApplicationFailure, CancellationScope } from '@temporalio/workflow';
import type { OutputActivities } from '../activities/output.ts';
import type { TransferActivities } from '../activities/transfer.ts';
import { type AllocationKey, DATA_QUEUE } from '../model/identifiers.ts';
import { formatLocation, type Location } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import type { TransferAnswer, TransferRequest } from '../model/transfer.ts';
import { activities } from './presets.ts';

export interface DemoteRequest extends AllocationKey {
  readonly source: Location;
  readonly target: Location;
  /** Prefixes below the source that stay where they are. */
  readonly exclude: readonly string[];
  readonly outcome: 'succeeded' | 'failed' | 'unknown';
  readonly retention?: TransferRequest['retention'];
  readonly heartbeatSeconds: number;
}

export interface DemoteResult {
  readonly files: number;
  readonly bytes: number;
  readonly manifest: ManifestRef;
}

export async function demote(request: DemoteRequest): Promise<DemoteResult> {
  const { source, target, heartbeatSeconds } = request;
  const retention = request.retention ? { retention: request.retention } : {};
  const bulk = (summary: string) => ({ queue: DATA_QUEUE, heartbeatSeconds, summary });

  const manifest = await activities<TransferActivities>('bulk', bulk(`list ${formatLocation(source)}`)).listPrefix({
    tenant: request.tenant,
    project: request.project,
    allocationId: request.allocationId,
    source,
    exclude: request.exclude,
    name: `${source.store}-to-${target.store}`,
  });
  let nextPage: number | undefined = 0;
  let done = { files: 0, bytes: 0 };
  while (nextPage !== undefined && manifest.files > 0) {
    const answer: TransferAnswer = await activities<TransferActivities>(
      'bulk',
      bulk(`copy ${manifest.files} files ${formatLocation(source)} -> ${target.store}, from page ${nextPage + 1} of ${manifest.pages}`),
    ).transferSegment({ manifest, source, target, lane: 'archive', fromPage: nextPage, done, ...retention });
    if (answer.failedCount > 0) {
      const [first] = answer.failed;
      throw ApplicationFailure.nonRetryable(
        `${answer.failedCount} of ${manifest.files} entries could not be copied, the first is ${first?.path}: ${first?.message}`,
        'PartialTransfer',
        answer.failed,
      );
    }
    nextPage = answer.nextPage;
    done = { files: answer.progress.doneFiles, bytes: answer.progress.doneBytes };
  }
  await activities<TransferActivities>('bulk', bulk(`verify ${formatLocation(target)} against its manifest`)).verifyTransfer({
    manifest,
    target,
    ...retention,
  });
  await activities<OutputActivities>('bulk', bulk(`record ${formatLocation(target)} as whole`)).writeOutputRecord({ ...request, manifest });
  // From the record on, the target is the truth: half a source beside it would be a lie, so this step is always finished.
  await CancellationScope.nonCancellable(() =>
    activities<TransferActivities>('bulk', bulk(`remove the verified source ${formatLocation(source)}`)).removeMoved({ manifest, source }),
  );
  return { files: manifest.files, bytes: manifest.bytes, manifest };
}
