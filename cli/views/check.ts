/** A check as people read it. */
import { type CheckAnswer, type CheckDifference, type CheckResult, type CheckStatus, checkLine, checkSymbols, differences } from '../../model/check.ts';
import type { ManifestRef } from '../../model/manifest.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';

export function checkText(checkId: string, { notMoved, manifest, report, ...answer }: CheckResult): string {
  return [
    countsText(answer),
    ...(answer.lines.length > 0 ? [shownText(answer)] : []),
    ...(report ? [`all ${differences(answer.counts)}: penstock check report ${checkId}`] : []),
    ...(notMoved ? [`${notMoved} entries of this transfer were not moved and are not checked: penstock transfer failed ${transferOf(manifest)}`] : []),
  ].join('\n\n');
}

export function checkStatusText(status: CheckStatus): string {
  const { checkId, state, startedAt, target, notMoved, report } = status;
  const facts = renderFacts([
    ['check', checkId],
    ['state', `${state}, started ${startedAt}`],
    ['target', target],
    ['checked', checkLine(status)],
    ['not checked', notMoved ? `${notMoved} entries that were not moved` : undefined],
    ['all differences', report && `penstock check report ${checkId}`],
  ]);
  return [facts, countsText(status), ...(status.lines.length > 0 ? [shownText(status)] : [])].join('\n\n');
}

/** A line for scripts, as in the stored list: behind a tab what is wrong. */
export const differenceText = ({ symbol, path, detail }: CheckDifference): string =>
  `${symbol} ${escapeLine(path)}${detail === undefined ? '' : `\t${escapeLine(detail)}`}`;

function countsText({ counts }: CheckAnswer): string {
  const rows = [
    ['=', counts.same, 'the same'],
    ['=', counts.sameSize, 'the same size; the manifest has no checksum'],
    [checkSymbols.missing, counts.missing, 'missing at the target'],
    [checkSymbols.extra, counts.extra, 'extra at the target'],
    [checkSymbols.differing, counts.differing, 'different'],
    [checkSymbols.unreadable, counts.unreadable, 'unreadable'],
  ] as const;
  const told = rows.filter(([symbol, count], index) => count > 0 || (symbol === '=' && index === 0));
  return renderTable(
    ['', 'entries', ''],
    told.map(([symbol, count, meaning]) => [symbol, String(count), meaning]),
  );
}

const shownText = ({ lines }: CheckAnswer): string => lines.map((line) => escapeLine(line.replace('\t', ': '))).join('\n');

/** Manifests of transfers lie below manifests/transfers/NAME/. */
const transferOf = ({ prefix }: ManifestRef): string => /^manifests\/transfers\/([^/]+)\//.exec(prefix)?.[1] ?? 'NAME';
