/** Demotion rules, what they would move, and how their last run ended, as people read them. */
import type { LastDemotion } from '../../activities/demotion-record.ts';
import type { DemotionSchedule } from '../../client/demotion.ts';
import type { DemotionPolicy, DemotionRule } from '../../model/demotion-rules.ts';
import type { DemotionResult } from '../../model/demotion-run.ts';
import { type AgeBy, type StayReason, stayReasons, stayReasonTexts } from '../../model/demotion-verdict.ts';
import { formatBytes } from '../../model/quantity.ts';
import type { Counts } from '../../model/transfer.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';
import type { DemotionPlan, PlannedFile } from '../plan/demotion.ts';

export function rulesText({ rules, hotOnly }: DemotionPolicy): string {
  if (rules.length === 0) return 'No rule moves anything.';
  const table = renderTable(
    ['rule', 'from', 'to', 'takes what'],
    rules.map((rule) => [rule.name, rule.from, rule.to, conditionsOf(rule).join(', ')]),
  );
  return [table, ...(hotOnly.length > 0 ? [renderFacts([['stays in any case', hotOnly.join(', ')]])] : [])].join('\n\n');
}

function conditionsOf({ sinceAccessDays, sinceFinishDays, minBytes, maxBytes, tenant, prefix }: DemotionRule): string[] {
  return [
    ...(sinceAccessDays === undefined ? [] : [`was not used for ${sinceAccessDays} days`]),
    ...(sinceFinishDays === undefined ? [] : [`is output recorded ${sinceFinishDays} days ago`]),
    ...(minBytes === undefined ? [] : [`has at least ${formatBytes(minBytes)}`]),
    ...(maxBytes === undefined ? [] : [`has at most ${formatBytes(maxBytes)}`]),
    ...(tenant === undefined ? [] : [`is of tenant ${tenant}`]),
    ...(prefix === undefined ? [] : [`lies below ${prefix}`]),
  ];
}

const ageTexts: Readonly<Record<AgeBy, string>> = { change: 'change or arrival', read: 'read', mount: 'mount', finish: 'finish' };

export function demotionPlanText({ files, notListed, moves, byRule, staysBy }: DemotionPlan): string {
  const table = renderTable(['tier', 'to', 'file', 'size', 'age', 'by', 'why'], files.map(rowOf));
  const totals = renderFacts([
    ['would move', countsText(moves)],
    ...Object.entries(byRule).map(([rule, counts]) => [`  ${rule}`, countsText(counts)] as const),
    ...stayReasons.flatMap((reason) => {
      const counts = staysBy[reason];
      return counts ? [[`stays, ${reason}`, `${countsText(counts)}: ${stayReasonTexts[reason]}`] as const] : [];
    }),
    [
      'age',
      files.length > 0 ? 'since the last use that is known: on hot a read, change or mount; on warm the arrival or a mount, for it tells no reads' : undefined,
    ],
    ['not listed', notListed > 0 ? `${notListed} files; --limit lists more` : undefined],
  ]);
  return files.length === 0 ? totals : `${table}\n\n${totals}`;
}

const rowOf = ({ tier, to, path, bytes, ageDays, ageBy, rule, reason, dueAt }: PlannedFile): string[] => [
  tier,
  to ?? 'stays',
  path,
  formatBytes(bytes),
  `${ageDays} d`,
  ageTexts[ageBy],
  rule === undefined ? `${whyItStays(reason)}${dueAt === undefined ? '' : `; due ${dueAt}`}` : `rule ${rule}`,
];

const whyItStays = (reason: StayReason | undefined): string => (reason === undefined ? '' : stayReasonTexts[reason]);

export function demotionStatusText({ schedule, last }: { readonly schedule: DemotionSchedule; readonly last?: LastDemotion }): string {
  const { paused, nextRunAt, underWay } = schedule;
  const facts = renderFacts([
    ['under way', underWay && `${underWay.workflowId}${underWay.result ? `: ${movedText(underWay.result)}` : ''}`],
    ['last run', last ? `${last.startedAt}${last.failure === undefined ? '' : `, ended early: ${last.failure}`}` : 'never'],
    ['moved', last && movedText(last)],
    ['due, but stayed', last && String(last.keptCount)],
    ['next run', paused ? 'paused' : nextRunAt],
  ]);
  return [facts, ...(last ?? { kept: [] }).kept.map(({ file, reason }) => escapeLine(`  ${file}: ${reason}`))].join('\n');
}

const movedText = ({ moved, looked }: Pick<DemotionResult, 'moved' | 'looked'>): string => `${countsText(moved)} of ${looked.files} looked at`;
const countsText = ({ files, bytes }: Counts): string => `${files} files, ${formatBytes(bytes)}`;
