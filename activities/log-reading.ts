/** Logs for people: what `penstock logs` prints. Reads only the chunks that hold what is asked for. */
import { endOf, recordsFrom, withoutSource } from '../datapath/logs/chunk-record.ts';
import type { LogPlace } from '../datapath/logs/log-place.ts';
import { indexedChunks, readNodeIndex } from '../datapath/logs/node-index.ts';
import { chunksNamed, nodesWithLogs, readLogBytes, readLogMetadata, readLogTime } from '../datapath/logs/read-logs.ts';
import type { Stores } from '../drivers/open-site.ts';
import { absent, isType, PenstockError } from '../model/errors.ts';
import { type AllocationKey, allocationPrefix } from '../model/identifiers.ts';
import type { Location } from '../model/location.ts';
import type { ByteRange, LogChunk, LogMetadata, LogStream } from '../model/log-metadata.ts';
import { isTree, objectsOf } from './places.ts';

export interface LogQuery {
  /** All of them where absent. */
  readonly nodeId?: string;
  readonly stream: LogStream;
  /** A copy of the logs; where they were shipped to, where absent. */
  readonly from?: Location;
  readonly bytes?: ByteRange;
  /** ISO instant. */
  readonly since?: string;
  /** Goes on until the logs are closed, or all of one node's range is printed. */
  readonly follow?: boolean;
  /** Whether the allocation is over: then logs that are not closed by then never will be. */
  readonly isOver: () => Promise<boolean>;
  readonly wait: (milliseconds: number) => Promise<void>;
}

export type LogPiece =
  | { readonly kind: 'bytes'; readonly nodeId: string; readonly bytes: Buffer }
  /** A chunk that is missing or damaged, or metadata that is not of these chunks. */
  | { readonly kind: 'finding'; readonly text: string };

const LOOK_EVERY_MS = 2_000;
/** Closing takes a while behind the end of the allocation's last log. */
const LOOKS_BEHIND_END = 5;
const LATEST = '9999-12-31T23:59:59Z';

export const logPlaceOf = (stores: Pick<Stores, 'warm'>, key: AllocationKey) => ({
  store: stores.warm,
  bucket: key.tenant,
  prefix: `${allocationPrefix(key)}logs/`,
});

/** @throws NotFound where there are no logs, or none of that node, naming the nodes that have some; InvalidInput where a copy lies in no object store */
export function readLogs(stores: Stores, key: AllocationKey, query: LogQuery): AsyncGenerator<LogPiece, void> {
  return readLogsAt(query.from ? copyAt(stores, query.from) : logPlaceOf(stores, key), query);
}

function copyAt(stores: Stores, { store, bucket, prefix }: Location): LogPlace {
  if (!isTree(stores, store)) return { store: objectsOf(stores, store), bucket, prefix };
  throw new PenstockError('InvalidInput', `from: found ${JSON.stringify(store)}, a directory tree; accepted: an object store of the site file.`, {
    nextStep: 'Its files can be read as they are: `zstdcat stdout/NODE/chunk_*.log.zst`.',
  });
}

export async function* readLogsAt(place: LogPlace, query: LogQuery): AsyncGenerator<LogPiece, void> {
  /** How much of each node's log is printed, by node. */
  const printed = new Map<string, readonly LogChunk[]>();
  for (let behindEnd = 0; ; ) {
    const metadata = await closedMetadata(place);
    const nodes = await nodesOf(place, metadata, query);
    let isComplete = metadata !== undefined;
    for (const nodeId of nodes) {
      const before = printed.get(nodeId);
      const { chunks, finding, missing } = await chunksOf(place, metadata, nodeId, query.stream, before ?? []);
      if (missing && query.nodeId !== undefined) throw missing;
      if (missing && isLost(metadata, nodeId)) yield { kind: 'finding', text: missing.message };
      // Chunks that metadata does not name: it is an older one, or the allocation runs again.
      if (finding !== undefined) {
        isComplete = false;
        if (!before || !query.follow) yield { kind: 'finding', text: finding };
      }
      yield* print(place, nodeId, chunks, before, query);
      printed.set(nodeId, chunks);
      if (query.nodeId !== undefined && query.bytes !== undefined && endOf(chunks) > query.bytes.end) return;
    }
    if (!query.follow || isComplete) return;
    if (behindEnd >= LOOKS_BEHIND_END) {
      yield {
        kind: 'finding',
        text: 'The allocation is over, and no metadata.json names all of these chunks: what was shipped is printed, what was not is lost.',
      };
      return;
    }
    if (await query.isOver()) behindEnd += 1;
    await query.wait(LOOK_EVERY_MS);
  }
}

