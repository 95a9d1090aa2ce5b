/** A recall as people read it. */
import type { FailedEntry } from '../../model/manifest.ts';
import { formatBytes, formatCount } from '../../model/quantity.ts';
import type { RecallResult, RecallStatus } from '../../model/recall.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';

export function recallStatusText(status: RecallStatus): string {
  const { tenant, project, allocationId, recallId, path, tier, target, waiting, objects, waitingObjects, notTaken, asked } = status;
  const facts = renderFacts([
    ['recall', `${tenant}/${project}/${allocationId}/${recallId}`],
    ['state', `${status.state}, started ${status.startedAt}`],
    ['what', path || 'all of the output'],
    ['target', target],
    ['recalled', `${status.doneFiles} of ${status.files} files, ${formatBytes(status.doneBytes)} of ${formatBytes(status.bytes)}`],
    ['waits for', waiting && `${waitingObjects} of ${objects} objects, being restored since ${waiting.since}`],
    ['not begun', notTaken > 0 ? `${notTaken} objects: the store has no capacity for ${tier} restores now` : undefined],
    ['expected by', waiting?.expectedBy],
    ['next look', waiting?.nextLookAt],
    ['asked for', `${asked} restores, ${tier}`],
  ]);
  return [facts, ...failedText(status)].join('\n\n');
}

export function recallResultText(result: RecallResult): string {
  const facts = renderFacts([
    ['state', result.state],
    ['recalled', `${formatCount(result.files, 'file')}, ${formatBytes(result.bytes)}, counting what lay there unchanged already`],
    ['from', `${formatCount(result.objects, 'object')}, ${formatCount(result.asked, 'restore')} asked for`],
    ['not recalled', result.failedCount > 0 ? `${result.failedCount} files` : undefined],
  ]);
  return [facts, ...failedText(result)].join('\n\n');
}

function failedText({ failedCount, failed }: { readonly failedCount: number; readonly failed: readonly FailedEntry[] }): string[] {
  if (failedCount === 0) return [];
  return [
    renderTable(
      ['not recalled', 'type', 'why'],
      failed.map(({ path, type, message }) => [escapeLine(path), type, message]),
    ),
  ];
}
