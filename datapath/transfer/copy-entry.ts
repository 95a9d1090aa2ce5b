/** Moves one entry: skipped where the target already holds it, tried again once where its source misbehaved. */
import { type ErrorType, PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { crc32cOf } from './crc32c.ts';
import { BLOCK_BYTES, type CreateOptions, type Endpoint, type EntryReader, type EntryWriter, type PartReceipt } from './endpoint.ts';
import { isDirectory } from './file-endpoint.ts';
import { type MoveContext, moveParts, ofSource, partCount } from './move-parts.ts';
import { isIdentical, type Present } from './present.ts';
import { causeOf, SourceFailure } from './source-failure.ts';
import { wholeChecksum } from './whole-checksum.ts';

export interface CopyContext extends MoveContext {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly create: CreateOptions;
  readonly present: Present;
  /** Whether modes and extended attributes are carried. */
  readonly attributes: boolean;
}

/** An entry on its way: whole at the target, and perhaps waiting there for a flush. */
export interface Moved {
  readonly published: Promise<ManifestEntry>;
}

export async function copyEntry(context: CopyContext, entry: ManifestEntry): Promise<Moved> {
  const there = await context.patience.run(() => alreadyThere(context, entry), context.signal);
  if (there) {
    // An attempt that was killed may have published it and not made it durable.
    await context.target.keep?.(entry.path, context.create.scope);
    context.onBytes(entry.bytes);
    return { published: Promise.resolve(there) };
  }
  try {
    return await moveOnce(context, entry);
  } catch (error) {
    const again = await secondTry(context, entry, error);
    return await moveOnce(context, again).catch(async (second: unknown) => {
      throw await verdict(context, entry, second);
    });
  }
}

async function alreadyThere(context: CopyContext, entry: ManifestEntry): Promise<ManifestEntry | undefined> {
  const held = await context.present(entry);
  if (!held) return undefined;
  const { retention } = context.create;
  // Where it cannot be held, create says so.
  if (retention && !context.target.retain) return undefined;
  const identical = await isIdentical(context, entry, held).catch((error: unknown) => {
    // One of the two cannot be read as listed: moving it finds out which, and says so.
    if (error instanceof PenstockError && (WORTH_A_SECOND_TRY.has(error.type) || error.type === 'NotFound')) return undefined;
    throw error;
  });
  if (identical && retention) await context.target.retain?.(entry.path, retention, context.signal);
  return identical;
}

async function moveOnce(context: CopyContext, entry: ManifestEntry): Promise<Moved> {
  let counted = 0;
  const counting: CopyContext = {
    ...context,
    onBytes(bytes) {
      counted += bytes;
      context.onBytes(bytes);
    },
  };
  try {
    // A small entry is one step, repeated as a whole; of a large one, each part is.
    if (entry.bytes <= BLOCK_BYTES) return await context.patience.run(() => openAndMove(counting, entry), context.signal);
    return await openAndMove(counting, entry);
  } catch (error) {
    context.onBytes(-counted);
    throw error;
  }
}

async function openAndMove(context: CopyContext, entry: ManifestEntry): Promise<Moved> {
  const { signal, patience } = context;
  const scope = context.create.scope;
  // What is repeated as a whole is in patient hands already.
  const step = <T>(work: () => Promise<T>): Promise<T> => (entry.bytes <= BLOCK_BYTES ? work() : patience.run(work, signal));
  const reader = await step(() => ofSource(signal, () => context.source.open(entry, { ...(scope ? { scope } : {}), ...(signal ? { signal } : {}) })));
  let writer: EntryWriter | undefined;
  try {
    // Without content it may be a link, which only its attributes tell.
    const isCarried = context.attributes || entry.linkTarget !== undefined || (entry.bytes === 0 && !isDirectory(entry.path));
    const carried = isCarried ? await step(() => ofSource(signal, () => reader.attributes())) : undefined;
    const attributes = context.attributes ? carried : carried?.linkTarget === undefined ? undefined : { linkTarget: carried.linkTarget };
    const created = await step(() => context.target.create(entry, { ...context.create, source: reader, ...(attributes ? { attributes } : {}) }));
    writer = created;
    const parts = partCount(entry.bytes, created.partBytes);
    // What the store copies by itself, or one read fetches, is one step.
    const isOneStep = parts <= 1 && (entry.bytes <= reader.spanBytes || created.copyPart !== undefined);
    return isOneStep ? await step(() => moveWhole(context, reader, created)) : await moveInParts(context, reader, created, parts);
  } catch (error) {
    await writer?.abandon();
    throw error;
  } finally {
    await reader.close();
  }
}

async function moveInParts(context: CopyContext, reader: EntryReader, writer: EntryWriter, parts: number): Promise<Moved> {
  const confirm = parts === 1 ? { confirm: (whole: PartReceipt) => wholeChecksum(within(context), reader, [whole]) } : {};
  const receipts = await moveParts({ ...context, ...confirm }, reader, writer, { from: 0, to: parts });
  const { patience, signal } = context;
  await patience.run(() => ofSource(signal, () => reader.verify()), signal);
  const crc32c = await wholeChecksum(context, reader, receipts);
  return await patience.run(() => writer.seal(receipts, crc32c, signal), signal);
}

/** One part or none; its buffer is held until it is sealed, for one request may do both. */
async function moveWhole(context: CopyContext, reader: EntryReader, writer: EntryWriter): Promise<Moved> {
  const { entry } = reader;
  const { pool, limiter, signal } = context;
  if (entry.bytes === 0) return await writer.seal([], NO_CONTENT, signal);
  await limiter?.take(entry.bytes, signal);
  const copied = await writer.copyPart?.(0, entry.bytes, signal);
  if (copied) {
    await ofSource(signal, () => reader.verify());
    const crc32c = writer.comparesCopy ? copied.crc32c : await wholeChecksum(within(context), reader, [copied]);
    const moved = await writer.seal([copied], crc32c, signal);
    context.onBytes(entry.bytes);
    return moved;
  }
  const { buffer, release } = await pool.borrow(entry.bytes, signal);
  try {
    const known = await ofSource(signal, async () => {
      const read = await reader.read(buffer, 0, signal);
      await reader.verify();
      return read;
    });
    const crc32c = known ?? crc32cOf(buffer);
    await wholeChecksum(within(context), reader, [{ number: 0, bytes: buffer.length, crc32c }]);
    const receipt = await writer.writePart(0, { buffer, crc32c }, signal);
    const moved = await writer.seal([receipt], crc32c, signal);
    context.onBytes(entry.bytes);
    return moved;
  } finally {
    release();
  }
}

/** A step that is repeated as a whole repeats nothing by itself. */
const within = ({ patience: _mine, ...context }: CopyContext) => context;

const NO_CONTENT = crc32cOf(Buffer.alloc(0));

/** Errors of one source entry that a second look may cure, or at least explain. */
const WORTH_A_SECOND_TRY: ReadonlySet<ErrorType> = new Set<ErrorType>(['SourceChanged', 'ChecksumMismatch', 'IoError', 'SessionLost']);

/** @returns the entry to try again with; throws where there is no sense in it */
async function secondTry(context: CopyContext, entry: ManifestEntry, failure: unknown): Promise<ManifestEntry> {
  const error = causeOf(failure);
  if (!(error instanceof PenstockError) || !WORTH_A_SECOND_TRY.has(error.type)) throw error;
  if (error.type !== 'SourceChanged') return entry;
  const fresh = await context.source.stat(entry.path, context.signal);
  if (!fresh) throw new PenstockError('NotFound', `${JSON.stringify(entry.path)} is gone from ${context.source.label}.`, { cause: error });
  return fresh;
}

/** What fails twice in the same way is the source's state, not an accident: one bad file must not hold up the others. */
async function verdict(context: CopyContext, entry: ManifestEntry, failure: unknown): Promise<unknown> {
  const error = causeOf(failure);
  if (!(error instanceof PenstockError)) return error;
  if (error.type === 'SourceChanged') return await changing(context, entry, error);
  const isUnreadable = failure instanceof SourceFailure && error.type === 'IoError';
  if (error.type !== 'ChecksumMismatch' && !isUnreadable) return error;
  return new PenstockError('CorruptSource', `${JSON.stringify(entry.path)} cannot be read as it was written: ${error.message}`, {
    store: context.source.store,
    cause: error,
    nextStep: 'Restore it from another copy.',
  });
}

async function changing({ source, signal }: CopyContext, entry: ManifestEntry, error: PenstockError): Promise<PenstockError> {
  const now = await source.stat(entry.path, signal);
  if (!now) return error;
  const was = `it was ${entry.bytes} bytes of ${entry.modifiedAt}, now ${now.bytes} bytes of ${now.modifiedAt}`;
  return new PenstockError('SourceChanged', `${JSON.stringify(entry.path)} changed while it was moved (${was}).`, {
    store: source.store,
    cause: error,
    nextStep: 'Stop its writer and start again.',
  });
}
