/** A transfer, its plan and a check as people read them. */
import { type CheckResult, checkSymbols, differences } from '../../model/check.ts';
import { shortLocation } from '../../model/location.ts';
import type { ManifestRef } from '../../model/manifest.ts';
import { formatBandwidth, formatBytes } from '../../model/quantity.ts';
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
    ['not moved', status.failedCount > 0 ? `${status.failedCount} entries` : undefined],
    ['manifest', status.manifest && manifestText(status.manifest)],
    ['what arrived', status.moved && manifestText(status.moved)],
  ]);
  return [facts, ...failedText(status)].join('\n\n');
}

export function resultText(transferId: string, result: TransferResult): string {
  const facts = renderFacts([
    ['transfer', transferId],
    ['state', result.state],
    ['moved', `${result.files} files, ${formatBytes(result.bytes)}`],
    ['not moved', result.failedCount > 0 ? `${result.failedCount} entries; all of them: ${manifestText(result.manifest)}failed/` : undefined],
    ['what arrived', result.moved && manifestText(result.moved)],
    ['prove it later', `penstock check ${transferId}`],
  ]);
  return [facts, ...failedText(result)].join('\n\n');
}

/** Says what the real transfer would be begun with, and what it does not say. */
export function planText(request: AdHocTransfer, plan: TransferResult): string {
  return renderFacts([
    ['would move', `${plan.files} files, ${formatBytes(plan.bytes)}; what lies at the target unchanged is found there and not moved again`],
    ['from', shortLocation(request.source)],
    ['to', shortLocation(request.target)],
    ['other content there', request.replace ? 'is replaced' : 'stays, and its entry is told as a Conflict'],
    ['units', `${plan.units}, ${plan.lanes} at once`],
    ['limit', rateText(request.bytesPerSecond ?? null)],
    ['list', manifestText(plan.manifest)],
  ]);
}

export function checkText(result: CheckResult): string {
  const { counts, lines, report } = result;
  const rows = [
    ['=', counts.same, 'the same'],
    ['=', counts.sameSize, 'the same size; the manifest has no checksum'],
    [checkSymbols.missing, counts.missing, 'missing at the target'],
    [checkSymbols.extra, counts.extra, 'extra at the target'],
    [checkSymbols.differing, counts.differing, 'different'],
    [checkSymbols.unreadable, counts.unreadable, 'unreadable'],
  ] as const;
  const told = rows.filter(([symbol, count], index) => count > 0 || (symbol === '=' && index === 0));
  const table = renderTable(
    ['', 'entries', ''],
    told.map(([symbol, count, meaning]) => [symbol, String(count), meaning]),
  );
  if (differences(counts) === 0) return table;
  const shown = lines.map((line) => escapeLine(line.replace('\t', ': '))).join('\n');
  return `${table}\n\n${shown}${report ? `\n\nall ${differences(counts)}: ${report.store}:${report.bucket}/${report.key}` : ''}`;
}

export const rateText = (bytesPerSecond: number | null): string =>
  bytesPerSecond === null ? 'none' : bytesPerSecond === 0 ? '0: stopped' : formatBandwidth(bytesPerSecond);

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
