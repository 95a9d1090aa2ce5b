/** Writes `metadata.json`, last: once it is there, what it names is there. May be repeated, also with a node that came late. */
import { Readable } from 'node:stream';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { absent, PenstockError } from '../../model/errors.ts';
import type { AllocationKey } from '../../model/identifiers.ts';
import { type LogMetadata, METADATA_NAME, type NodeLogs, NodeLogsSchema, nodeIndexName } from '../../model/log-metadata.ts';

export interface CloseLogMetadataOptions {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** Of the allocation's logs; ends with `/`. */
  readonly prefix: string;
  readonly allocation: AllocationKey;
  /** All nodes of the allocation. */
  readonly nodes: readonly string[];
  /** Nodes whose logs could not be shipped, and why; an index that lies there all the same is believed instead. */
  readonly missing?: readonly { readonly nodeId: string; readonly reason: string }[];
  readonly signal?: AbortSignal;
}

export interface ClosedLogs {
  readonly key: string;
  readonly chunks: number;
  readonly rawBytes: number;
  readonly missingNodes: readonly string[];
}

/** An index has some 250 bytes a chunk: a terabyte of one node's logs. */
const MAX_INDEX_BYTES = 64 * 2 ** 20;

/** One node's index is in memory at a time. */
export async function closeLogMetadata(options: CloseLogMetadataOptions): Promise<ClosedLogs> {
  const key = `${options.prefix}${METADATA_NAME}`;
  const totals: Totals = { chunks: 0, rawBytes: 0, missingNodes: [] };
  await options.store.writeStream(options.bucket, key, Readable.from(metadataText(options, totals), { objectMode: false }), {
    contentType: 'application/json',
    ...withSignal(options),
  });
  return { key, ...totals };
}

interface Totals {
  chunks: number;
  rawBytes: number;
  missingNodes: string[];
}

/** The JSON of a LogMetadata, a node per line. */
async function* metadataText(options: CloseLogMetadataOptions, totals: Totals): AsyncGenerator<string, void> {
  const { tenant, project, allocationId } = options.allocation;
  const head: Omit<LogMetadata, 'nodes'> = { version: 1, allocation: { tenant, project, allocationId } };
  yield `${JSON.stringify(head).slice(0, -1)},"nodes":[`;
  let separator = '\n';
  for (const nodeId of options.nodes) {
    const node = await nodeLogs(options, nodeId);
    count(totals, node);
    yield `${separator}${JSON.stringify(node)}`;
    separator = ',\n';
  }
  yield '\n]}\n';
}

async function nodeLogs(options: CloseLogMetadataOptions, nodeId: string): Promise<NodeLogs> {
  const index = await readNodeIndex(options, nodeId);
  if (index) return index;
  const reason = options.missing?.find((node) => node.nodeId === nodeId)?.reason;
  return { nodeId, streams: [], missing: reason ?? 'Its logs were not archived.' };
}

function count(totals: Totals, node: NodeLogs): void {
  if (node.missing !== undefined) totals.missingNodes.push(node.nodeId);
  for (const stream of node.streams) {
    if (stream.state === 'missing') continue;
    totals.chunks += stream.chunks.length;
    totals.rawBytes += stream.rawBytes;
  }
}

async function readNodeIndex(options: CloseLogMetadataOptions, nodeId: string): Promise<NodeLogs | undefined> {
  const { bucket, prefix, store } = options;
  const key = `${prefix}${nodeIndexName(nodeId)}`;
  const text = await store.readBytes(bucket, key, { limitBytes: MAX_INDEX_BYTES, ...withSignal(options) }).catch(absent);
  if (!text) return undefined;
  const parsed = NodeLogsSchema.safeParse(JSON.parse(text.toString('utf8')));
  if (parsed.success && parsed.data.nodeId === nodeId) return parsed.data;
  throw new PenstockError('CorruptSource', `s3://${bucket}/${key} is no index of ${nodeId}'s logs.`, {
    store: store.name,
    nextStep: 'Archive that node again.',
  });
}

const withSignal = ({ signal }: CloseLogMetadataOptions) => (signal ? { signal } : {});
