/** Finds entries, reading only the segments whose index says that they may hold some: in the order of the log, oldest first. */
import { type AuditOperation, type Operation, OperationSchema } from '../../model/audit.ts';
import { allocationName, hashTerm, IndexPageSchema, type IndexRecord, IndexRecordSchema, mayHold, type Term } from './index-record.ts';
import { type LogFiles, lastOf, names, SEGMENTS_PER_PAGE } from './layout.ts';
import { unpackLines } from './segment.ts';

export interface AuditQuery {
  /** Their own entries, and those of the allocations that were admitted for them. */
  readonly user?: string;
  readonly tenant?: string;
  /** `tenant/project/allocationId`. */
  readonly allocation?: string;
  readonly node?: string;
  /** As `s3://bucket/key` or `store:s3://bucket/key`: operations on it, on what lies below it, and on folders that hold it. */
  readonly path?: string;
  readonly operation?: AuditOperation;
  /** ISO instants; `until` is not in the range. */
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
}

/** Segments on their way at once: some megabytes, and the wait for a store is hidden. */
const SEGMENTS_AT_ONCE = 8;
const OBJECTS_AT_ONCE = 32;

export async function* queryLog(files: LogFiles, query: AuditQuery): AsyncGenerator<Operation, void> {
  const { user, limit = Number.POSITIVE_INFINITY, ...rest } = query;
  const isWanted = (operation: Operation): boolean => matches(operation, rest);
  let left = limit;
  for await (const found of user === undefined ? matching(files, rest, isWanted) : ofUser(files, user, rest, isWanted)) {
    yield* found.slice(0, left);
    left -= found.length;
    if (left <= 0) return;
  }
}

type Wanted = (operation: Operation) => boolean;
/** Some segments' at a time: a step of an asynchronous generator costs more than an entry. */
type Found = AsyncGenerator<readonly Operation[], void>;

/** Activities know an allocation and not its user: whose it is, its admission says. */
async function* ofUser(files: LogFiles, user: string, query: Omit<AuditQuery, 'user' | 'limit'>, isWanted: Wanted): Found {
  const allocations = new Set<string>();
  for await (const admitted of matching(files, { user }, (operation) => operation.user === user)) {
    for (const operation of admitted) allocations.add(allocationName(operation) ?? '');
  }
  allocations.delete('');
  const owners: Term[] = [['user', user], ...[...allocations].map((name) => ['allocation', name] as const)];
  const isTheirs = (operation: Operation): boolean =>
    operation.user === user || (operation.user === undefined && allocations.has(allocationName(operation) ?? ''));
  yield* matching(files, query, (operation) => isTheirs(operation) && isWanted(operation), owners);
}

/** @param anyOf of which a segment must name at least one */
async function* matching(files: LogFiles, query: Omit<AuditQuery, 'limit'>, isWanted: Wanted, anyOf: readonly Term[] = []): Found {
  const all = termsOf(query).map(hashTerm);
  const any = anyOf.map(hashTerm);
  const literals = literalsOf(query);
  const numbers: number[] = [];
  for (const record of await readIndex(files)) {
    const terms = Buffer.from(record.terms, 'base64');
    const isNamed = all.every((term) => mayHold(terms, term)) && (any.length === 0 || any.some((term) => mayHold(terms, term)));
    if (isNamed && isInTime(record, query)) numbers.push(record.number);
  }
  for (let from = 0; from < numbers.length; from += SEGMENTS_AT_ONCE) {
    const bodies = await Promise.all(numbers.slice(from, from + SEGMENTS_AT_ONCE).map((number) => linesOf(files, number)));
    yield bodies.flat().flatMap((line) => {
      // Most lines of a segment are others': in canonical form it shows without parsing them.
      if (!literals.every((some) => some.some((literal) => line.includes(literal))) || !line.includes('"kind":"operation"')) return [];
      const operation = OperationSchema.safeParse(JSON.parse(line));
      return operation.success && isWanted(operation.data) ? [operation.data] : [];
    });
  }
}

/** A segment that is gone is for a verification to tell; the rest is answered. */
async function linesOf(files: LogFiles, number: number): Promise<string[]> {
  const body = await files.read(names.segment(number));
  return body ? unpackLines(body) : [];
}

