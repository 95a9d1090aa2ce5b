/**
 * What is known of a node's chunks, in one object: a shortcut, never the truth. It may lie behind the chunks, by a crash or because somebody put an older one
 * back; who reads it looks for the chunks behind it.
 */
import { absent } from '../../model/errors.ts';
import { parseJson } from '../../model/json.ts';
import { LOG_STREAMS, type LogChunk, type LogStream, type LogStreamFacts, type NodeLogs, NodeLogsSchema, nodeIndexName } from '../../model/log-metadata.ts';
import { endOf, recordsFrom, withoutSource } from './chunk-record.ts';
import { type LogPlace, withSignal } from './log-place.ts';

/** An index has some 300 bytes a chunk: a terabyte of one node's logs. */
const MAX_INDEX_BYTES = 64 * 2 ** 20;

/** Undefined where the node has none yet, or one that is damaged: it is made again from the chunks. */
export async function readNodeIndex(place: LogPlace, nodeId: string): Promise<NodeLogs | undefined> {
  const key = `${place.prefix}${nodeIndexName(nodeId)}`;
  const text = await place.store.readBytes(place.bucket, key, { limitBytes: MAX_INDEX_BYTES, ...withSignal(place) }).catch(absent);
  const parsed = NodeLogsSchema.safeParse(text && parseJson(text));
  return parsed.success && parsed.data.nodeId === nodeId ? parsed.data : undefined;
}

export async function writeNodeIndex(place: LogPlace, index: NodeLogs): Promise<void> {
  const key = `${place.prefix}${nodeIndexName(index.nodeId)}`;
  await place.store.writeBytes(place.bucket, key, Buffer.from(JSON.stringify(index)), { contentType: 'application/json', ...withSignal(place) });
}

export const indexedChunks = (index: NodeLogs | undefined, stream: LogStream): readonly LogChunk[] => {
  const found = index?.streams.find((each) => each.stream === stream);
  return found?.state === 'archived' ? found.chunks : [];
};

/** The index, and every chunk behind it; undefined where the node has neither. */
export async function readNodeLogs(place: LogPlace, nodeId: string): Promise<NodeLogs | undefined> {
  const index = await readNodeIndex(place, nodeId);
  const streams: LogStreamFacts[] = [];
  for (const stream of LOG_STREAMS) {
    const chunks = [...indexedChunks(index, stream)];
    for await (const record of recordsFrom(place, stream, nodeId, chunks)) chunks.push(withoutSource(record));
    const facts = index?.streams.find((each) => each.stream === stream);
    if (chunks.length > 0) streams.push({ state: 'archived', stream, rawBytes: endOf(chunks), chunks });
    else if (facts) streams.push(facts);
  }
  return index || streams.length > 0 ? { nodeId, streams } : undefined;
}
