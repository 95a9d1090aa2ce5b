/**
 * One shard being read: opened with its header, table and footer checked, then cell by cell, a request each. No request waits for another one's
 * consumer: a rack's connections may be fewer than the objects being read at once need.
 */

import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType, messageOf, PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import type { FindingLog } from './findings.ts';
import { crc32cText, parseHeader, parseTail } from './format.ts';
import { noteLatency } from './latency.ts';
import { cellOffset, HEADER_BYTES, shardBytes } from './layout.ts';
import { type ErasureManifest, layoutOf, type PlacedShardEntry, shardNameOf } from './manifest.ts';
import type { Patience } from './patience.ts';
import { askingAnyway, askRack, isSilent } from './rack-memory.ts';

export interface ShardSource {
  readonly index: number;
  readonly rackId: string;
  readonly rack: RackStore | undefined;
  isLost(): boolean;
  isOpen(): boolean;
  /** Its rack is remembered as silent: others are asked first. */
  isSilent(): boolean;
  /** Header, table and footer are sound and this object's; {@link isLost} otherwise. */
  open(): Promise<void>;
  /** Puts a cell into the buffer, which must be as long as a cell. */
  cell(stripe: number, into: Buffer): CellRequest;
  /** Of a cell, as the table has it; undefined before the shard is open. */
  checksumOf(stripe: number): number | undefined;
}

/** sound: in the buffer, its CRC32C checked. rotten: it came, and always will, with another one. missing: it did not come, or was called off. Why is in the findings. */
export type CellOutcome = 'sound' | 'rotten' | 'missing';

export interface CellRequest {
  readonly outcome: Promise<CellOutcome>;
  /** From then on nobody writes into the buffer any more; may be later than the answer. */
  readonly isSettled: Promise<void>;
  /** Others were faster: told as late, and remembered of the rack. */
  overtake(): void;
  /** Not needed any more, through no fault of the rack's. */
  callOff(): void;
}

export interface ShardSourceOptions {
  readonly manifest: ErasureManifest;
  readonly shard: PlacedShardEntry;
  /** Undefined where the site has no such rack any more. */
  readonly rack: RackStore | undefined;
  readonly log: FindingLog;
  readonly patience: Patience;
  /** `lost`: a rack that is remembered as silent is not asked. `last`: it is asked like any other, by whoever has no one else to ask. */
  readonly silentAre: 'lost' | 'last';
  readonly signal?: AbortSignal | undefined;
}

/** Whole shards up to this size come in one request instead of three; 18 of them are 4.5 MiB. */
const SINGLE_REQUEST_BYTES = 262_144;
/** A rack that fails twice in a row is not asked again by this reader. */
const MAX_FAILURES = 2;

