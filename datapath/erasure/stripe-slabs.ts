/** Cuts content into stripes: each a slab whose 14 data cells are filled, the last one with zeros at its end. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { crc32c } from '@node-rs/crc32';
import { PenstockError } from '../../model/errors.ts';
import type { ContentDigest } from './format.ts';
import { DATA_SHARDS, type Layout, TOTAL_SHARDS } from './layout.ts';

/** SHA-256 and CRC32C of what passes. */
export interface ContentHasher {
  update(chunk: Buffer): void;
  digest(): ContentDigest;
}

export function contentHasher(): ContentHasher {
  const sha256 = createHash('sha256');
  let checksum = 0;
  return {
    update(chunk) {
      sha256.update(chunk);
      checksum = crc32c(chunk, checksum);
    },
    digest: () => ({ sha256: sha256.digest('hex'), crc32c: checksum }),
  };
}

/** A new slab each: a rack's driver may still hold cells of the last one when the next is filled. Parity cells are not yet set. */
export async function* stripeSlabs(content: Readable, layout: Layout, hasher: ContentHasher): AsyncGenerator<ArrayBuffer> {
  const dataBytes = DATA_SHARDS * layout.cellBytes;
  let slab: Buffer<ArrayBuffer> | undefined;
  let filled = 0;
  for await (const chunk of exactContent(content, layout.objectBytes)) {
    hasher.update(chunk);
    for (let taken = 0; taken < chunk.length; ) {
      slab ??= Buffer.allocUnsafeSlow(TOTAL_SHARDS * layout.cellBytes);
      const copied = chunk.copy(slab, filled, taken, taken + dataBytes - filled);
      taken += copied;
      filled += copied;
      if (filled < dataBytes) continue;
      yield slab.buffer;
      slab = undefined;
      filled = 0;
    }
  }
  if (!slab) return;
  slab.fill(0, filled, dataBytes);
  yield slab.buffer;
}

/** The content's chunks; SourceChanged where it is longer or shorter than told. */
export async function* exactContent(content: Readable, bytes: number): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of content as AsyncIterable<unknown>) {
    if (!(chunk instanceof Uint8Array)) throw new PenstockError('InvalidInput', 'the content must be a stream of bytes.');
    seen += chunk.length;
    if (seen > bytes) throw new PenstockError('SourceChanged', `the content is longer than the ${bytes} bytes announced.`);
    yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (seen < bytes) throw new PenstockError('SourceChanged', `the content ended after ${seen} of the ${bytes} bytes announced.`);
}
