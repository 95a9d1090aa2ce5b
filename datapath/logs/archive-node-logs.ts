/**
 * Ships one node's logs: cut at line ends, compressed, each chunk under its own name only once, and last the node's index. May be repeated at any
 * time: what lies there already is compared, not sent again; a log that grew since extends its last chunk.
 */
import type { Readable } from 'node:stream';
import type { FileStore } from '../../drivers/file-store/port.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { chunkName, LOG_STREAMS, type LogChunk, type LogStream, type LogStreamFacts, type NodeLogs, nodeIndexName } from '../../model/log-metadata.ts';
import { crc32cOf } from '../transfer/crc32c.ts';
import { packLog, unpackLog } from './log-codec.ts';
import { timeAt, timeSpanOf } from './log-time.ts';
import { type RawChunk, splitLog } from './split-log.ts';

/** Small enough to read a range without waste, large enough to compress well and to keep a terabyte of logs below 130,000 objects. */
const DEFAULT_CHUNK_BYTES = 8 * 2 ** 20;

export interface ArchiveNodeLogsOptions {
  /** The node's storage, and the directory in it that holds `stdout.log` and `stderr.log`. */
  readonly source: FileStore;
  readonly directory: string;
  readonly nodeId: string;
  readonly store: ObjectStore;
  readonly bucket: string;
  /** Of the allocation's logs; ends with `/`. */
  readonly prefix: string;
  readonly chunkBytes?: number;
  readonly signal?: AbortSignal;
  /** Called after each chunk, for a heartbeat. */
  readonly onChunk?: (done: { readonly stream: LogStream; readonly rawBytes: number }) => void;
}

/** Small, whatever the log's size: what it names is read where metadata.json is written. */
export interface ArchivedNodeLogs {
  readonly nodeId: string;
  /** Of the node's index. */
  readonly key: string;
  readonly chunks: number;
  readonly rawBytes: number;
  readonly missing: readonly LogStream[];
}

/** @throws Conflict where a chunk of other content was archived before; what concerns a store as a whole */
export async function archiveNodeLogs(options: ArchiveNodeLogsOptions): Promise<ArchivedNodeLogs> {
  const streams: LogStreamFacts[] = [];
  for (const stream of LOG_STREAMS) streams.push(await archiveStream(options, stream));
  const index: NodeLogs = { nodeId: options.nodeId, streams };
  const key = `${options.prefix}${nodeIndexName(options.nodeId)}`;
  await options.store.writeBytes(options.bucket, key, Buffer.from(JSON.stringify(index)), { contentType: 'application/json', ...withSignal(options) });
  const archived = streams.filter((stream) => stream.state === 'archived');
  return {
    nodeId: options.nodeId,
    key,
    chunks: archived.reduce((sum, stream) => sum + stream.chunks.length, 0),
    rawBytes: archived.reduce((sum, stream) => sum + stream.rawBytes, 0),
    missing: streams.flatMap((stream) => (stream.state === 'missing' ? [stream.stream] : [])),
  };
}

async function archiveStream(options: ArchiveNodeLogsOptions, stream: LogStream): Promise<LogStreamFacts> {
  const log = await openLog(options, stream);
  if ('reason' in log) return { state: 'missing', stream, reason: log.reason };
  const chunks: LogChunk[] = [];
  let rawBytes = 0;
  for await (const raw of splitLog(log.content, options.chunkBytes ?? DEFAULT_CHUNK_BYTES)) {
    chunks.push(await archiveChunk(options, chunkName(stream, options.nodeId, chunks.length), raw));
    rawBytes += raw.bytes.length;
    options.onChunk?.({ stream, rawBytes });
  }
  return { state: 'archived', stream, rawBytes, chunks };
}

/** A job owns this directory: it may have removed its log or put a link in its place, which must not hold up the rest. */
async function openLog(options: ArchiveNodeLogsOptions, stream: LogStream): Promise<{ readonly content: Readable } | { readonly reason: string }> {
  try {
    return { content: await options.source.read(`${options.directory}/${stream}.log`, withSignal(options)) };
  } catch (error) {
    if (error instanceof PenstockError && ['NotFound', 'Denied', 'Conflict'].includes(error.type)) return { reason: error.message };
    throw error;
  }
}

async function archiveChunk(options: ArchiveNodeLogsOptions, name: string, raw: RawChunk): Promise<LogChunk> {
  const packed = await packLog(raw.bytes);
  const compressedBytes = await publishChunk(options, name, raw.bytes, packed);
  return {
    key: name,
    rawOffset: raw.offset,
    rawBytes: raw.bytes.length,
    compressedBytes,
    crc32c: crc32cOf(raw.bytes),
    beginsWithTime: !raw.continuesLine && timeAt(raw.bytes, 0) !== undefined,
    ...(await timeSpanOf(raw.bytes, raw.continuesLine)),
  };
}

/** @returns the size of what lies there now */
async function publishChunk(options: ArchiveNodeLogsOptions, name: string, raw: Buffer, packed: Buffer): Promise<number> {
  const { bucket, store } = options;
  const key = `${options.prefix}${name}`;
  const write = { contentType: 'application/zstd', ...withSignal(options) };
  try {
    await store.writeBytes(bucket, key, packed, { ...write, ifNoneMatch: true });
    return packed.length;
  } catch (error) {
    if (!(error instanceof PenstockError) || error.type !== 'Conflict') throw error;
    const held = await store.readBytes(bucket, key, withSignal(options));
    const heldRaw = await unpackLog(held, `s3://${bucket}/${key}`, store.name);
    if (heldRaw.equals(raw)) return held.length;
    // Only what grew is replaced: an attempt that lags behind would otherwise cut off the end of a log.
    const grew = heldRaw.length < raw.length && heldRaw.equals(raw.subarray(0, heldRaw.length));
    if (!grew) throw error;
    await store.writeBytes(bucket, key, packed, write);
    return packed.length;
  }
}

const withSignal = ({ signal }: ArchiveNodeLogsOptions) => (signal ? { signal } : {});
