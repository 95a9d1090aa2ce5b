/**
 * One shard being read: opened with its header, table and footer checked, then cell by cell, a request each. No request waits for another one's
 * consumer: a rack's connections may be fewer than the streams of all objects being read, and held streams would then wait for each other.
 */
import type { Readable } from 'node:stream';
import { crc32c } from '@node-rs/crc32';
import type { ByteRange, RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { FindingLog } from './findings.ts';
import { crc32cText, parseHeader, parseTail } from './format.ts';
import { cellOffset, HEADER_BYTES, shardBytes, shardKey } from './layout.ts';
import { type ErasureManifest, layoutOf } from './manifest.ts';
import { isType, messageOf, type Patience, within } from './patience.ts';

export interface ShardSource {
  readonly index: number;
  readonly rackId: string;
  isLost(): boolean;
  /** Undefined where the cell is rotten or did not come; why is in the findings. */
  cell(stripe: number): Promise<Buffer | undefined>;
  /** Header, table and footer are sound and this object's; {@link isLost} otherwise. */
  open(): Promise<void>;
}

export interface ShardSourceOptions {
  readonly manifest: ErasureManifest;
  readonly index: number;
  readonly rackId: string;
  /** Undefined where the site has no such rack any more. */
  readonly rack: RackStore | undefined;
  readonly log: FindingLog;
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
}

/** Whole shards up to this size come in one request instead of three; 18 of them are 4.5 MiB. */
const SINGLE_REQUEST_BYTES = 262_144;
/** A rack that fails twice in a row is not asked again by this reader. */
const MAX_FAILURES = 2;

export function shardSource({ manifest, index, rackId, rack, log, patience, signal }: ShardSourceOptions): ShardSource {
  const layout = layoutOf(manifest);
  const key = shardKey(manifest.key, manifest.writeId, index);
  const totalBytes = shardBytes(layout);
  let lost = false;
  let failures = 0;
  let opening: Promise<void> | undefined;
  let checksums: Uint32Array | undefined;
  let whole: Buffer | undefined;

  return {
    index,
    rackId,
    isLost: () => lost,
    open: ensureOpen,

    async cell(stripe) {
      await ensureOpen();
      if (lost || !checksums) return undefined;
      try {
        const cell = whole
          ? whole.subarray(cellOffset(layout, stripe), cellOffset(layout, stripe + 1))
          : await fetch({ start: cellOffset(layout, stripe), end: cellOffset(layout, stripe + 1) - 1 }, layout.cellBytes);
        failures = 0;
        if (crc32c(cell) === checksums[stripe]) return cell;
        log.record({ rack: rackId, index, kind: 'rotten', firstStripe: stripe, message: `the CRC32C of cell ${stripe} differs` });
      } catch (error) {
        failed(error, stripe);
      }
      return undefined;
    },
  };

  function ensureOpen(): Promise<void> {
    opening ??= open();
    return opening;
  }

  async function open(): Promise<void> {
    try {
      if (!rack) throw new PenstockError('NotFound', 'the site has no such rack.', { store: rackId });
      if (totalBytes <= SINGLE_REQUEST_BYTES) whole = await fetch({ start: 0, end: totalBytes }, totalBytes);
      const tailStart = cellOffset(layout, layout.stripes);
      const [head, tail] = whole
        ? [whole.subarray(0, HEADER_BYTES), whole.subarray(tailStart)]
        : await Promise.all([fetch({ start: 0, end: HEADER_BYTES - 1 }, HEADER_BYTES), fetch({ start: tailStart, end: totalBytes }, totalBytes - tailStart)]);
      checksums = checkAgainstManifest(head, tail);
    } catch (error) {
      signal?.throwIfAborted();
      if (isType(error, 'CorruptSource') || isType(error, 'NotFound')) failures = MAX_FAILURES;
      failed(error, undefined);
      // Another stripe may find the rack recovered.
      if (!lost) opening = undefined;
    }
  }

  function checkAgainstManifest(head: Buffer, tail: Buffer): Uint32Array {
    const header = parseHeader(head);
    const agrees =
      header.index === index &&
      header.writeId === manifest.writeId &&
      header.key === manifest.key &&
      header.objectBytes === manifest.bytes &&
      header.cellBytes === manifest.cellBytes;
    if (!agrees)
      throw new PenstockError('CorruptSource', `it is shard ${header.index} of write ${header.writeId} of ${JSON.stringify(header.key)}.`, { store: rackId });
    const { checksums: table, digest } = parseTail(header, tail);
    if (digest.sha256 !== manifest.sha256 || crc32cText(digest.crc32c) !== manifest.crc32c) {
      throw new PenstockError('CorruptSource', 'it was written for other content.', { store: rackId });
    }
    return table;
  }

  /** Reads to the end of the answer: one byte more than expected is as wrong as one less. */
  async function fetch(range: ByteRange, expected: number): Promise<Buffer> {
    if (!rack) throw new PenstockError('NotFound', 'the site has no such rack.', { store: rackId });
    const answer = await waitFor('opening a shard', patience.requestMilliseconds, (inner) => rack.readShard(key, { range, signal: inner }));
    // An error is seen where it is read; without a listener one that comes later would end the process.
    answer.on('error', () => undefined);
    try {
      return await waitFor('reading a shard', patience.stallMilliseconds, () => exactly(answer, expected));
    } finally {
      answer.destroy();
    }
  }

  async function exactly(answer: Readable, expected: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > expected) break;
    }
    if (bytes !== expected) throw new PenstockError('CorruptSource', `its length is not ${totalBytes} bytes.`, { store: rackId });
    const [only] = chunks;
    return chunks.length === 1 && only ? only : Buffer.concat(chunks, bytes);
  }

  function waitFor<T>(what: string, limitMilliseconds: number, work: (inner: AbortSignal) => Promise<T>): Promise<T> {
    return within(limitMilliseconds, rackId, what, work, signal);
  }

  function failed(error: unknown, stripe: number | undefined): void {
    signal?.throwIfAborted();
    failures++;
    lost = failures >= MAX_FAILURES;
    log.record({ rack: rackId, index, kind: lost ? 'lost' : 'interrupted', firstStripe: stripe, message: messageOf(error) });
  }
}
