/** Moving in segments of five minutes, one after the other: how moves begun before 0.2 go on. Goes with the patch `sliding-window`; see docs/replay.md. */
import type { TransferActivities } from '../activities/transfer.ts';
import { DATA_QUEUE } from '../model/identifiers.ts';
import { formatLocation } from '../model/location.ts';
import type { FailedEntry } from '../model/manifest.ts';
import { FAILED_SHOWN, type TransferAnswer, type TransferRequest } from '../model/transfer.ts';
import { activities } from './presets.ts';

export interface Segments {
  readonly heartbeatSeconds: number;
  /** No further segment once an entry could not be moved. */
  readonly endAtFailure: boolean;
}

export async function moveInSegments(
  request: Omit<TransferRequest, 'fromPage' | 'done'>,
  { heartbeatSeconds, endAtFailure }: Segments,
): Promise<Pick<TransferAnswer, 'failedCount' | 'failed'>> {
  const { manifest, source, target } = request;
  let nextPage: number | undefined = 0;
  let done = { files: 0, bytes: 0 };
  let failedCount = 0;
  const failed: FailedEntry[] = [];
  while (nextPage !== undefined && !(endAtFailure && failedCount > 0)) {
    const answer: TransferAnswer = await activities<TransferActivities>('bulk', {
      queue: DATA_QUEUE,
      heartbeatSeconds,
      summary: `move ${formatLocation(source)} -> ${target.store}, from page ${nextPage + 1} of ${manifest.pages}`,
    }).transferSegment({ ...request, fromPage: nextPage, done });
    nextPage = answer.nextPage;
    done = { files: answer.progress.doneFiles, bytes: answer.progress.doneBytes };
    failedCount += answer.failedCount;
    failed.push(...answer.failed.slice(0, FAILED_SHOWN - failed.length));
  }
  return { failedCount, failed };
}