/** Pages of a hundred, and the records behind the last page. */
export async function readIndex(files: LogFiles): Promise<IndexRecord[]> {
  const lastPage = await lastOf(files, names.page);
  const pages = await readAll(
    files,
    Array.from({ length: lastPage === undefined ? 0 : lastPage + 1 }, (_, number) => names.page(number)),
  );
  const records = pages.flatMap((body) => IndexPageSchema.parse(JSON.parse(body.toString('utf8'))).segments);
  for (let from = records.length; ; from += OBJECTS_AT_ONCE) {
    const wanted = Array.from({ length: Math.min(OBJECTS_AT_ONCE, SEGMENTS_PER_PAGE) }, (_, index) => names.index(from + index));
    const found = await readAll(files, wanted);
    records.push(...found.map((body) => IndexRecordSchema.parse(JSON.parse(body.toString('utf8')))));
    if (found.length < wanted.length) return records;
  }
}

async function readAll(files: LogFiles, wanted: readonly string[]): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (let from = 0; from < wanted.length; from += OBJECTS_AT_ONCE) {
    const bodies = await Promise.all(wanted.slice(from, from + OBJECTS_AT_ONCE).map((name) => files.read(name)));
    found.push(...bodies.filter((body) => body !== undefined));
  }
  return found;
}

function isInTime({ from, until }: IndexRecord, query: Pick<AuditQuery, 'since' | 'until'>): boolean {
  if (from === undefined || until === undefined) return false;
  return (
    (query.since === undefined || Date.parse(until) >= Date.parse(query.since)) && (query.until === undefined || Date.parse(from) < Date.parse(query.until))
  );
}

function termsOf({ user, tenant, allocation, node, operation }: AuditQuery): Term[] {
  return [
    ...(user === undefined ? [] : [['user', user] as const]),
    ...(tenant === undefined ? [] : [['tenant', tenant] as const]),
    ...(allocation === undefined ? [] : [['allocation', allocation] as const]),
    ...(node === undefined ? [] : [['node', node] as const]),
    ...(operation === undefined ? [] : [['operation', operation] as const]),
  ];
}

/** Of each of these a line must have one in it to be wanted at all. */
function literalsOf({ user, tenant, allocation, node, operation, path }: AuditQuery): string[][] {
  const wanted = { user, tenant, allocationId: allocation?.split('/')[2], nodeId: node, operation };
  const members = Object.entries(wanted).flatMap(([name, value]) => (value === undefined ? [] : [[`${JSON.stringify(name)}:${JSON.stringify(value)}`]]));
  return path === undefined ? members : [...members, [quoted(path), ...foldersOf(path).map((folder) => `${quoted(folder)}"`)]];
}

/** As it stands within a JSON text. */
const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);

/** `s3://a/b/c` lies in `s3://a/` and `s3://a/b/`. */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at + 1));
  return folders;
}

export function matches(operation: Operation, query: Omit<AuditQuery, 'user' | 'limit'>): boolean {
  const { tenant, allocation, node, path, since, until } = query;
  const time = Date.parse(operation.time);
  return (
    (tenant === undefined || operation.tenant === tenant) &&
    (allocation === undefined || allocationName(operation) === allocation) &&
    (node === undefined || operation.nodeId === node) &&
    (query.operation === undefined || operation.operation === query.operation) &&
    (path === undefined || operation.paths.some((each) => concerns(each, path))) &&
    (since === undefined || time >= Date.parse(since)) &&
    (until === undefined || time < Date.parse(until))
  );
}

/**
 * Whether one is the other, lies below it, or is a folder that holds it: who moved `warm:s3://a/b/` moved `s3://a/b/c`. Without a store it is meant in every one.
 */
function concerns(recorded: string, path: string): boolean {
  const place = STORE.test(path) ? recorded : recorded.replace(STORE, '');
  if (place === path || `${place}/` === path) return true;
  return place.startsWith(path.endsWith('/') ? path : `${path}/`) || (place.endsWith('/') && path.startsWith(place));
}

const STORE = /^[a-z][a-z0-9-]*:(?=s3:\/\/)/;