export function shardSource({ manifest, shard, rack, log, patience, silentAre, signal }: ShardSourceOptions): ShardSource {
  const { index, rack: rackId } = shard;
  const layout = layoutOf(manifest);
  const key = shardNameOf(manifest, shard);
  const totalBytes = shardBytes(layout);
  const asked = silentAre === 'lost' ? patience : askingAnyway(patience);
  let lost = false;
  let failures = 0;
  let opening: Promise<void> | undefined;
  let checksums: Uint32Array | undefined;
  let whole: Buffer | undefined;

  return {
    index,
    rackId,
    rack,
    isLost: () => lost,
    isOpen: () => checksums !== undefined && !lost,
    isSilent: () => rack !== undefined && isSilent(rack, patience),
    open: ensureOpen,
    checksumOf: (stripe) => checksums?.[stripe],

    cell(stripe, into) {
      const controller = new AbortController();
      const settled = Promise.withResolvers<void>();
      const started = performance.now();
      let underWay: Promise<unknown> | undefined;
      const outcome = request();
      outcome.finally(() => underWay ?? settled.resolve()).catch(() => undefined);
      return {
        outcome,
        isSettled: settled.promise,
        overtake() {
          if (rack) noteLatency(rack, into.length, performance.now() - started);
          log.record({ rack: rackId, index, kind: 'late', firstStripe: stripe, message: `cell ${stripe} did not come in time` });
          controller.abort();
        },
        callOff: () => controller.abort(),
      };

      async function request(): Promise<CellOutcome> {
        await ensureOpen();
        if (lost || !checksums || controller.signal.aborted) return 'missing';
        try {
          const found = whole ? fromWhole(whole, stripe, into) : await fromRack();
          if (controller.signal.aborted) return 'missing';
          failures = 0;
          if (found === checksums[stripe]) return 'sound';
          log.record({ rack: rackId, index, kind: 'rotten', firstStripe: stripe, message: `the CRC32C of cell ${stripe} differs` });
          return 'rotten';
        } catch (error) {
          if (!controller.signal.aborted || signal?.aborted) failed(error, stripe);
          return 'missing';
        }
      }

      async function fromRack(): Promise<number> {
        return fetch(into, cellOffset(layout, stripe), patience.stallMilliseconds, controller.signal, (work) => {
          underWay = work.finally(settled.resolve);
          underWay.catch(() => undefined);
        });
      }
    },
  };

  function fromWhole(from: Buffer, stripe: number, into: Buffer): number {
    from.copy(into, 0, cellOffset(layout, stripe), cellOffset(layout, stripe + 1));
    return crc32c(into);
  }

  function ensureOpen(): Promise<void> {
    opening ??= open();
    return opening;
  }

  async function open(): Promise<void> {
    try {
      const tailStart = cellOffset(layout, layout.stripes);
      if (totalBytes <= SINGLE_REQUEST_BYTES) {
        const all = Buffer.allocUnsafe(totalBytes);
        await fetch(all, 0, patience.requestMilliseconds, undefined);
        checksums = checkAgainstManifest(all.subarray(0, HEADER_BYTES), all.subarray(tailStart));
        whole = all;
        return;
      }
      const [head, tail] = [Buffer.allocUnsafe(HEADER_BYTES), Buffer.allocUnsafe(totalBytes - tailStart)];
      await Promise.all([fetch(head, 0, patience.requestMilliseconds, undefined), fetch(tail, tailStart, patience.requestMilliseconds, undefined)]);
      checksums = checkAgainstManifest(head, tail);
    } catch (error) {
      signal?.throwIfAborted();
      if (isType(error, 'CorruptSource', 'NotFound')) failures = MAX_FAILURES;
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

  /** The whole buffer, of a shard of the right length. @returns its CRC32C */
  async function fetch(
    into: Buffer,
    start: number,
    limitMilliseconds: number,
    calledOff: AbortSignal | undefined,
    onStart: (work: Promise<unknown>) => void = () => undefined,
  ): Promise<number> {
    if (!rack) throw new PenstockError('NotFound', 'the site has no such rack.', { store: rackId });
    const outer = calledOff && signal ? AbortSignal.any([calledOff, signal]) : (calledOff ?? signal);
    const began = performance.now();
    const read = (inner: AbortSignal) => {
      const work = rack.readInto(key, into, { start, signal: inner });
      onStart(work);
      return work;
    };
    const answer = await askRack(rack, 'reading a shard', { patience: asked, signal: outer }, read, limitMilliseconds);
    if (answer.totalBytes !== totalBytes || answer.bytes !== into.length) {
      throw new PenstockError('CorruptSource', `its length is ${answer.totalBytes} and not ${totalBytes} bytes.`, { store: rackId });
    }
    noteLatency(rack, into.length, performance.now() - began);
    return answer.crc32c ?? crc32c(into);
  }

  function failed(error: unknown, stripe: number | undefined): void {
    signal?.throwIfAborted();
    failures++;
    lost = failures >= MAX_FAILURES;
    const isSilence = isType(error, 'StoreUnavailable', 'StoreThrottled');
    const away = !rack ? 'unknown' : isSilence ? 'silent' : undefined;
    log.record({ rack: rackId, index, kind: lost ? 'lost' : 'interrupted', firstStripe: stripe, away, message: messageOf(error) });
  }
}
