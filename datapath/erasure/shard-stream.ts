/** Content in, 18 shards out side by side: one stripe fills while others are hashed and coded and those before go out. */
import { crc32c } from '../native/crc32c.ts';
import { decodeCrc32c } from '../transfer/crc32c.ts';
import type { CodecPool } from './codec-pool.ts';
import { createContentHash } from './content-hash.ts';
import { type ContentSource, contentChecksum } from './content-source.ts';
import type { ContentDigest, ObjectIdentity } from './format.ts';
import type { LaneSet } from './lanes.ts';
import { DATA_SHARDS } from './layout.ts';
import type { ShardParts } from './shard-parts.ts';

export interface ShardStreamRequest {
  readonly source: ContentSource;
  readonly identity: ObjectIdentity;
  readonly lanes: LaneSet;
  readonly parts: ShardParts;
  readonly codec: CodecPool;
}

/** Afterwards at least the write quorum of shards is durable and read back. */
export async function streamShards({ source, identity, lanes, parts, codec }: ShardStreamRequest): Promise<ContentDigest> {
  const { cellBytes, objectBytes, stripes } = identity;
  const dataBytes = DATA_SHARDS * cellBytes;
  const hash = createContentHash(objectBytes);
  const checksum = contentChecksum();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const unlessOver = <T>(work: Promise<T>): Promise<T> => Promise.race([work, failed.promise, lanes.broken]);
  let offered: Promise<void> = Promise.resolve();
  try {
    for (let stripe = 0; stripe < stripes; stripe++) {
      const slab = await unlessOver(lanes.take());
      const data = Buffer.from(slab, 0, dataBytes);
      const bytes = Math.min(dataBytes, objectBytes - stripe * dataBytes);
      await unlessOver(source.fill(data.subarray(0, bytes)));
      if (stripe === stripes - 1) await unlessOver(source.end());
      offered = codeAndOffer(slab, bytes, offered);
      offered.catch(failed.reject);
    }
    if (stripes === 0) await unlessOver(source.end());
    await unlessOver(offered);
    const digest = { sha256: await hash.digest(), crc32c: decodeCrc32c(checksum.value()) };
    parts.complete(digest);
    await lanes.finish();
    return digest;
  } finally {
    hash.drop();
  }

  async function codeAndOffer(slab: ArrayBuffer, bytes: number, before: Promise<void>): Promise<void> {
    const data = Buffer.from(slab, 0, dataBytes);
    data.fill(0, bytes);
    // Of the last one only, for it has filling.
    const ownChecksum = bytes < dataBytes ? crc32c(data.subarray(0, bytes)) : undefined;
    const hashed = await hash.update(slab, bytes);
    const [coded] = await Promise.all([codec.run({ kind: 'encode', slab: hashed, cellBytes }), before]);
    parts.addStripe(coded.checksums);
    if (ownChecksum === undefined) checksum.addStripe(coded.checksums, cellBytes);
    else checksum.add(bytes, ownChecksum);
    lanes.offer(coded.slab);
  }
}
