/** The figures for a person: facts on top, one row per comparison. */
import Table from 'cli-table3';
import type { Fact } from './bench.ts';
import type { Row } from './rows.ts';

export function renderReport(facts: readonly Fact[], rows: readonly Row[]): string {
  return [...facts.map(([name, value]) => `${name}: ${value}`), '', renderTable(rows), '', verdict(rows), ''].join('\n');
}

function renderTable(rows: readonly Row[]): string {
  const table = new Table({
    head: ['case', 'metric', 'ours', 'peer', '', 'unit', 'ratio', 'goal', 'met'],
    colAligns: ['left', 'left', 'right', 'right', 'left', 'left', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  let last = '';
  for (const row of rows) {
    const name = row.case === last ? '' : row.case;
    last = row.case;
    const met = row.met === null ? '' : row.met ? 'yes' : 'NO';
    table.push([name, row.metric, figure(row.ours), figure(row.peer), row.peerName ?? '', row.unit, figure(row.ratio), row.goal ?? '', met]);
  }
  return table.toString();
}

const figure = (value: number | null): string => (value === null ? '' : String(value));

function verdict(rows: readonly Row[]): string {
  const judged = rows.filter(({ met }) => met !== null);
  return `${judged.filter(({ met }) => met).length} of ${judged.length} goals met`;
}
