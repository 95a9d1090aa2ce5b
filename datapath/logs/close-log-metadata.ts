/** Writes `metadata.json`, last: what it names is there. May be repeated, also with a node that came late. */
import { Readable } from 'node:stream';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { AllocationKey } from '../../model/identifiers.ts';
import { type LogMetadata, METADATA_NAME, type NodeLogs } from '../../model/log-metadata.ts';
import { type LogPlace, withSignal } from './log-place.ts';
import { readNodeLogs } from './node-index.ts';

export interface CloseLogMetadataOptions extends LogPlace {
  readonly store: LogPlace['store'] & Pick<ObjectStore, 'writeStream'>;
  readonly allocation: AllocationKey;
  /** All nodes of the allocation. */
  readonly nodes: readonly string[];
  /** Nodes whose logs could not be shipped, and why; what was shipped all the same is believed instead. */
  readonly missing?: readonly { readonly nodeId: string; readonly reason: string }[];
}

/** What is told of an allocation's logs. */
export type MetadataOptions = CloseLogMetadataOptions & Pick<LogMetadata, 'openAt'>;

export interface ClosedLogs {
  readonly key: string;
  readonly chunks: number;
  readonly rawBytes: number;
  readonly missingNodes: readonly string[];
}

/** One node's index is in memory at a time. */
export async function closeLogMetadata(options: CloseLogMetadataOptions): Promise<ClosedLogs> {
  const key = `${options.prefix}${METADATA_NAME}`;
  const totals = noTotals();
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

const noTotals = (): Totals => ({ chunks: 0, rawBytes: 0, missingNodes: [] });

/** The JSON of a LogMetadata, a node per line. */
export async function* metadataText(options: MetadataOptions, totals: Totals = noTotals()): AsyncGenerator<string, void> {
  const { openAt } = options;
  const { tenant, project, allocationId } = options.allocation;
  const head: Omit<LogMetadata, 'nodes'> = { version: 1, allocation: { tenant, project, allocationId }, ...(openAt === undefined ? {} : { openAt }) };
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

/** The index may lie behind: what is there counts. */
async function nodeLogs(options: MetadataOptions, nodeId: string): Promise<NodeLogs> {
  const logs = await readNodeLogs(options, nodeId);
  if (logs) return logs;
  // It may not have written anything yet.
  if (options.openAt !== undefined) return { nodeId, streams: [] };
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
