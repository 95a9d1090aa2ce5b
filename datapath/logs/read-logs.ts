/** Reads a range of an allocation's logs, while they are shipped, afterwards, and from a copy of them; touches only the chunks that hold it. */
import { absent, isType, PenstockError } from '../../model/errors.ts';
import { parseJson } from '../../model/json.ts';
import {
  type ByteRange,
  chunksInBytes,
  chunksInTime,
  chunksSeen,
  type LogChunk,
  type LogMetadata,
  LogMetadataSchema,
  type LogStream,
  METADATA_NAME,
  type TimeRange,
} from '../../model/log-metadata.ts';
import { crc32cOf } from '../transfer/crc32c.ts';
import { unpackLog } from './log-codec.ts';
import { type LogPlace, uriOf, withSignal } from './log-place.ts';
import { nextLine, timeAt } from './log-time.ts';

const MAX_METADATA_BYTES = 256 * 2 ** 20;

/** Told of a chunk that is missing or damaged; reading goes on behind it. */
export type OnDamage = (finding: string) => void;

/** May be open: see `openAt`. @throws NotFound where nobody has written it yet */
export async function readLogMetadata(place: LogPlace): Promise<LogMetadata> {
  const text = await place.store.readBytes(place.bucket, `${place.prefix}${METADATA_NAME}`, { limitBytes: MAX_METADATA_BYTES, ...withSignal(place) });
  const parsed = LogMetadataSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new PenstockError('CorruptSource', `${uriOf(place, METADATA_NAME)} is no log metadata.`, { store: place.store.name, cause: parsed.error });
}

/** Nodes that have anything in logs that are not closed. */
export async function nodesWithLogs(place: LogPlace): Promise<string[]> {
  const { bucket, prefix, store } = place;
  const below = async (directory: string): Promise<string[]> =>
    (await store.listPrefixes(bucket, `${prefix}${directory}`, withSignal(place)).catch(absent))?.map((each) =>
      each.slice(prefix.length + directory.length, -1),
    ) ?? [];
  const shipped = await Promise.all([below('stdout/'), below('stderr/')]);
  return [...new Set(shipped.flat())].sort();
}

/** The chunks that metadata names of a stream. @throws NotFound, saying why there are none */
export function chunksNamed(place: LogPlace, metadata: LogMetadata, nodeId: string, stream: LogStream): readonly LogChunk[] {
  const node = metadata.nodes.find((each) => each.nodeId === nodeId);
  const found = node?.streams.find((each) => each.stream === stream);
  if (found?.state === 'archived') return found.chunks;
  const nodes = metadata.nodes.map((each) => each.nodeId).join(', ');
  const reason = found?.reason ?? node?.missing ?? (node ? 'None was written.' : `nodeId: found ${nodeId}; accepted: ${nodes}.`);
  throw new PenstockError('NotFound', `There is no ${stream} of ${nodeId}: ${reason}`, { store: place.store.name });
}

/** Exactly those bytes of the log, in pieces. Without a range, all of it. */
export async function* readLogBytes(
  place: LogPlace,
  chunks: readonly LogChunk[],
  range: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER },
  onDamage?: OnDamage,
): AsyncGenerator<Buffer, void> {
  for (const chunk of chunksInBytes(chunks, range)) {
    const raw = await readChunk(place, chunk, onDamage);
    if (!raw) continue;
    yield raw.subarray(Math.max(0, range.start - chunk.rawOffset), Math.min(raw.length, range.end - chunk.rawOffset + 1));
  }
}

/**
 * The lines whose time lies in the range, both ends included; a line without a time goes with the one before it. Of a log whose lines have no times at all, the chunks
 * that were read from the node in that time.
 */
export async function* readLogTime(place: LogPlace, chunks: readonly LogChunk[], range: TimeRange, onDamage?: OnDamage): AsyncGenerator<Buffer, void> {
  if (chunks.every(({ firstTimestamp }) => firstTimestamp === undefined)) {
    yield* readLogBytes(place, chunksSeen(chunks, range), undefined, onDamage);
    return;
  }
  const [from, to] = [Date.parse(range.from), Date.parse(range.to)];
  let isInside = false;
  let previousEnd = 0;
  for (const chunk of chunksInTime(chunks, range)) {
    // Behind a gap there is no line before.
    if (chunk.rawOffset !== previousEnd) isInside = false;
    previousEnd = chunk.rawOffset + chunk.rawBytes;
    const raw = await readChunk(place, chunk, onDamage);
    if (!raw) continue;
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

/** Undefined where it is damaged and somebody is told. */
async function readChunk(place: LogPlace, chunk: LogChunk, onDamage: OnDamage | undefined): Promise<Buffer | undefined> {
  try {
    return await readWhole(place, chunk);
  } catch (error) {
    if (!onDamage || !isType(error, 'NotFound', 'CorruptSource', 'ChecksumMismatch')) throw error;
    onDamage(`${error.message} Bytes ${chunk.rawOffset} to ${chunk.rawOffset + chunk.rawBytes - 1} of the log are left out.`);
    return undefined;
  }
}

async function readWhole(place: LogPlace, chunk: LogChunk): Promise<Buffer> {
  const { store } = place;
  const subject = uriOf(place, chunk.key);
  const limits = { limitBytes: 2 * chunk.rawBytes + 65_536, ...withSignal(place) };
  const packed = await store.readBytes(place.bucket, `${place.prefix}${chunk.key}`, limits).catch(absent);
  if (!packed) throw new PenstockError('NotFound', `${subject} is missing.`, { store: store.name });
  const raw = await unpackLog(packed, subject, store.name);
  if (raw.length === chunk.rawBytes && crc32cOf(raw) === chunk.crc32c) return raw;
  throw new PenstockError('CorruptSource', `${subject} is not the chunk metadata.json names.`, { store: store.name });
}
