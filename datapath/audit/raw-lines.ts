/** Lines of a segment that may be wanted, found in its text as it is: in canonical form a member stands in one way only, and most lines of a segment are others', not worth parsing. */
import type { AuditQuery } from './query.ts';

/** Of each of these a line must have one in it to be wanted at all. */
export function literalsOf({ user, tenant, allocation, node, operation, path }: AuditQuery): string[][] {
  const wanted = { kind: 'operation', user, tenant, allocationId: allocation?.split('/')[2], nodeId: node, operation };
  const members = Object.entries(wanted).flatMap(([name, value]) => (value === undefined ? [] : [[`${JSON.stringify(name)}:${JSON.stringify(value)}`]]));
  return path === undefined ? members : [...members, [quoted(path), ...foldersOf(path).map((folder) => `${quoted(folder)}"`)]];
}

/** As it stands within a JSON text. */
const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);

/** `s3://a/b/c` lies in `s3://a/` and `s3://a/b/`. */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  const root = path.includes('://') ? path.indexOf('://') + 3 : 0;
  for (let at = path.indexOf('/', root); at >= 0; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at + 1));
  return folders;
}

/** @param literals of each a line must have one in it */
export function linesWith(text: string, literals: readonly (readonly string[])[]): string[] {
  const isWanted = (line: string): boolean => literals.every((some) => some.some((literal) => line.includes(literal)));
  const [anchor = ''] = literals
    .map(commonStart)
    .filter((start) => !start.startsWith(IN_EVERY_LINE))
    .toSorted((one, other) => other.length - one.length);
  if (anchor === '') return text.split('\n').filter(isWanted);
  const found: string[] = [];
  for (let at = text.indexOf(anchor); at >= 0; ) {
    const end = lineEnd(text, at);
    const line = text.slice(text.lastIndexOf('\n', at) + 1, end);
    if (isWanted(line)) found.push(line);
    at = text.indexOf(anchor, end + 1);
  }
  return found;
}

/** Nothing to look for; of all else the longest is the rarest, and the quickest to find. */
const IN_EVERY_LINE = '"kind"';

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function commonStart([first = '', ...others]: readonly string[]): string {
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}
