/**
 * What an allocation's `logs/metadata.json` says: nodes, streams and chunks with their byte offsets and time ranges, so that a range is read
 * without touching the other chunks. Keys are relative to metadata.json, so the directory may be copied anywhere.
 */
import * as z from 'zod';
import { IdentifierSchema, TenantSchema } from './identifiers.ts';

export const LOG_STREAMS = ['stdout', 'stderr'] as const;
export type LogStream = (typeof LOG_STREAMS)[number];

/**
 * `rotation`: the file before was read to its end. `truncation`: it was cut, and what was written to it since it was last read is lost. `loss`: it was gone before it was
 * read to its end.
 */
export const LOG_BREAKS = ['rotation', 'truncation', 'loss'] as const;
export type LogBreak = (typeof LOG_BREAKS)[number];

export const LogChunkSchema = z.strictObject({
  /** Relative to metadata.json: `stdout/{node_id}/chunk_000.log.zst`. */
  key: z.string().min(1),
  /** Where in the node's log the chunk begins, and how long it is unpacked. */
  rawOffset: z.int().nonnegative(),
  rawBytes: z.int().positive(),
  compressedBytes: z.int().positive(),
  /** Base64 CRC32C of the unpacked bytes. */
  crc32c: z.string(),
  /** False where the chunk begins with what belongs to a time in the chunk before: a line without a time, or the rest of one too long for a chunk. */
  beginsWithTime: z.boolean(),
  /** Earliest and latest of the times its lines begin with; absent where none does. */
  firstTimestamp: z.iso.datetime().optional(),
  lastTimestamp: z.iso.datetime().optional(),
  /** When the first and the last of its bytes were read from the node, by the clock of who read them; absent in chunks from before 0.3. */
  seenFrom: z.iso.datetime().optional(),
  seenUntil: z.iso.datetime().optional(),
  /** What happened to the file before this chunk, where it does not simply go on: see {@link LogBreak}. */
  follows: z.enum(LOG_BREAKS).optional(),
});

/** Where a node's log is read on: kept with each chunk, so that who goes on knows what is shipped, whatever became of who shipped it. */
export const LogSourceSchema = z.strictObject({
  fileId: z.string(),
  /** In that file, behind the chunk. */
  offset: z.int().nonnegative(),
  /** Of the file when it was read. */
  modifiedAt: z.string(),
  /** How many bytes before the offset the checksum covers: they tell a file that was written anew. */
  tailBytes: z.int().nonnegative(),
  tailCrc32c: z.string(),
  endsLine: z.boolean(),
});

/** What the object itself says of a chunk, as its user metadata {@link RECORD_NAME}. */
export const ChunkRecordSchema = LogChunkSchema.extend({ source: LogSourceSchema });
export const RECORD_NAME = 'penstock-log';

export const LogStreamSchema = z.discriminatedUnion('state', [
  z.strictObject({
    state: z.literal('archived'),
    stream: z.enum(LOG_STREAMS),
    rawBytes: z.int().nonnegative(),
    chunks: z.array(LogChunkSchema),
  }),
  z.strictObject({ state: z.literal('missing'), stream: z.enum(LOG_STREAMS), reason: z.string() }),
]);

/** One node's part; it lies as an object of its own until all nodes have theirs. */
export const NodeLogsSchema = z.strictObject({
  nodeId: IdentifierSchema,
  streams: z.array(LogStreamSchema).max(LOG_STREAMS.length),
  /** Why nothing of this node was archived. */
  missing: z.string().optional(),
});

export const LogMetadataSchema = z.strictObject({
  version: z.literal(1),
  allocation: z.strictObject({ tenant: TenantSchema, project: IdentifierSchema, allocationId: IdentifierSchema }),
  /** When it was written, where the job was not over: chunks may lie behind those it names, and nodes may be missing. Absent where it is the last word. */
  openAt: z.iso.datetime().optional(),
  nodes: z.array(NodeLogsSchema),
});

export type LogSource = z.output<typeof LogSourceSchema>;
export type ChunkRecord = z.output<typeof ChunkRecordSchema>;
export type LogChunk = z.output<typeof LogChunkSchema>;
export type LogStreamFacts = z.output<typeof LogStreamSchema>;
export type NodeLogs = z.output<typeof NodeLogsSchema>;
export type LogMetadata = z.output<typeof LogMetadataSchema>;

export const METADATA_NAME = 'metadata.json';
export const nodeIndexName = (nodeId: string): string => `.index/${nodeId}.json`;
export const chunkName = (stream: LogStream, nodeId: string, chunk: number): string => `${stream}/${nodeId}/chunk_${String(chunk).padStart(3, '0')}.log.zst`;

/** Bytes of the unpacked log; both ends inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}
/** ISO instants; both ends inclusive. */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

/** The chunks that hold any byte of the range. */
export function chunksInBytes(chunks: readonly LogChunk[], { start, end }: ByteRange): LogChunk[] {
  return chunks.filter((chunk) => chunk.rawOffset <= end && chunk.rawOffset + chunk.rawBytes > start);
}

/** The chunks whose bytes were read from the node in that time, as far as that is known. */
export function chunksSeen(chunks: readonly LogChunk[], range: TimeRange): LogChunk[] {
  const [from, to] = [Date.parse(range.from), Date.parse(range.to)];
  return chunks.filter(({ seenFrom, seenUntil }) => seenFrom !== undefined && Date.parse(seenFrom) <= to && Date.parse(seenUntil ?? seenFrom) >= from);
}

/**
 * The chunks that may hold a line of the range. A line without a time belongs to the time before it, so a chunk that begins without one follows
 * the chunk before it.
 */
export function chunksInTime(chunks: readonly LogChunk[], range: TimeRange): LogChunk[] {
  const [from, to] = [Date.parse(range.from), Date.parse(range.to)];
  let before = false;
  return chunks.filter((chunk) => {
    const { firstTimestamp: first, lastTimestamp: last } = chunk;
    const overlaps = first !== undefined && last !== undefined && Date.parse(first) <= to && Date.parse(last) >= from;
    const follows = before && !chunk.beginsWithTime;
    // What begins behind a chunk that only follows belongs to that chunk's own last time, if it has one.
    before = overlaps || (follows && first === undefined);
    return overlaps || follows;
  });
}
