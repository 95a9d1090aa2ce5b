/** Cuts a stream into an upload's parts. */
import type { Readable } from 'node:stream';
import { bufferOf } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';

export interface Part {
  readonly content: Buffer;
  readonly last: boolean;
}

const MIB = 2 ** 20;
/** Content up to this size is one PUT. 8 MiB parts, two at a time, were as fast as 64 MiB parts. */
export const SMALLEST_PART_BYTES = 8 * MIB;
/** Of a stream, parts are buffered: this bounds memory, and a stream to 1.2 TiB. */
const LARGEST_BUFFERED_PART_BYTES = 128 * MIB;
/** S3's own limits. */
export const MAX_PARTS = 10_000;
const MAX_OBJECT_BYTES = 5 * 2 ** 40;
/**
 * The size of every part but the last: 8 MiB up to 78 GiB, then the smallest multiple of 8 MiB of which 10,000 suffice; 528 MiB for 5 TiB.
 * @throws InvalidInput above S3's limit of 5 TiB
 */
export function partBytesFor(totalBytes: number, store: string): number {
  if (totalBytes > MAX_OBJECT_BYTES) {
    throw new PenstockError('InvalidInput', `${totalBytes} bytes are more than the 5 TiB an object of S3 may have.`, { store, nextStep: 'Split the file.' });
  }
  return SMALLEST_PART_BYTES * Math.max(1, Math.ceil(totalBytes / MAX_PARTS / SMALLEST_PART_BYTES));
}

/** @returns parts in order; the last one is marked, so that a single part needs no upload of several */
export async function* partsOf(body: Readable, expectedBytes: number | undefined, store: string): AsyncGenerator<Part, undefined> {
  const size = expectedBytes === undefined ? SMALLEST_PART_BYTES : partBytesFor(expectedBytes, store);
  if (size > LARGEST_BUFFERED_PART_BYTES) {
    throw new PenstockError('InvalidInput', `A stream of ${expectedBytes} bytes needs parts of ${size / MIB} MiB, too large to hold.`, {
      store,
      nextStep: 'Write it in parts of blocks.',
    });
  }
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const piece of body) {
    let chunk = bufferOf(piece);
    while (chunk.length > 0) {
      if (pendingBytes === size) {
        yield { content: Buffer.concat(pending, pendingBytes), last: false };
        pending = [];
        pendingBytes = 0;
        continue;
      }
      const taken = chunk.subarray(0, size - pendingBytes);
      pending.push(taken);
      pendingBytes += taken.length;
      chunk = chunk.subarray(taken.length);
    }
  }
  if (pendingBytes > 0) yield { content: Buffer.concat(pending, pendingBytes), last: true };
}
