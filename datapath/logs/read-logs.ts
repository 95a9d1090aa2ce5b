/** Reads a range of an archived log by its metadata.json, touching only the chunks that hold it. */
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import {
  type ByteRange,
  chunksInBytes,
  chunksInTime,
  type LogChunk,
  type LogMetadata,
  LogMetadataSchema,
  type LogStream,
  METADATA_NAME,
  type TimeRange,
} from '../../model/log-metadata.ts';
import { crc32cOf } from '../transfer/crc32c.ts';
import { unpackLog } from './log-codec.ts';
import { nextLine, timeAt } from './log-time.ts';

export interface LogPlace {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** Of the allocation's logs; ends with `/`. */
  readonly prefix: string;
  readonly signal?: AbortSignal;
}
export interface LogOf {
  readonly metadata: LogMetadata;
  readonly nodeId: string;
  readonly stream: LogStream;
}

const MAX_METADATA_BYTES = 256 * 2 ** 20;

/** @throws NotFound where the logs are not closed yet */
export async function readLogMetadata(place: LogPlace): Promise<LogMetadata> {
  const key = `${place.prefix}${METADATA_NAME}`;
  const text = await place.store.readBytes(place.bucket, key, { limitBytes: MAX_METADATA_BYTES, ...withSignal(place) });
  const parsed = LogMetadataSchema.safeParse(JSON.parse(text.toString('utf8')));
  if (parsed.success) return parsed.data;
  throw new PenstockError('CorruptSource', `s3://${place.bucket}/${key} is no log metadata.`, { store: place.store.name, cause: parsed.error });
}

/** Exactly those bytes of the log, in pieces. Without a range, all of it. */
export async function* readLogBytes(place: LogPlace, log: LogOf, range: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER }): AsyncGenerator<Buffer, void> {
  for (const chunk of chunksInBytes(chunksOf(place, log), range)) {
    const raw = await readChunk(place, chunk);
    yield raw.subarray(Math.max(0, range.start - chunk.rawOffset), Math.min(raw.length, range.end - chunk.rawOffset + 1));
  }
}

/** The lines whose time lies in the range, both ends included; a line without a time goes with the one before it. */
export async function* readLogTime(place: LogPlace, log: LogOf, range: TimeRange): AsyncGenerator<Buffer, void> {
  const [from, to] = [Date.parse(range.from), Date.parse(range.to)];
  let isInside = false;
  let previousEnd = 0;
  for (const chunk of chunksInTime(chunksOf(place, log), range)) {
    // Behind a gap there is no line before.
    if (chunk.rawOffset !== previousEnd) isInside = false;
    previousEnd = chunk.rawOffset + chunk.rawBytes;
    const raw = await readChunk(place, chunk);
    let begin = 0;
    for (let line = 0; line < raw.length; line = nextLine(raw, line)) {
      const time = line === 0 && !chunk.beginsWithTime ? undefined : timeAt(raw, line);
      const stays: boolean = time === undefined ? isInside : time >= from && time <= to;
      if (stays === isInside) continue;
      if (isInside) yield raw.subarray(begin, line);
      begin = line;
      isInside = stays;
    }
    if (isInside) yield raw.subarray(begin);
  }
}

function chunksOf(place: LogPlace, { metadata, nodeId, stream }: LogOf): readonly LogChunk[] {
  const node = metadata.nodes.find((each) => each.nodeId === nodeId);
  const found = node?.streams.find((each) => each.stream === stream);
  if (found?.state === 'archived') return found.chunks;
  const reason = found?.reason ?? node?.missing ?? 'The allocation had no such node.';
  throw new PenstockError('NotFound', `There is no ${stream} of ${nodeId}: ${reason}`, { store: place.store.name });
}

async function readChunk(place: LogPlace, chunk: LogChunk): Promise<Buffer> {
  const key = `${place.prefix}${chunk.key}`;
  const subject = `s3://${place.bucket}/${key}`;
  const raw = await unpackLog(
    await place.store.readBytes(place.bucket, key, { limitBytes: 2 * chunk.rawBytes + 65_536, ...withSignal(place) }),
    subject,
    place.store.name,
  );
  if (raw.length === chunk.rawBytes && crc32cOf(raw) === chunk.crc32c) return raw;
  throw new PenstockError('CorruptSource', `${subject} is not the chunk metadata.json names.`, { store: place.store.name });
}

const withSignal = ({ signal }: LogPlace) => (signal ? { signal } : {});
