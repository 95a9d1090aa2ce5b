/** Moves one entry: skipped where the target already holds it, streamed through checksum and limiter otherwise, tried again once where its source misbehaved. */
import { pipeline, Transform } from 'node:stream';
import { type ErrorType, PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { bufferOf } from './crc32c.ts';
import type { Endpoint, PublishOptions } from './endpoint.ts';
import { isIdentical, type Present } from './present.ts';
import type { RateLimiter } from './rate-limiter.ts';

export interface CopyContext {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly limiter?: RateLimiter;
  readonly signal?: AbortSignal;
  readonly publish: PublishOptions;
  readonly present: Present;
  readonly onBytes: (bytes: number) => void;
}

/** @returns the entry as it lies at the target */
export async function copyEntry(context: CopyContext, entry: ManifestEntry): Promise<ManifestEntry> {
  const there = await alreadyThere(context, entry);
  if (there) {
    context.onBytes(entry.bytes);
    return there;
  }
  try {
    return await moveOnce(context, entry);
  } catch (error) {
    const again = await secondTry(context, entry, error);
    return await moveOnce(context, again).catch((second: unknown) => {
      throw verdict(context, entry, second);
    });
  }
}

async function alreadyThere(context: CopyContext, entry: ManifestEntry): Promise<ManifestEntry | undefined> {
  const held = await context.present(entry);
  if (!held) return undefined;
  const { retention } = context.publish;
  // Where it cannot be held, publish says so.
  if (retention && !context.target.retain) return undefined;
  const identical = await isIdentical(context, entry, held).catch((error: unknown) => {
    // One of the two cannot be read as listed: moving it finds out which, and says so.
    if (error instanceof PenstockError && (WORTH_A_SECOND_TRY.has(error.type) || error.type === 'NotFound')) return undefined;
    throw error;
  });
  if (identical && retention) await context.target.retain?.(entry.path, retention);
  return identical;
}

async function moveOnce(context: CopyContext, entry: ManifestEntry): Promise<ManifestEntry> {
  const { source, target, signal } = context;
  let counted = 0;
  let sourceError: unknown;
  try {
    const content = await source.open(entry, signal ? { signal } : {}).catch((error: unknown) => {
      throw new SourceFailure(error);
    });
    const metered = createMeter(context, (bytes) => {
      counted += bytes;
      context.onBytes(bytes);
    });
    // Where the target fails first, the pipeline hands its error on to the source.
    content.once('error', (error) => {
      if (!metered.destroyed) sourceError = error;
    });
    pipeline(content, metered, () => undefined);
    return await target.publish(entry, metered, context.publish);
  } catch (error) {
    context.onBytes(-counted);
    if (error instanceof SourceFailure) throw error;
    throw sourceError === undefined ? error : new SourceFailure(sourceError);
  }
}

/** Tells a source's failure from the target's. */
class SourceFailure extends Error {
  constructor(cause: unknown) {
    super('the source failed', { cause });
  }
}

/** Counts, and lets pass what the limiter grants. */
function createMeter({ limiter, signal }: CopyContext, count: (bytes: number) => void): Transform {
  return new Transform({
    transform(piece: unknown, _encoding, done) {
      const chunk = bufferOf(piece);
      count(chunk.length);
      if (!limiter) return done(null, chunk);
      limiter.take(chunk.length, signal).then(() => done(null, chunk), done);
    },
  });
}

/** Errors of one source entry that a second look may cure, or at least explain. */
const WORTH_A_SECOND_TRY: ReadonlySet<ErrorType> = new Set<ErrorType>(['SourceChanged', 'ChecksumMismatch', 'IoError']);

/** @returns the entry to try again with; throws where there is no sense in it */
async function secondTry(context: CopyContext, entry: ManifestEntry, failure: unknown): Promise<ManifestEntry> {
  const error = causeOf(failure);
  if (!(error instanceof PenstockError) || !WORTH_A_SECOND_TRY.has(error.type)) throw error;
  if (error.type !== 'SourceChanged') return entry;
  const fresh = await context.source.stat(entry.path);
  if (!fresh) throw new PenstockError('NotFound', `${JSON.stringify(entry.path)} is gone from ${context.source.label}.`, { cause: error });
  return fresh;
}

/** What fails twice in the same way is the source's state, not an accident: one bad file must not hold up the others. */
function verdict(context: CopyContext, entry: ManifestEntry, failure: unknown): unknown {
  const error = causeOf(failure);
  if (!(error instanceof PenstockError)) return error;
  const unreadable = failure instanceof SourceFailure && error.type === 'IoError';
  if (error.type !== 'ChecksumMismatch' && !unreadable) return error;
  return new PenstockError('CorruptSource', `${JSON.stringify(entry.path)} cannot be read as it was written: ${error.message}`, {
    store: context.source.store,
    cause: error,
    nextStep: 'Restore it from another copy.',
  });
}

const causeOf = (error: unknown): unknown => (error instanceof SourceFailure ? error.cause : error);
