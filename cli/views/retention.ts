import { findingText, type RetentionFinding, type RetentionStage, type RetentionStatus, standingHolds } from '../../model/retention.ts';
import type { ReportedRetention, RetentionReport } from '../../model/retention-report.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';

export const stageTexts: Readonly<Record<RetentionStage, string>> = {
  kept: 'locked',
  undecided: 'waits for `penstock retention dispose`',
  deleting: 'over, being deleted',
  deleted: 'deleted, every version',
  free: 'kept, no longer locked',
};

export function retentionText(status: RetentionStatus): string {
  const { mode, retainUntil, promisedUntil, stage, holds, findings, findingCount, decision } = status;
  const matters = standingHolds(holds).map(({ matter }) => matter);
  const facts = renderFacts([
    ['state', stageTexts[stage]],
    ['until', `${retainUntil} (${mode})`],
    ['promised until', promisedUntil],
    ['legal holds', matters.join(', ') || 'none'],
    ['decided', decision && `${decision.decision} by ${decision.actor}: ${decision.reason}`],
  ]);
  return `${facts}${findingLines(findings, findingCount)}`;
}

/** What the look for this report found, else the last one on schedule. */
export const latestLook = ({
  look,
  findings,
  findingCount,
}: ReportedRetention): { readonly findings: readonly RetentionFinding[]; readonly findingCount: number } => look ?? { findings, findingCount };

/** ISO instant of it; undefined where nobody has looked since it was archived. */
export const lookedAt = ({ look, lastAttestedAt }: ReportedRetention): string | undefined => look?.at ?? lastAttestedAt;

export function reportText({ subject, retentions }: RetentionReport): string {
  if (retentions.length === 0) return escapeLine(`nothing of ${subject} is retained`);
  const rows = retentions.map((each) => [
    `${each.project}/${each.allocationId}`,
    stageTexts[each.stage],
    `${each.retainUntil} ${each.mode}`,
    standingHolds(each.holds)
      .map(({ matter }) => matter)
      .join(', ') || '-',
    String(each.files),
    lookedAt(each) ?? 'not yet',
    lookedAt(each) === undefined ? '-' : String(latestLook(each).findingCount),
  ]);
  const table = renderTable(['allocation', 'state', 'until', 'holds', 'files', 'attested', 'findings'], rows);
  const findings = retentions.flatMap((each) => latestLook(each).findings);
  const count = retentions.reduce((sum, each) => sum + latestLook(each).findingCount, 0);
  return `${table}${findingLines(findings, count)}`;
}

function findingLines(findings: readonly RetentionFinding[], count: number): string {
  if (count === 0) return '';
  const more = count > findings.length ? `\n  and ${count - findings.length} more` : '';
  return `\n\n${count} findings:\n${findings.map((finding) => `  ${escapeLine(findingText(finding))}`).join('\n')}${more}`;
}
