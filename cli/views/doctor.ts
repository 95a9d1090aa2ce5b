import type { ProbeResult } from '../../drivers/probes/probe.ts';
import { escapeLine } from '../output/escape.ts';
import { renderTable } from '../output/table.ts';

export type Paint = (color: 'green' | 'red' | 'yellow', text: string) => string;

export const isShortfall = (result: ProbeResult): boolean => result.isNeeded && result.works === 'no';

/** A row an ability; what all of a group can do alike is one row. The verdict comes last, where the eye is when the command ends. */
export function doctorText(results: readonly ProbeResult[], paint: Paint): string {
  const rows = collapse(results).map((each) => [each.store, each.ability, each.works, each.isNeeded ? 'needed' : '', each.evidence]);
  const colorOf = (cell: string) => (cell === 'yes' ? 'green' : cell === 'no' ? 'red' : 'yellow');
  const table = renderTable(['store', 'ability', 'works', '', 'evidence'], rows, {
    paint: (cell, column) => (column === 2 ? paint(colorOf(cell), cell) : cell),
  });
  return `${table}\n\n${verdict(results)}`;
}

function verdict(results: readonly ProbeResult[]): string {
  const shortfalls = collapse(results).filter(isShortfall);
  if (shortfalls.length === 0) return "all that the site's policies need is there";
  return `${shortfalls.length} of what the site's policies need ${shortfalls.length === 1 ? 'is' : 'are'} missing: ${shortfalls.map((each) => escapeLine(`${each.store}: ${each.ability}`)).join('; ')}`;
}

function collapse(results: readonly ProbeResult[]): ProbeResult[] {
  const groups = Map.groupBy(results, (result) => (result.group === undefined ? undefined : `${result.group}/${result.ability}`));
  return results.flatMap((result) => {
    const alike = result.group === undefined ? [] : (groups.get(`${result.group}/${result.ability}`) ?? []);
    const isTold = alike.length > 1 && alike.every((each) => each.works === result.works && each.isNeeded === result.isNeeded);
    if (!isTold) return [result];
    if (alike[0] !== result) return [];
    return [
      {
        ...result,
        store: `${result.group ?? ''}: all ${alike.length}`,
        evidence: alike.length <= 4 ? alike.map((each) => `${each.store.split(' ').at(-1) ?? ''} ${each.evidence}`).join(', ') : `each: ${result.evidence}`,
      },
    ];
  });
}
