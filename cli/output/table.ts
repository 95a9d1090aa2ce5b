/** Aligned columns without borders, for people; every cell is escaped. */
import Table from 'cli-table3';
import { escapeLine } from './escape.ts';

const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

export interface TableOptions {
  /** Colours a cell that has been escaped already; the width does not change by it. */
  readonly paint?: (cell: string, column: number) => string;
}

export function renderTable(head: readonly string[], rows: readonly (readonly string[])[], { paint = (cell) => cell }: TableOptions = {}): string {
  const table = new Table({
    head: head.map((title) => title.toUpperCase()),
    chars: noBorders,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push(row.map((cell, column) => paint(escapeLine(cell), column)));
  return trimLines(table.toString());
}

/** Name and value, a pair a line; pairs without a value are left out. */
export function renderFacts(facts: readonly (readonly [string, string | undefined])[]): string {
  const known = facts.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  const width = Math.max(0, ...known.map(({ name }) => name.length));
  return known.map(({ name, value }) => `${name.padEnd(width)}  ${escapeLine(value)}`).join('\n');
}

const trimLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
