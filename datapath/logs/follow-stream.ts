/**
 * Follows one stream of one node: reads what is new, ships it in chunks. A chunk is cut where the log has grown by a chunk's size, where what waits is old enough, and at
 * the end of a file. Each chunk's name is taken once (If-None-Match): whoever finds it taken goes on behind what lies there, so that killed and lagging attempts neither lose nor repeat a
 * byte.
 */
import { isType, PenstockError } from '../../model/errors.ts';
import { type ChunkRecord, chunkName, LOG_BREAKS, type LogBreak, type LogChunk } from '../../model/log-metadata.ts';
import { describeChunk, endOf, endsLine, metadataOf, readRecord, recordsFrom, TAIL_BYTES, tailOf, withoutSource } from './chunk-record.ts';
import { packLog } from './log-codec.ts';
import { type LogFiles, type LogPosition, readOn } from './log-files.ts';
import { type LogPlace, uriOf, withSignal } from './log-place.ts';

export interface StreamOptions {
  readonly files: LogFiles;
  readonly place: LogPlace;
  readonly nodeId: string;
  readonly chunkBytes: number;
  readonly chunkMs: number;
  readonly now: () => number;
  /** What waits to be shipped, of all streams together. */
  readonly waiting: { bytes: number; readonly limit: number };
}

/** How long a renamed file may still be written to by a process that has not been told yet. */
const SETTLE_MS = 5_000;
/** Chunks of one look: others have their turn, however fast a log grows. */
const CHUNKS_PER_LOOK = 16;
const NEWLINE = 0x0a;

export class FollowedStream {
  /** Chunks shipped since the index was written last, by their numbers. */
  readonly unindexed = new Map<number, LogChunk>();
  /** Why there is no log. */
  reason: string | undefined;
  readonly #options: StreamOptions;
  #chunks = 0;
  #shippedBytes = 0;
  #endsLine = true;
  /** The end of what was shipped of the present file. */
  #tail: Buffer = Buffer.alloc(0);
  #position: LogPosition | undefined;
  #follows: LogBreak | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #seenFrom = 0;
  #seenUntil = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /** How many chunks there are. */
  get chunks(): number {
    return this.#chunks;
  }
  get shippedBytes(): number {
    return this.#shippedBytes;
  }
  get stream() {
    return this.#options.files.stream;
  }

