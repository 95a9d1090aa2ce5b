/** Which line of a segment was tampered with: its lines' hashes, held to those that the checkpoint proves. */
import type { Finding } from './finding.ts';
import type { Hash } from './merkle.ts';

const SHOWN = 200;

export interface Differing {
  readonly segment: number;
  readonly firstLeaf: number;
  readonly expected: readonly Hash[];
  readonly found: readonly Hash[];
  readonly lines: readonly string[];
}

/** At least one finding, where the two lists differ at all. */
export function compareLines({ segment, firstLeaf, expected, found, lines }: Differing): Finding[] {
  const places = new Map(expected.map((hash, index) => [hash.toString('hex'), index]));
  const placeOf = found.map((hash) => places.get(hash.toString('hex')));
  const present = new Set(placeOf.filter((place) => place !== undefined));
  const missing = expected.map((_, index) => index).filter((index) => !present.has(index));
  const foreign = placeOf.flatMap((place, index) => (place === undefined ? [index] : []));
  // A line at whose own place another stands was changed; what is left over was taken out or put in.
  const changed = new Set(missing.filter((index) => foreign.includes(index) && found.length === expected.length));
  const findings: Finding[] = [];
  for (const index of missing)
    findings.push(
      changed.has(index)
        ? { kind: 'entry-changed', segment, leaf: firstLeaf + index, what: `it now reads ${shown(lines[index])}` }
        : { kind: 'entry-deleted', segment, leaf: firstLeaf + index, what: 'it is not in its segment any more' },
    );
  for (const index of foreign)
    if (!changed.has(index)) findings.push({ kind: 'entry-inserted', segment, what: `line ${index + 1} was never logged: ${shown(lines[index])}` });
  const kept = placeOf.filter((place) => place !== undefined);
  const doubled = kept.filter((place, index) => kept.indexOf(place) !== index);
  for (const place of doubled) findings.push({ kind: 'entry-inserted', segment, leaf: firstLeaf + place, what: 'it is there twice' });
  const fall = kept.findIndex((place, index) => index > 0 && place < (kept[index - 1] ?? 0));
  if (fall > 0 && doubled.length === 0)
    findings.push({ kind: 'entries-reordered', segment, leaf: firstLeaf + (kept[fall] ?? 0), what: 'it stands behind one that came after it' });
  return findings;
}

const shown = (line = ''): string => (line.length > SHOWN ? `${line.slice(0, SHOWN)}...` : line);
