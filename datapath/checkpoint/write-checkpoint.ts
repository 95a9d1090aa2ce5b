/**
 * The commit path: chunks of 4 MiB to two stores side by side, several at a time, each acknowledged when both have it on stable media, in order. The record is
 * published last, in the rack first: with it the checkpoint exists.
 */
import pLimit from 'p-limit';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import type { CheckpointRecord } from '../../model/checkpoint-record.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { encodeCrc32c } from '../transfer/crc32c.ts';
import { combineCrc32c } from '../transfer/crc32c-combine.ts';
import type { RateLimiter } from '../transfer/rate-limiter.ts';
import { createChunkBlocks } from './chunk-blocks.ts';
import { recordOf } from './commit.ts';
import { cutChunks } from './cut-chunks.ts';
import type { SecondCopy } from './second-copy.ts';
import type { CheckpointChunk, CheckpointSink } from './sink.ts';
import type { Deadlined } from './write-deadline.ts';

export interface WriteCheckpoint {
  readonly checkpointId: string;
  readonly rack: Deadlined;
  readonly second: SecondCopy;
  /** Writes under way at each of the two stores. There is memory for so many chunks of 4 MiB, and for {@link AHEAD} more. */
  readonly depth: number;
  readonly allocate: (bytes: number) => Promise<Buffer>;
  /** Chunks wait for it before they are sent; once for both stores, for the ring is on no network. */
  readonly limiter?: RateLimiter | undefined;
  /** In order, each once. */
  readonly onAcknowledged?: ((chunk: AcknowledgedChunk) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}
export interface AcknowledgedChunk extends Pick<CheckpointChunk, 'index' | 'path' | 'offset' | 'bytes' | 'crc32c'> {
  /** From being handed to the first of the two stores to being durable in both. */
  readonly milliseconds: number;
}
export interface WrittenCheckpoint {
  readonly record: CheckpointRecord;
  readonly chunks: number;
  /** Why one of the copies lies in the global tier; undefined where it is in the ring. */
  readonly degradedBy: string | undefined;
  /** Why it was written at the least rate for a time; absent where its window came at once, or none was needed. */
  readonly withoutWindow?: string;
  /** What the acknowledgements of each store meant, for people. */
  readonly durability: { readonly rack: string; readonly second: string };
}
export interface CheckpointWriter {
  /**
   * Settles when the last byte was handed over, not yet acknowledged. One file at a time, each path once.
   * @param expectedBytes the file's length, where it is known beforehand; it need not be right
   */
  addFile(path: string, content: AsyncIterable<Uint8Array>, expectedBytes?: number): Promise<void>;
  /** Settles when the checkpoint exists. CheckpointIncomplete where it has no file. */
  commit(): Promise<WrittenCheckpoint>;
  /** Closes everything; what was not committed does not exist. May be called again. */
  close(): Promise<void>;
}

/** A store that is done with a chunk before the other one gets the next, which was cut and summed meanwhile; neither waits for the other at every chunk. */
export const AHEAD = 2;

export function createCheckpointWriter({ checkpointId, rack, second, depth, allocate, limiter, onAcknowledged, signal }: WriteCheckpoint): CheckpointWriter {
  const blocks = createChunkBlocks(depth + AHEAD, allocate);
  const [inTurnAtRack, inTurnAtSecond] = [pLimit(depth), pLimit(depth)];
  const files = new Map<string, CheckpointRecord['files'][number]>();
  /** In order; the first is the oldest that is not acknowledged. */
  const pending: Pending[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: { readonly reason: unknown } | undefined;
  let count = 0;

  const fail = (reason: unknown): void => {
    failure ??= { reason };
    blocks.end(failure.reason);
  };
  const requireSound = (): void => {
    if (signal?.aborted) fail(signal.reason);
    if (failure) throw failure.reason;
  };
  const stop = (): void => fail(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });

  function acknowledge(): void {
    for (let first = pending[0]; !failure && first?.done !== undefined; first = pending[0]) {
      pending.shift();
      onAcknowledged?.({ ...first.chunk, milliseconds: first.done });
    }
  }

  function send(chunk: CheckpointChunk): void {
    const { index, path, offset, bytes, crc32c: sum, block } = chunk;
    const entry: Pending = { chunk: { index, path, offset, bytes, crc32c: sum } };
    pending.push(entry);
    let began: number | undefined;
    const begin = (): void => {
      if (failure) throw failure.reason;
      began ??= performance.now();
    };
    const inRack = inTurnAtRack(() => {
      begin();
      return rack.write(chunk);
    });
    const inSecond = inTurnAtSecond(() => {
      begin();
      return second.write(chunk, inRack);
    });
    const both = Promise.allSettled([inRack, inSecond]).then((ends) => {
      const bad = ends.find((end) => end.status === 'rejected');
      if (bad) fail(bad.reason);
      entry.done = performance.now() - (began ?? performance.now());
      try {
        acknowledge();
      } catch (error) {
        fail(error);
      }
      if (rack.isHolding(block) || second.isHolding(block)) blocks.forget();
      else blocks.give(block);
    });
    underWay.add(both);
    void both.finally(() => underWay.delete(both));
  }

  async function addFile(path: string, content: AsyncIterable<Uint8Array>, expectedBytes: number | undefined): Promise<void> {
    requireSound();
    refuseName(path, files, checkpointId);
    let file = { path, bytes: 0, crc32c: encodeCrc32c(0) };
    for await (const piece of cutChunks(content, blocks)) {
      await limiter?.take(piece.bytes, signal);
      requireSound();
      file = { path, bytes: file.bytes + piece.bytes, crc32c: combineCrc32c([file, { bytes: piece.bytes, crc32c: encodeCrc32c(piece.crc32c) }]) };
      send({ ...piece, index: count++, path, expectedBytes });
    }
    files.set(path, file);
  }

  async function commit(): Promise<WrittenCheckpoint> {
    await Promise.all(underWay);
    requireSound();
    if (files.size === 0) throw new PenstockError('CheckpointIncomplete', `checkpoint ${checkpointId} has no file.`, { nextStep: 'Write at least one.' });
    const record = recordOf(checkpointId, [...files.values()]);
    second.accept(record);
    const standing = await publishBoth(record, { checkpointId, rack, second });
    return { record: standing, chunks: count, degradedBy: second.degradedBy(), durability: { rack: rack.durability(), second: second.durability() } };
  }

  return {
    addFile: async (path, content, expectedBytes) => {
      try {
        await addFile(path, content, expectedBytes);
      } catch (error) {
        fail(error);
        throw failure?.reason ?? error;
      }
    },
    commit,
    async close() {
      signal?.removeEventListener('abort', stop);
      fail(new PenstockError('CheckpointIncomplete', `checkpoint ${checkpointId} is closed.`));
      await Promise.all(underWay);
      await Promise.allSettled([rack.close(), second.close()]);
    },
  };
}

type PublishingSink = Pick<CheckpointSink, 'name' | 'publish' | 'retract'>;

/** First in the rack, for that is the commit. With one copy only, or where it cannot be told whether the rack's is there, it is taken back. */
async function publishBoth(
  record: CheckpointRecord,
  { checkpointId, rack, second }: Pick<WriteCheckpoint, 'checkpointId' | 'rack' | 'second'>,
): Promise<CheckpointRecord> {
  const tried: PublishingSink[] = [];
  let standing = record;
  try {
    for (const sink of [rack, second]) {
      tried.push(sink);
      standing = await sink.publish(standing);
    }
    return standing;
  } catch (error) {
    // Another attempt's record, or files that are another's.
    if (isType(error, 'Conflict')) throw error;
    await takeBack(tried, checkpointId, error);
    throw error;
  }
}

async function takeBack(tried: readonly PublishingSink[], checkpointId: string, error: unknown): Promise<void> {
  const ends = await Promise.allSettled(tried.map((sink) => sink.retract()));
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (failures.length === 0) return;
  throw new PenstockError(
    'CheckpointIncomplete',
    `checkpoint ${checkpointId} failed, and its record could not be taken back from ${tried.map(({ name }) => name).join(' and ')}.`,
    {
      nextStep: `Look whether ${COMMIT_RECORD} is there once they answer, or it may be offered for restart with one copy.`,
      cause: new AggregateError([error, ...failures]),
    },
  );
}

interface Pending {
  readonly chunk: Omit<AcknowledgedChunk, 'milliseconds'>;
  /** Milliseconds that both stores took, once they have it. */
  done?: number;
}

function refuseName(path: string, known: ReadonlyMap<string, unknown>, checkpointId: string): void {
  const reason =
    path === COMMIT_RECORD ? 'any path but that of the commit record' : known.has(path) ? 'a path that no other file of the checkpoint has' : undefined;
  if (reason) throw new PenstockError('InvalidInput', `path: found ${JSON.stringify(path)}; accepted: ${reason} (checkpoint ${checkpointId}).`);
}