  /** Finds where to go on. @param indexed what is known of the chunks; those behind are asked of the store */
  async resume(indexed: readonly LogChunk[]): Promise<void> {
    const { nodeId, place } = this.#options;
    this.#chunks = indexed.length;
    this.#shippedBytes = endOf(indexed);
    let last: ChunkRecord | undefined;
    for await (const record of recordsFrom(place, this.stream, nodeId, indexed)) {
      this.unindexed.set(this.#chunks, withoutSource(record));
      this.#adopt(record);
      last = record;
    }
    const lastIndexed = indexed.at(-1);
    if (!last && !lastIndexed) return;
    last ??= await readRecord(place, this.stream, nodeId, indexed.length - 1, lastIndexed?.rawOffset);
    if (!last)
      throw new PenstockError('CorruptSource', `${uriOf(place, chunkName(this.stream, nodeId, indexed.length - 1))} is gone.`, {
        store: place.store.name,
        nextStep: 'Bring it back, or remove the index of that node: what is left is then followed on.',
      });
    this.#endsLine = last.source.endsLine;
    this.#goTo(last);
  }

  /** Reads and ships what there is. @param final ships all of it, and does not wait for what may still come. @returns whether anything was read */
  async look(final = false): Promise<boolean> {
    const { chunkBytes, files, now, waiting } = this.#options;
    const most = final ? Number.POSITIVE_INFINITY : this.#chunks + CHUNKS_PER_LOOK;
    let isMoved = false;
    while (this.#chunks < most) {
      this.#options.place.signal?.throwIfAborted();
      const step = await readOn(files, this.#position, chunkBytes - this.#pendingBytes);
      this.reason = step.kind === 'idle' ? step.reason : undefined;
      if (step.kind === 'idle') {
        if (!final || (await this.#ship('all'))) break;
        continue;
      }
      if (step.kind === 'next') {
        if (step.mayGrow && !final && now() - this.#seenUntil < SETTLE_MS) break;
        if (await this.#ship('all')) this.#goOnAt(step.position, step.how);
        continue;
      }
      isMoved = true;
      this.#take(step.bytes, step.position);
      if (this.#pendingBytes >= chunkBytes || waiting.bytes > waiting.limit) await this.#ship('lines');
    }
    if (this.#pendingBytes > 0 && now() - this.#seenFrom >= this.#options.chunkMs) await this.#ship('lines');
    return isMoved;
  }

  /** Forgets what waits: it is still where it was read. */
  close(): void {
    this.#drop();
  }

  #goOnAt(position: LogPosition, how: LogBreak | undefined): void {
    this.#position = position;
    this.#tail = Buffer.alloc(0);
    // A file that was left empty has no chunk to say it: the worst is said.
    if (how && LOG_BREAKS.indexOf(how) >= LOG_BREAKS.indexOf(this.#follows ?? 'rotation')) this.#follows = how;
  }

  #take(bytes: Buffer, position: LogPosition): void {
    const { now, waiting } = this.#options;
    if (this.#pendingBytes === 0) this.#seenFrom = now();
    this.#seenUntil = now();
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    waiting.bytes += bytes.length;
    this.#position = position;
  }

  #drop(): void {
    this.#options.waiting.bytes -= this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Whole lines, or all of it where no line ends in it. @returns false where another attempt had shipped: then the log is read on from behind that */
  async #ship(what: 'lines' | 'all'): Promise<boolean> {
    const position = this.#position;
    if (this.#pendingBytes === 0 || !position) return true;
    const pending = Buffer.concat(this.#pending, this.#pendingBytes);
    const cut = what === 'all' ? pending.length : pending.lastIndexOf(NEWLINE) + 1 || pending.length;
    const bytes = pending.subarray(0, cut);
    const rest = pending.subarray(cut);
    const tail = Buffer.concat([this.#tail, bytes.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
    const source = { ...position, offset: position.offset - rest.length, ...tailOf(tail), endsLine: endsLine(bytes) };
    const packed = await packLog(bytes);
    const key = chunkName(this.stream, this.#options.nodeId, this.#chunks);
    const raw = { bytes, offset: this.#shippedBytes, continuesLine: !this.#endsLine };
    const record: ChunkRecord = {
      ...(await describeChunk(key, raw, packed.length)),
      seenFrom: new Date(this.#seenFrom).toISOString(),
      seenUntil: new Date(this.#seenUntil).toISOString(),
      ...(this.#follows === undefined ? {} : { follows: this.#follows }),
      source,
    };
    const lying = await this.#publish(record, packed);
    this.unindexed.set(this.#chunks, withoutSource(lying));
    this.#adopt(lying);
    this.#drop();
    this.#tail = tail;
    if (lying !== record) this.#goTo(lying);
    else if (rest.length > 0) this.#take(Buffer.from(rest), position);
    return lying === record;
  }

  /** @returns what lies under the name now: this, or what another attempt shipped before */
  async #publish(record: ChunkRecord, packed: Buffer): Promise<ChunkRecord> {
    const { nodeId, place } = this.#options;
    const write = { contentType: 'application/zstd', ifNoneMatch: true, metadata: metadataOf(record), ...withSignal(place) };
    try {
      await place.store.writeBytes(place.bucket, `${place.prefix}${record.key}`, packed, write);
      return record;
    } catch (error) {
      if (!isType(error, 'Conflict')) throw error;
      const other = await readRecord(place, this.stream, nodeId, this.#chunks, record.rawOffset);
      if (other?.rawOffset === record.rawOffset) return other;
      throw new PenstockError('CorruptSource', `${uriOf(place, record.key)} does not begin where the log ends, at byte ${record.rawOffset}.`, {
        store: place.store.name,
        nextStep: 'A chunk before it was removed or replaced: bring it back.',
        cause: error,
      });
    }
  }

  #adopt(record: ChunkRecord): void {
    this.#chunks += 1;
    this.#shippedBytes = record.rawOffset + record.rawBytes;
    this.#endsLine = record.source.endsLine;
    this.#follows = undefined;
  }

  #goTo({ source: { endsLine: _endsLine, ...position } }: ChunkRecord): void {
    this.#position = position;
    this.#tail = Buffer.alloc(0);
  }
}
