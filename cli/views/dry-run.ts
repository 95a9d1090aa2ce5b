import { formatBytes, formatCount } from '../../model/quantity.ts';
import { escapeLine } from '../output/escape.ts';
import { renderTable } from '../output/table.ts';
import type { DryRun, Finding, PlanStep } from '../plan/dry-run.ts';

/** Refusals and waits first, for they decide; then a table a phase. */
export function dryRunText(run: DryRun): string {
  const sections = [
    `allocation ${escapeLine(run.allocation)}: ${run.accepted ? 'would be accepted' : 'would be refused'}${run.accepted && !run.measured ? ', as far as the site file tells' : ''}`,
    ...findingsText('refused', run.refusals),
    ...findingsText('would wait now', run.waits),
    ...[...Map.groupBy(run.steps, (step) => step.phase)].map(([phase, steps]) => `${phase}\n${indent(stepsText(steps))}`),
  ];
  return sections.join('\n\n');
}

const findingsText = (title: string, findings: readonly Finding[]): string[] =>
  findings.length === 0 ? [] : [[title, ...findings.map(({ type, message }) => escapeLine(`  ${type}: ${message}`))].join('\n')];

function stepsText(steps: readonly PlanStep[]): string {
  const hasSizes = steps.some((step) => sizeOf(step) !== '');
  const rows = steps.map((step) => [step.kind, step.action, step.subject, ...(hasSizes ? [sizeOf(step)] : []), step.detail ?? '']);
  return renderTable(['kind', 'what', 'of', ...(hasSizes ? ['size'] : []), 'how'], rows);
}

function sizeOf({ files, bytes }: PlanStep): string {
  const size = bytes === undefined ? '' : formatBytes(bytes);
  return files === undefined ? size : `${formatCount(files, 'file')}, ${size}`;
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
