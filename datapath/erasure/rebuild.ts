/**
 * Makes an object's lost shards again from any 14 that are sound, byte for byte as its writer made them, under names of the repair's own. Memory: the reader's
 * four stripes and two more.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import { decodeCrc32c } from '../transfer/crc32c.ts';
import { type CodecPool, sharedCodecPool } from './codec-pool.ts';
import { createFindingLog, type Finding } from './findings.ts';
import { encodeHeader, encodeTail, type ObjectIdentity, parseHeader } from './format.ts';
import { DATA_SHARDS, frameBytes, shardBytes, TABLE_ENTRY_BYTES } from './layout.ts';
import { type ErasureManifest, layoutOf, type PlacedShardEntry, shardNameOf } from './manifest.ts';
import type { Patience } from './patience.ts';
import { readErasureBlocks } from './reader.ts';
import { openRebuildLane, type RebuildLane } from './rebuild-lane.ts';
import type { RebuildTarget } from './rebuild-targets.ts';
import { shardSource } from './shard-source.ts';
import { createSlabPool } from './slab-pool.ts';

export interface RebuildShards {
  readonly racks: readonly RackStore[];
  readonly manifest: ErasureManifest;
  readonly targets: readonly RebuildTarget[];
  readonly repairId: string;
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
  readonly codec?: CodecPool | undefined;
  /** Awaited before so many bytes are read from racks. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
  /** Bytes of shards made so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface RebuiltShards {
  /** Durable, and read back sound. */
  readonly shards: readonly PlacedShardEntry[];
  /** Racks that failed meanwhile, and why: their shards are not there. */
  readonly failures: readonly string[];
  /** What reading the other shards found. */
  readonly findings: readonly Finding[];
}

/** NotEnoughShards where fewer than 14 are sound. Nothing counts before its manifest is committed: the caller does that, or removes what was made. */
export async function rebuildShards(request: RebuildShards): Promise<RebuiltShards> {
  const { racks, manifest, targets, repairId, patience, signal, codec = sharedCodecPool, pace, onProgress } = request;
  const { key, cellBytes, bytes, stripes } = manifest;
  const identity: ObjectIdentity = { ...layoutOf(manifest), key, writeId: manifest.writeId, createdAtMilliseconds: Date.parse(manifest.createdAt) };
  const made = targets.map(({ index, rack }) => {
    const entry: PlacedShardEntry = { index, rack: rack.id, repairId };
    const lane = openRebuildLane(rack, shardNameOf(manifest, entry), shardBytes(identity), patience);
    return { index, entry, rack, lane, header: encodeHeader(identity, index), table: Buffer.alloc(stripes * TABLE_ENTRY_BYTES) };
  });
  const lanes = made.map(({ lane }) => lane);
  const stop = () => void abandon(lanes, signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const reading = await readErasureBlocks({ racks, key, manifest, patience, codec, signal });
    await Promise.all(made.map(({ lane, header }) => lane.push(header)));
    const slabs = createSlabPool(cellBytes, 2);
    let stripe = 0;
    let sending = Promise.resolve();
    await pace?.(DATA_SHARDS * (frameBytes(identity) + cellBytes));
    for await (const slab of stripesFrom(reading.blocks)) {
      const sent = codeAndSend(slab, stripe++, sending);
      // Reported by the await below, or by the one after the loop.
      sent.catch(() => undefined);
      await sending;
      sending = sent;
      if (stripe < stripes) await pace?.(DATA_SHARDS * cellBytes);
    }
    await sending;
    const digest = { sha256: manifest.sha256, crc32c: decodeCrc32c(manifest.crc32c) };
    await Promise.all(made.map(({ lane, header, table }) => lane.push(encodeTail(parseHeader(header), table, digest))));
    await Promise.all(lanes.map((lane) => lane.finish()));
    signal?.throwIfAborted();
    const durable = made.filter(({ lane }) => lane.failure() === undefined);
    const checked = await Promise.all(durable.map(async ({ entry, rack }) => ({ entry, problem: await problemOfShard(manifest, entry, rack, request) })));
    return {
      shards: checked.filter(({ problem }) => problem === undefined).map(({ entry }) => entry),
      failures: [
        ...lanes.flatMap((lane) => (lane.failure() === undefined ? [] : [`${lane.rack.id} (${messageOf(lane.failure())})`])),
        ...checked.flatMap(({ entry, problem }) => (problem === undefined ? [] : [`${entry.rack} (${problem})`])),
      ],
      findings: reading.findings,
    };

    async function* stripesFrom(blocks: AsyncIterable<Buffer>): AsyncGenerator<ArrayBuffer> {
      const stripeBytes = DATA_SHARDS * cellBytes;
      let slab: ArrayBuffer | undefined;
      let filled = 0;
      for await (const block of blocks) {
        for (let taken = 0; taken < block.length; ) {
          slab ??= await slabs.take();
          const copied = block.copy(new Uint8Array(slab), filled, taken, taken + stripeBytes - filled);
          taken += copied;
          filled += copied;
          if (filled < stripeBytes) continue;
          yield slab;
          slab = undefined;
          filled = 0;
        }
      }
      if (!slab) return;
      new Uint8Array(slab, 0, stripeBytes).fill(0, filled);
      yield slab;
    }

    async function codeAndSend(slab: ArrayBuffer, number: number, before: Promise<void>): Promise<void> {
      const [coded] = await Promise.all([codec.run({ kind: 'encode', slab, cellBytes }), before]);
      signal?.throwIfAborted();
      await Promise.all(
        made.map(({ index, lane, table }) => {
          table.writeUInt32LE(coded.checksums[index] ?? 0, number * TABLE_ENTRY_BYTES);
          return lane.push(Buffer.from(coded.slab, index * cellBytes, cellBytes));
        }),
      );
      if (lanes.every((lane) => lane.failure() !== undefined)) {
        throw new PenstockError(
          'StoreUnavailable',
          `no rack took a shard of ${JSON.stringify(key)}: ${lanes.map((lane) => messageOf(lane.failure())).join(', ')}`,
        );
      }
      slabs.give(coded.slab);
      onProgress?.(Math.min(bytes, (number + 1) * cellBytes) * made.length);
    }
  } catch (error) {
    await abandon(lanes, error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

async function abandon(lanes: readonly RebuildLane[], reason: unknown): Promise<void> {
  await Promise.all(lanes.map((lane) => lane.abandon(reason)));
}

/** Reads one shard back, every cell. Undefined where it is sound. */
export async function problemOfShard(
  manifest: ErasureManifest,
  shard: PlacedShardEntry,
  rack: RackStore | undefined,
  { patience, signal, pace }: Pick<RebuildShards, 'patience' | 'signal' | 'pace'>,
): Promise<string | undefined> {
  const log = createFindingLog();
  const source = shardSource({ manifest, shard, rack, log, patience, silentAre: 'lost', signal });
  const cell = Buffer.allocUnsafe(manifest.cellBytes);
  await pace?.(frameBytes(layoutOf(manifest)));
  await source.open();
  for (let stripe = 0; stripe < manifest.stripes && log.findings.length === 0; stripe++) {
    signal?.throwIfAborted();
    await pace?.(manifest.cellBytes);
    const request = source.cell(stripe, cell);
    if ((await request.outcome) === 'sound') await request.isSettled;
  }
  return log.findings[0]?.message;
}
