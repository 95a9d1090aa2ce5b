/** A transfer and its plan as people read them. */
import { shortLocation } from '../../model/location.ts';
import type { FailedEntry, ManifestRef } from '../../model/manifest.ts';
import { formatBandwidth, formatBytes, formatCount } from '../../model/quantity.ts';
import { transferLine } from '../../model/transfer-details.ts';
import type { AdHocTransfer, TransferResult, TransferStatus } from '../../model/transfer-input.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';

export function transferText(status: TransferStatus): string {
  const { limit, units, doneUnits, lanes } = status;
  const facts = renderFacts([
    ['transfer', status.transferId],
    ['state', `${status.state}${status.endedAt ? ` since ${status.endedAt}` : `, started ${status.startedAt}`}`],
    ['reason', status.reason && `${status.reason.code}: ${status.reason.message}`],
    ['source', status.source],
    ['target', status.target],
    ['moved', transferLine(status)],
    ['units', units > 0 ? `${doneUnits} of ${units}, ${lanes} at once` : undefined],
    ['limit', rateText(limit)],
    ['not moved', notMovedText(status.transferId, status.failedCount)],
    ['manifest', status.manifest && manifestText(status.manifest)],
    ['what arrived', status.moved && manifestText(status.moved)],
  ]);
  return [facts, ...failedText(status)].join('\n\n');
}

export function resultText(transferId: string, result: TransferResult): string {
  const facts = renderFacts([
    ['transfer', transferId],
    ['state', result.state],
    ['moved', `${formatCount(result.files, 'file')}, ${formatBytes(result.bytes)}, counting what lay there unchanged already`],
    ['not moved', notMovedText(transferId, result.failedCount)],
    ['what arrived', result.moved && manifestText(result.moved)],
    ['prove it later', `penstock check ${transferId}`],
  ]);
  return [facts, ...failedText(result)].join('\n\n');
}

/** Says what the real transfer would be begun with, and what it does not say. */
export function planText(request: AdHocTransfer, plan: TransferResult): string {
  const facts = renderFacts([
    ['would move', `${plan.files} files, ${formatBytes(plan.bytes)}; what lies at the target unchanged is found there and not moved again`],
    ['from', shortLocation(request.source)],
    ['to', shortLocation(request.target)],
    ['other content there', request.replace ? 'is replaced' : 'stays, and its entry is told as a Conflict'],
    ['cannot be moved', plan.foreseen && `${plan.foreseen.count} of these, as far as a list can tell`],
    ['units', `${plan.units}, ${plan.lanes} at once`],
    ['limit', rateText(request.bytesPerSecond ?? null)],
    ['list', manifestText(plan.manifest)],
  ]);
  const { count = 0, first = [] } = plan.foreseen ?? {};
  return [facts, ...failedText({ failedCount: count, failed: first })].join('\n\n');
}

export const rateText = (bytesPerSecond: number | null): string =>
  bytesPerSecond === null ? 'none' : bytesPerSecond === 0 ? '0: stopped' : formatBandwidth(bytesPerSecond);

const notMovedText = (transferId: string, count: number): string | undefined =>
  count > 0 ? `${count} entries; all of them: penstock transfer failed ${transferId}` : undefined;

/** A line for scripts: fields behind tabs. */
export const failedLine = ({ path, type, message }: FailedEntry): string => [path, type, message].map(escapeLine).join('\t');

const manifestText = (manifest: ManifestRef): string => shortLocation(manifest);

const failedText = ({ failed, failedCount }: Pick<TransferStatus, 'failed' | 'failedCount'>): string[] =>
  failedCount === 0
    ? []
    : [
        renderTable(
          ['not moved', 'type', 'why'],
          failed.map(({ path, type, message }) => [path, type, message]),
        ),
      ];
