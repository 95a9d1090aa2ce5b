/** Moves parts of one entry, several at a time: read, checked to be of the listed version, written. Whole entries and shares of a large one, moved by many workers, are the same to it. */
import type { BlockPool } from './block-pool.ts';
import { crc32cOf } from './crc32c.ts';
import { combineCrc32c } from './crc32c-combine.ts';
import type { EntryReader, EntryWriter, PartReceipt } from './endpoint.ts';
import { createForeignMeter, type ForeignChecksum, foreignOf, isCombined } from './foreign-checksum.ts';
import { combineForeign } from './foreign-combine.ts';
import { inLanes } from './lanes.ts';
import type { Patience } from './patience.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { SourceFailure } from './source-failure.ts';

export interface MoveContext {
  readonly pool: BlockPool;
  /** Towards both stores. */
  readonly patience: Patience;
  readonly limiter?: RateLimiter;
  readonly signal?: AbortSignal;
  /** Bytes that arrived; negative where they do not count after all. */
  readonly onBytes: (bytes: number) => void;
  /** Asked of an entry in one part before it is published. */
  readonly confirm?: (whole: PartReceipt) => Promise<unknown>;
}

/** Parts of one entry on their way; with two, one is read while the other is written. */
const PARTS_AT_ONCE = 4;

export interface PartRange {
  /** Counted from 0. */
  readonly from: number;
  /** Behind the last one. */
  readonly to: number;
}

export const partCount = (bytes: number, partBytes: number): number => Math.ceil(bytes / partBytes);

/**
 * @returns receipts in order; one for all neighbours that the target does not name, as in a file, where they would be millions
 * @throws a {@link SourceFailure} where the source was at fault
 */
export async function moveParts(context: MoveContext, reader: EntryReader, writer: EntryWriter, range: PartRange): Promise<PartReceipt[]> {
  const receipts: PartReceipt[] = [];
  const early = new Map<number, PartReceipt>();
  let next = range.from;
  await inLanes(numbersOf(range), PARTS_AT_ONCE, async (number) => {
    early.set(number, await context.patience.run(() => movePart(context, reader, writer, number), context.signal));
    for (let receipt = early.get(next); receipt; receipt = early.get(next)) {
      early.delete(next);
      next += 1;
      append(receipts, receipt);
    }
  });
  return receipts;
}

function* numbersOf({ from, to }: PartRange): Generator<number, void> {
  for (let number = from; number < to; number += 1) yield number;
}

function append(receipts: PartReceipt[], receipt: PartReceipt): void {
  const last = receipts.at(-1);
  if (!last || last.etag !== undefined || receipt.etag !== undefined) {
    receipts.push(receipt);
    return;
  }
  const [one, other] = [last.crc32c, receipt.crc32c];
  const crc32c =
    one === undefined || other === undefined
      ? undefined
      : combineCrc32c([
          { bytes: last.bytes, crc32c: one },
          { bytes: receipt.bytes, crc32c: other },
        ]);
  const foreign = joined(last, receipt);
  receipts[receipts.length - 1] = { number: last.number, bytes: last.bytes + receipt.bytes, crc32c, ...(foreign ? { foreign } : {}) };
}

function joined(one: PartReceipt, other: PartReceipt): ForeignChecksum | undefined {
  if (!one.foreign || !other.foreign || one.foreign.algorithm !== other.foreign.algorithm || !isCombined(one.foreign.algorithm)) return undefined;
  const pieces = [
    { bytes: one.bytes, value: one.foreign.value },
    { bytes: other.bytes, value: other.foreign.value },
  ];
  return { algorithm: one.foreign.algorithm, value: combineForeign(one.foreign.algorithm, pieces) };
}

/** What must be computed of a part besides its CRC32C: nothing where the source has that on record, or where what it has cannot be made of parts'. */
async function foreignOfParts({ signal }: MoveContext, reader: EntryReader, bytes: number) {
  // Read in one request, it is compared there.
  if (bytes === reader.entry.bytes) return undefined;
  const recorded = await ofSource(signal, () => reader.recordedForeign?.() ?? Promise.resolve(undefined));
  return recorded && isCombined(recorded.algorithm) ? recorded.algorithm : undefined;
}

async function movePart(context: MoveContext, reader: EntryReader, writer: EntryWriter, number: number): Promise<PartReceipt> {
  const { signal } = context;
  signal?.throwIfAborted();
  const offset = number * writer.partBytes;
  const bytes = Math.min(writer.partBytes, reader.entry.bytes - offset);
  if (await isHole(context, reader, writer, { offset, bytes })) {
    context.onBytes(bytes);
    return { number, bytes, crc32c: zerosCrc32c(bytes) };
  }
  const copied = await copyPart(context, reader, writer, number, bytes);
  if (copied) return copied;
  if (bytes > reader.spanBytes) return await moveBlocks(context, reader, writer, { number, offset, bytes });
  const { buffer, release } = await context.pool.borrow(bytes, signal);
  try {
    const algorithm = await foreignOfParts(context, reader, bytes);
    const crc32c = await fill(context, reader, buffer, offset);
    const foreign = algorithm && { algorithm, value: await foreignOf(algorithm, buffer) };
    const receipt = await writer.writePart(number, { buffer, crc32c }, signal);
    context.onBytes(bytes);
    return foreign ? { ...receipt, foreign } : receipt;
  } finally {
    release();
  }
}

