/** A shard larger than one request may be (of an object beyond 70 GB): parts one after the other, cut from the same blocks. */
import type { ObjectStore, UploadedPart } from '../object-store/port.ts';
import type { ShardBody } from './port.ts';

/** S3 takes 5 GiB in one PUT. */
export const MOST_IN_ONE_REQUEST_BYTES = 5 * 2 ** 30;
/** 10,000 of them are more than the 5 TiB an object may have; one that fails is no larger loss than a small shard. */
const PART_BYTES = 2 ** 30;

/** @param partBytes another size only in tests; 5 MiB at least */
export async function writeInParts(
  store: ObjectStore,
  bucket: string,
  key: string,
  body: ShardBody,
  signal: AbortSignal | undefined,
  partBytes = PART_BYTES,
): Promise<void> {
  const options = signal ? { signal } : {};
  const blocks = body.blocks[Symbol.asyncIterator]();
  const upload = await store.beginUpload(bucket, key, options);
  try {
    const parts: UploadedPart[] = [];
    let rest: Buffer = Buffer.alloc(0);
    for (let start = 0; start < body.bytes; start += partBytes) {
      const bytes = Math.min(partBytes, body.bytes - start);
      parts.push(await store.writePart(upload, parts.length + 1, { bytes, blocks: cut(bytes) }, options));
    }
    const isMore = rest.length > 0 || !(await blocks.next()).done;
    if (isMore) throw new RangeError(`the shard ${key} is longer than the ${body.bytes} bytes announced`);
    const crc32c = await body.crc32c?.();
    await store.completeUpload(upload, parts, { bytes: body.bytes, ifNoneMatch: true, ...(crc32c === undefined ? {} : { crc32c }), ...options });

    async function* cut(bytes: number): AsyncGenerator<Buffer> {
      for (let left = bytes; left > 0; ) {
        if (rest.length === 0) {
          const drawn = await blocks.next();
          if (drawn.done) return;
          rest = drawn.value;
        }
        const piece = rest.subarray(0, left);
        rest = rest.subarray(piece.length);
        left -= piece.length;
        yield piece;
      }
    }
  } catch (error) {
    await store.abandonUpload(upload);
    throw error;
  } finally {
    await blocks.return?.();
  }
}