/** What is open lies behind the nodes' own indexes, which are read instead. */
async function closedMetadata(place: LogPlace): Promise<LogMetadata | undefined> {
  const metadata = await readLogMetadata(place).catch(absent);
  return metadata?.openAt === undefined ? metadata : undefined;
}

/** A job need not write to a stream; that nothing of a node was shipped is told. */
const isLost = (metadata: LogMetadata | undefined, nodeId: string): boolean =>
  metadata?.nodes.some((node) => node.nodeId === nodeId && node.missing !== undefined) ?? false;

async function nodesOf(place: LogPlace, metadata: LogMetadata | undefined, { follow, nodeId }: LogQuery): Promise<readonly string[]> {
  const nodes = metadata ? metadata.nodes.map((node) => node.nodeId) : await nodesWithLogs(place);
  if (nodeId === undefined && (nodes.length > 0 || follow)) return nodes;
  // While the job runs, a node may not have written anything yet.
  if (nodeId !== undefined && (nodes.includes(nodeId) || (follow && !metadata))) return [nodeId];
  if (nodes.length === 0) {
    throw new PenstockError('NotFound', 'There are no logs here yet.', {
      store: place.store.name,
      nextStep: 'They come while the job runs: --follow waits for them.',
    });
  }
  throw new PenstockError('NotFound', `node: found ${nodeId}; accepted: ${nodes.join(', ')}.`, { store: place.store.name });
}

/** The chunks there are of a log, closed or not. @param before those that are known already */
async function chunksOf(
  place: LogPlace,
  metadata: LogMetadata | undefined,
  nodeId: string,
  stream: LogStream,
  before: readonly LogChunk[],
): Promise<{ readonly chunks: readonly LogChunk[]; readonly finding?: string; readonly missing?: PenstockError }> {
  const named = metadata && namedChunks(place, metadata, nodeId, stream);
  const known = named?.chunks ?? (before.length > 0 ? before : indexedChunks(await readNodeIndex(place, nodeId), stream));
  const beyond: LogChunk[] = [];
  for await (const record of recordsFrom(place, stream, nodeId, known)) beyond.push(withoutSource(record));
  const chunks = [...known, ...beyond];
  if (!named) return { chunks };
  if (beyond.length === 0) return { chunks, ...(named.missing ? { missing: named.missing } : {}) };
  const finding = `metadata.json names ${known.length} chunks of ${stream} of ${nodeId}, and there are ${chunks.length}: it is an older one, put in place of the last, or the allocation runs again. Those behind are read by their own records.`;
  return { chunks, finding };
}

/** Of what metadata names no log of there may be chunks all the same. */
function namedChunks(
  place: LogPlace,
  metadata: LogMetadata,
  nodeId: string,
  stream: LogStream,
): { readonly chunks: readonly LogChunk[]; readonly missing?: PenstockError } {
  try {
    return { chunks: chunksNamed(place, metadata, nodeId, stream) };
  } catch (error) {
    if (isType(error, 'NotFound')) return { chunks: [], missing: error };
    throw error;
  }
}

/** What is new of a log: by its range the first time, whole chunks afterwards. */
async function* print(
  place: LogPlace,
  nodeId: string,
  chunks: readonly LogChunk[],
  before: readonly LogChunk[] | undefined,
  { bytes, since }: LogQuery,
): AsyncGenerator<LogPiece, void> {
  const findings: string[] = [];
  const onDamage = (finding: string) => findings.push(finding);
  const fresh = chunks.slice(before?.length ?? 0);
  const read =
    since !== undefined && before === undefined
      ? readLogTime(place, fresh, { from: since, to: LATEST }, onDamage)
      : readLogBytes(place, fresh, bytes, onDamage);
  for await (const piece of read) yield { kind: 'bytes', nodeId, bytes: piece };
  for (const text of findings) yield { kind: 'finding', text };
}