/** Two ends that could not once will not the next time. */
const cannotCopy = new WeakSet<EntryWriter>();

async function copyPart(
  { limiter, signal, onBytes }: MoveContext,
  reader: EntryReader,
  writer: EntryWriter,
  number: number,
  bytes: number,
): Promise<PartReceipt | undefined> {
  if (!writer.copyPart || cannotCopy.has(writer)) return undefined;
  await limiter?.take(bytes, signal);
  const receipt = await writer.copyPart(number, bytes, signal);
  // What was copied behind our back may be of a later version.
  await ofSource(signal, () => reader.verify());
  if (receipt) onBytes(bytes);
  else cannotCopy.add(writer);
  return receipt;
}

interface Part {
  readonly number: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A part larger than a span, as blocks: some of them in memory at a time. */
async function moveBlocks(context: MoveContext, reader: EntryReader, writer: EntryWriter, part: Part): Promise<PartReceipt> {
  const { number, bytes } = part;
  const algorithm = await foreignOfParts(context, reader, bytes);
  const meter = algorithm && createForeignMeter(algorithm);
  const { buffer, release } = await context.pool.borrow(reader.spanBytes, context.signal);
  // A store may answer before it has taken everything: what is still being read into the buffer is called off, and waited for, before the buffer is anybody else's.
  const ended = new AbortController();
  const signal = context.signal ? AbortSignal.any([context.signal, ended.signal]) : ended.signal;
  const half = buffer.length / 2;
  const reading = reader.readBlocks
    ? inOneGo({ ...context, signal }, reader.readBlocks([buffer.subarray(0, half), buffer.subarray(half)], part, signal), half, part)
    : inSpans({ ...context, signal }, reader, buffer, part);
  let counted = 0;
  let crc32c = '';
  async function* blocks(): AsyncGenerator<Buffer, void> {
    for (;;) {
      const { done, value } = await reading.next();
      if (done) {
        crc32c = value;
        return;
      }
      meter?.add(value);
      yield value;
      counted += value.length;
      context.onBytes(value.length);
    }
  }
  try {
    const known = async (): Promise<string> => {
      await context.confirm?.({ number, bytes, crc32c });
      return crc32c;
    };
    const receipt = await writer.writePart(number, { bytes, blocks: blocks(), crc32c: known }, context.signal);
    return algorithm && meter ? { ...receipt, foreign: { algorithm, value: await meter.value() } } : receipt;
  } catch (error) {
    context.onBytes(-counted);
    throw error;
  } finally {
    ended.abort();
    await reading.return('').catch(() => undefined);
    release();
  }
}

/** @returns the CRC32C of the part, as do both ways of reading it */
async function* inSpans(context: MoveContext, reader: EntryReader, buffer: Buffer, { offset, bytes }: Part): AsyncGenerator<Buffer, string> {
  const crc32cs: { bytes: number; crc32c: string }[] = [];
  for (let position = 0; position < bytes; position += buffer.length) {
    const block = buffer.subarray(0, bytes - position);
    crc32cs.push({ bytes: block.length, crc32c: await fill(context, reader, block, offset + position) });
    yield block;
  }
  return combineCrc32c(crc32cs);
}

/** One half of the buffer is filled while the other is written. */
async function* inOneGo({ limiter, signal }: MoveContext, blocks: AsyncGenerator<Buffer, string>, half: number, part: Part): AsyncGenerator<Buffer, string> {
  try {
    for (let admitted = 0; ; admitted += half) {
      const wanted = Math.min(half, part.bytes - admitted);
      if (wanted > 0) await limiter?.take(wanted, signal);
      const { done, value } = await ofSource(signal, () => blocks.next());
      if (done) return value;
      yield value;
    }
  } finally {
    await blocks.return('').catch(() => undefined);
  }
}

/** @returns the CRC32C of what was read */
async function fill({ limiter, signal }: MoveContext, reader: EntryReader, into: Buffer, offset: number): Promise<string> {
  await limiter?.take(into.length, signal);
  return await ofSource(signal, async () => {
    const known = await reader.read(into, offset, signal);
    await reader.verify();
    return known ?? crc32cOf(into);
  });
}

/** Whether a part is nothing but zeros that neither end keeps. */
function isHole({ signal }: MoveContext, reader: EntryReader, writer: EntryWriter, { offset, bytes }: Pick<Part, 'offset' | 'bytes'>): Promise<boolean> {
  if (!writer.keepsHoles || !reader.nextData) return Promise.resolve(false);
  return ofSource(signal, async () => {
    const data = await reader.nextData?.(offset);
    await reader.verify();
    return !data || data.start >= offset + bytes;
  });
}

export async function ofSource<T>(signal: AbortSignal | undefined, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw signal?.aborted ? error : new SourceFailure(error);
  }
}

/** Parts have few sizes: the last one's and all others'. */
const zeros = new Map<number, string>();

function zerosCrc32c(bytes: number): string {
  const known = zeros.get(bytes);
  if (known !== undefined) return known;
  const page = crc32cOf(Buffer.alloc(4096));
  const pieces = [
    ...Array.from({ length: Math.floor(bytes / 4096) }, () => ({ bytes: 4096, crc32c: page })),
    { bytes: bytes % 4096, crc32c: crc32cOf(Buffer.alloc(bytes % 4096)) },
  ];
  const crc32c = combineCrc32c(pieces);
  if (zeros.size < 64) zeros.set(bytes, crc32c);
  return crc32c;
}
