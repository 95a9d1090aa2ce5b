/** Follows both streams of a node, and keeps the node's index. */
import type { FileStore } from '../../drivers/file-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { LOG_STREAMS, type LogChunk, type LogStream, type LogStreamFacts } from '../../model/log-metadata.ts';
import { endOf, readRecord, withoutSource } from './chunk-record.ts';
import { FollowedStream, type StreamOptions } from './follow-stream.ts';
import type { LogPlace } from './log-place.ts';
import { indexedChunks, readNodeIndex, writeNodeIndex } from './node-index.ts';

export interface NodeOptions extends Pick<StreamOptions, 'chunkBytes' | 'chunkMs' | 'now' | 'waiting'> {
  /** The node's storage, and the directory in it that holds `stdout.log` and `stderr.log`. */
  readonly source: FileStore;
  readonly directory: string;
  readonly nodeId: string;
  readonly place: LogPlace;
}

/** An index is never further behind: so many requests find the rest. */
const MOST_UNINDEXED = 64;
/** Nor is it written more often than with each so-many-th part of its chunks: then all of its versions together are at most 16 times the last one. */
const UNINDEXED_PART = 16;

export class FollowedNode {
  readonly nodeId: string;
  readonly #options: NodeOptions;
  #streams: readonly FollowedStream[] | undefined;

  constructor(options: NodeOptions) {
    this.nodeId = options.nodeId;
    this.#options = options;
  }

  /** @param final see {@link FollowedStream.look} @returns whether anything was read */
  async look(final = false): Promise<boolean> {
    const streams = await this.#opened();
    let isMoved = false;
    for (const stream of streams) isMoved = (await stream.look(final)) || isMoved;
    const unindexed = streams.reduce((sum, { unindexed }) => sum + unindexed.size, 0);
    const chunks = streams.reduce((sum, { chunks }) => sum + chunks, 0);
    if (final || unindexed >= MOST_UNINDEXED || (unindexed > 0 && unindexed * UNINDEXED_PART >= chunks)) await this.#writeIndex(streams, final);
    return isMoved;
  }

  /** What was shipped, by any attempt. */
  get totals(): { readonly chunks: number; readonly rawBytes: number; readonly missing: readonly LogStream[] } {
    const streams = this.#streams ?? [];
    return {
      chunks: streams.reduce((sum, { chunks }) => sum + chunks, 0),
      rawBytes: streams.reduce((sum, { shippedBytes }) => sum + shippedBytes, 0),
      missing: streams.filter(isMissing).map(({ stream }) => stream),
    };
  }

  close(): void {
    for (const stream of this.#streams ?? []) stream.close();
  }

  async #opened(): Promise<readonly FollowedStream[]> {
    if (this.#streams) return this.#streams;
    const { directory, nodeId, place, source } = this.#options;
    const index = await readNodeIndex(place, nodeId);
    const streams: FollowedStream[] = [];
    for (const stream of LOG_STREAMS) {
      const followed = new FollowedStream({ ...this.#options, files: { store: source, directory, stream } });
      await followed.resume(indexedChunks(index, stream));
      streams.push(followed);
    }
    this.#streams = streams;
    return streams;
  }

  /** Read, added to, written: no process holds a long log's chunks in memory. */
  async #writeIndex(streams: readonly FollowedStream[], final: boolean): Promise<void> {
    const { nodeId, place } = this.#options;
    const index = await readNodeIndex(place, nodeId);
    const facts: LogStreamFacts[] = [];
    for (const stream of streams) {
      const chunks = [...indexedChunks(index, stream.stream)];
      while (chunks.length < stream.chunks) chunks.push(await this.#chunk(stream, chunks));
      if (final && isMissing(stream)) facts.push({ state: 'missing', stream: stream.stream, reason: stream.reason ?? 'It is not there.' });
      else facts.push({ state: 'archived', stream: stream.stream, rawBytes: endOf(chunks), chunks });
    }
    await writeNodeIndex(place, { nodeId, streams: facts });
    for (const stream of streams) stream.unindexed.clear();
  }

  async #chunk(stream: FollowedStream, before: readonly LogChunk[]): Promise<LogChunk> {
    const { nodeId, place } = this.#options;
    const known = stream.unindexed.get(before.length);
    if (known) return known;
    // Somebody put an older index in place of the one that was read.
    const record = await readRecord(place, stream.stream, nodeId, before.length, endOf(before));
    if (record) return withoutSource(record);
    throw new PenstockError('CorruptSource', `chunk ${before.length} of ${stream.stream} of ${nodeId} is gone.`, { store: place.store.name });
  }
}

const isMissing = ({ chunks, reason }: FollowedStream): boolean => chunks === 0 && reason !== undefined;
