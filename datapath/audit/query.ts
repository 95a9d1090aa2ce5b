/** Finds entries, reading only the segments whose index says that they may hold some: in the order of the log, oldest first. */
import type { AuditOperation, Operation } from '../../model/audit.ts';
import { workAhead } from '../transfer/work-ahead.ts';
import { allocationName, hashTerm, type IndexRecord, mayHold, type Term } from './index-record.ts';
import { type LogFiles, names } from './layout.ts';
import { linesWith, literalsOf } from './raw-lines.ts';
import { isGone, readIndex, readOrTell, type Tell } from './read-index.ts';
import { unpackBytes } from './segment.ts';

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

/** @param tell what of the log cannot be read, so that the answer may lack what it had; once each */
export async function* queryLog(files: LogFiles, query: AuditQuery, tell: Tell = () => undefined): AsyncGenerator<Operation, void> {
  const { user, limit = Number.POSITIVE_INFINITY, ...rest } = query;
  const log: Log = { files, tell: onceEach(tell) };
  let left = limit;
  for await (const found of user === undefined ? matching(log, rest) : ofUser(log, user, rest)) {
    yield* found.slice(0, left);
    left -= found.length;
    if (left <= 0) return;
  }
}

interface Log {
  readonly files: LogFiles;
  readonly tell: Tell;
}

function onceEach(tell: Tell): Tell {
  const told = new Set<string>();
  return (what) => {
    if (!told.has(what)) tell(what);
    told.add(what);
  };
}

/** With a user, only entries that name them. */
type Asked = Omit<AuditQuery, 'limit'>;
/** A segment's at a time: a step of an asynchronous generator costs more than an entry. */
type Found = AsyncGenerator<readonly Operation[], void>;

/** Activities know an allocation and not its user: whose it is, its admission says. */
async function* ofUser(log: Log, user: string, query: Asked): Found {
  const allocations = new Set<string>();
  for await (const admitted of matching(log, { user }, { isTheirs: (operation) => operation.user === user, terms: [['user', user]] })) {
    for (const operation of admitted) allocations.add(allocationName(operation) ?? '');
  }
  allocations.delete('');
  const isTheirs = (operation: Operation): boolean =>
    operation.user === user || (operation.user === undefined && allocations.has(allocationName(operation) ?? ''));
  yield* matching(log, query, { isTheirs, terms: [['user', user], ...[...allocations].map((name) => ['allocation', name] as const)] });
}

interface Owners {
  readonly isTheirs: (operation: Operation) => boolean;
  /** Of which a segment must name at least one. */
  readonly terms: readonly Term[];
}

async function* matching(log: Log, query: Asked, owners?: Owners): Found {
  const literals = literalsOf(query);
  const { since: _since, until: _until, ...timeless } = query;
  const records = await recordsNaming(log, query, owners);
  // The store works while lines are parsed; who has enough ends what is on its way.
  for await (const { record, text } of workAhead(records, SEGMENTS_AT_ONCE, (record, signal) => textOf(log, record, signal))) {
    const asked = isWithin(record, query) ? timeless : query;
    yield linesWith(text, literals).flatMap((line) => {
      const operation = operationIn(line);
      return operation && matches(operation, asked) && (owners?.isTheirs(operation) ?? true) ? [operation] : [];
    });
  }
}

async function recordsNaming({ files, tell }: Log, query: Asked, owners: Owners | undefined): Promise<IndexRecord[]> {
  const all = termsOf(query).map(hashTerm);
  const any = owners?.terms.map(hashTerm);
  return (await readIndex(files, tell)).filter((record) => {
    const terms = Buffer.from(record.terms, 'base64');
    return isInTime(record, query) && all.every((term) => mayHold(terms, term)) && (any?.some((term) => mayHold(terms, term)) ?? true);
  });
}

/**
 * Not held to the schema again, which takes as long as all else together: each line was before it was sealed, and a verification tells what was done to it since. Undefined for what
 * is not even an operation any more.
 */
function operationIn(line: string): Operation | undefined {
  try {
    const operation: Operation = JSON.parse(line);
    return operation.kind === 'operation' && Array.isArray(operation.paths) ? operation : undefined;
  } catch {
    return undefined;
  }
}

/** What cannot be read is told; the rest is answered. */
async function textOf({ files, tell }: Log, record: IndexRecord, signal: AbortSignal): Promise<{ readonly record: IndexRecord; readonly text: string }> {
  const body = await files.read(names.segment(record.number), signal);
  if (!body) tell(isGone(record.number));
  return { record, text: (body && readOrTell(record.number, () => unpackBytes(body), tell)?.toString('utf8')) ?? '' };
}

function isInTime({ from, until }: IndexRecord, query: Pick<AuditQuery, 'since' | 'until'>): boolean {
  if (from === undefined || until === undefined) return false;
  return (
    (query.since === undefined || Date.parse(until) >= Date.parse(query.since)) && (query.until === undefined || Date.parse(from) < Date.parse(query.until))
  );
}

/** All of its operations, so that none need be asked for its time. */
const isWithin = ({ from, until }: IndexRecord, query: Pick<AuditQuery, 'since' | 'until'>): boolean =>
  from !== undefined &&
  until !== undefined &&
  (query.since === undefined || Date.parse(from) >= Date.parse(query.since)) &&
  (query.until === undefined || Date.parse(until) < Date.parse(query.until));

function termsOf({ tenant, allocation, node, operation }: Asked): Term[] {
  return [
    ...(tenant === undefined ? [] : [['tenant', tenant] as const]),
    ...(allocation === undefined ? [] : [['allocation', allocation] as const]),
    ...(node === undefined ? [] : [['node', node] as const]),
    ...(operation === undefined ? [] : [['operation', operation] as const]),
  ];
}

export function matches(operation: Operation, query: Asked): boolean {
  const { tenant, allocation, node, path, since, until } = query;
  return (
    (tenant === undefined || operation.tenant === tenant) &&
    (allocation === undefined || allocationName(operation) === allocation) &&
    (node === undefined || operation.nodeId === node) &&
    (query.operation === undefined || operation.operation === query.operation) &&
    (path === undefined || operation.paths.some((each) => concerns(each, path))) &&
    (since === undefined || Date.parse(operation.time) >= Date.parse(since)) &&
    (until === undefined || Date.parse(operation.time) < Date.parse(until))
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
