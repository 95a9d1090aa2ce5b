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
/** Bounds memory: parts in flight x this. */
const LARGEST_PART_BYTES = 128 * MIB;
/** S3's own limit. */
export const MAX_PARTS = 10_000;
/** Where the size is unknown, parts double after so many: 8 + 16 + 32 + 64 GiB x 0.98, then 128 MiB each, close to 0.9 TB in all. */
const PARTS_PER_SIZE = 1_000;

/** @returns parts in order; the last one is marked, so that a single part needs no upload of several */
export async function* partsOf(body: Readable, expectedBytes: number | undefined, store: string): AsyncGenerator<Part, undefined> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let number = 1;
  for await (const piece of body) {
    let chunk = bufferOf(piece);
    while (chunk.length > 0) {
      const size = partBytes(number, expectedBytes, store);
      if (pendingBytes === size) {
        yield { content: Buffer.concat(pending, pendingBytes), last: false };
        pending = [];
        pendingBytes = 0;
        number += 1;
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

/** @throws InvalidInput where the content is larger than parts of bounded size can hold */
export function partBytes(number: number, expectedBytes: number | undefined, store: string): number {
  const size =
    expectedBytes === undefined
      ? Math.min(LARGEST_PART_BYTES, SMALLEST_PART_BYTES * 2 ** Math.floor((number - 1) / PARTS_PER_SIZE))
      : Math.max(SMALLEST_PART_BYTES, Math.ceil(expectedBytes / MAX_PARTS / MIB) * MIB);
  if (size > LARGEST_PART_BYTES || number > MAX_PARTS) {
    throw new PenstockError('InvalidInput', `An object may have at most ${MAX_PARTS} parts of ${LARGEST_PART_BYTES / MIB} MiB.`, {
      store,
      nextStep: 'Split the file.',
    });
  }
  return size;
}
