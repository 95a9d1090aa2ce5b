/**
 * A chunk's facts travel with its object, as user metadata: so a chunk and what is known of it come to be in one step, and whoever goes on after a crash asks the
 * store.
 */
import { absent, PenstockError } from '../../model/errors.ts';
import { parseJson } from '../../model/json.ts';
import { type ChunkRecord, ChunkRecordSchema, chunkName, type LogChunk, type LogStream, RECORD_NAME } from '../../model/log-metadata.ts';
import { crc32cOf } from '../transfer/crc32c.ts';
import { unpackLog } from './log-codec.ts';
import { type LogPlace, uriOf, withSignal } from './log-place.ts';
import { timeAt, timeSpanOf } from './log-time.ts';

/** The log before a read position: enough to know it again. */
export const TAIL_BYTES = 256;
const NEWLINE = 0x0a;

export interface RawChunk {
  readonly bytes: Buffer;
  /** In the log, all its files one after the other. */
  readonly offset: number;
  /** The line before it was cut. */
  readonly continuesLine: boolean;
}

export const endsLine = (bytes: Buffer): boolean => bytes.at(-1) === NEWLINE;

export const tailOf = (bytes: Buffer) => {
  const tail = bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES));
  return { tailBytes: tail.length, tailCrc32c: crc32cOf(tail) };
};

export async function describeChunk(key: string, raw: RawChunk, compressedBytes: number): Promise<LogChunk> {
  return {
    key,
    rawOffset: raw.offset,
    rawBytes: raw.bytes.length,
    compressedBytes,
    crc32c: crc32cOf(raw.bytes),
    beginsWithTime: !raw.continuesLine && timeAt(raw.bytes, 0) !== undefined,
    ...(await timeSpanOf(raw.bytes, raw.continuesLine)),
  };
}

export const metadataOf = (record: ChunkRecord): Record<string, string> => ({ [RECORD_NAME]: JSON.stringify(record) });

export function withoutSource({ source: _source, ...chunk }: ChunkRecord): LogChunk {
  return chunk;
}

/** Undefined where there is no such chunk. @param before where the log is without it; asked of chunks that carry no record, as those from before 0.3 */
export async function readRecord(place: LogPlace, stream: LogStream, nodeId: string, number: number, before = 0): Promise<ChunkRecord | undefined> {
  const name = chunkName(stream, nodeId, number);
  const facts = await place.store.head(place.bucket, `${place.prefix}${name}`, withSignal(place)).catch(absent);
  if (!facts) return undefined;
  const text = facts.metadata[RECORD_NAME];
  if (text === undefined) return recordOfContent(place, name, before);
  const parsed = ChunkRecordSchema.safeParse(parseJson(text));
  if (parsed.success && parsed.data.key === name) return { ...parsed.data, compressedBytes: facts.bytes };
  throw new PenstockError('CorruptSource', `${uriOf(place, name)} carries a record that is not its own.`, { store: place.store.name });
}

/** Chunks of the log behind those that are known, in order, until there is none. */
export async function* recordsFrom(place: LogPlace, stream: LogStream, nodeId: string, known: readonly LogChunk[]): AsyncGenerator<ChunkRecord, void> {
  let end = endOf(known);
  for (let number = known.length; ; number++) {
    const record = await readRecord(place, stream, nodeId, number, end);
    if (!record) return;
    end = record.rawOffset + record.rawBytes;
    yield record;
  }
}

/** How long the log is that these chunks are. */
export function endOf(chunks: readonly LogChunk[]): number {
  const last = chunks.at(-1);
  return last ? last.rawOffset + last.rawBytes : 0;
}

/** A log from before 0.3 was one file, cut from its begin: where the chunk lies in the log it lay in the file. */
async function recordOfContent(place: LogPlace, name: string, offset: number): Promise<ChunkRecord> {
  const packed = await place.store.readBytes(place.bucket, `${place.prefix}${name}`, withSignal(place));
  const bytes = await unpackLog(packed, uriOf(place, name), place.store.name);
  const chunk = await describeChunk(name, { bytes, offset, continuesLine: false }, packed.length);
  const source = { fileId: '', offset: offset + bytes.length, modifiedAt: '', ...tailOf(bytes), endsLine: endsLine(bytes) };
  return { ...chunk, source };
}
