/** Content in, 18 shards out side by side: headers first, then stripe by stripe, tables and footers last. */
import type { Readable } from 'node:stream';
import type { CodecPool } from './codec-pool.ts';
import { type ContentDigest, encodeHeader, encodeTail, type ObjectIdentity, parseHeader } from './format.ts';
import type { LaneSet } from './lanes.ts';
import { DATA_SHARDS, TABLE_ENTRY_BYTES, TOTAL_SHARDS } from './layout.ts';
import { contentHasher, stripeSlabs } from './stripe-slabs.ts';

export interface ShardStreamRequest {
  readonly content: Readable;
  readonly identity: ObjectIdentity;
  readonly lanes: LaneSet;
  readonly codec: CodecPool;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Afterwards at least the write quorum of shards is durable. One stripe fills while the one before is coded and that before it goes out. */
export async function streamShards({ content, identity, lanes, codec, signal, onProgress }: ShardStreamRequest): Promise<ContentDigest> {
  const { cellBytes, objectBytes, stripes } = identity;
  const headers = Array.from({ length: TOTAL_SHARDS }, (_, index) => encodeHeader(identity, index));
  const tables = Array.from({ length: TOTAL_SHARDS }, () => Buffer.alloc(stripes * TABLE_ENTRY_BYTES));
  const hasher = contentHasher();
  await lanes.distribute((index) => at(headers, index));

  let stripe = 0;
  let sending = Promise.resolve();
  for await (const slab of stripeSlabs(content, identity, hasher)) {
    const sent = codeAndSend(slab, stripe++, sending);
    // Reported by the await below, or by the one after the loop.
    sent.catch(() => undefined);
    await sending;
    sending = sent;
  }
  await sending;
  signal?.throwIfAborted();

  const digest = hasher.digest();
  await lanes.distribute((index) => encodeTail(parseHeader(at(headers, index)), at(tables, index), digest));
  await lanes.finish();
  return digest;

  async function codeAndSend(slab: ArrayBuffer, number: number, before: Promise<void>): Promise<void> {
    const coding = codec.run({ kind: 'encode', slab, cellBytes });
    const [coded] = await Promise.all([coding, before]);
    signal?.throwIfAborted();
    for (const [index, checksum] of coded.checksums.entries()) at(tables, index).writeUInt32LE(checksum, number * TABLE_ENTRY_BYTES);
    await lanes.distribute((index) => Buffer.from(coded.slab, index * cellBytes, cellBytes));
    onProgress?.(Math.min(objectBytes, (number + 1) * DATA_SHARDS * cellBytes));
  }
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`there is no shard ${index}`);
  return value;
}
