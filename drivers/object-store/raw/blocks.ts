/** A part that comes in blocks, framed as S3 reads it: plain where its checksum is known before, else aws-chunked with the CRC32C behind. */
import { createCrc32cMeter } from '../../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../../model/errors.ts';
import type { PartBody } from '../port.ts';

/** Resolves when the connection has taken all of it, so that a buffer is free again; rejects where the connection is gone. */
export type WriteOut = (pieces: readonly (Buffer | string)[]) => Promise<void>;

export interface BlockSource {
  /** On the wire, framing included. */
  readonly wireBytes: number;
  /** False from the second block on: the first is still in the hands of this side. */
  isRepeatable(): boolean;
  /** @throws BlockFault where the blocks themselves fail */
  send(write: WriteOut): Promise<void>;
  /** Base64, once all is sent. */
  crc32c(): string;
  /** Lets the blocks' own resources go. */
  end(): void;
}

/** The blocks failed, not the store; the cause is the caller's own error. */
export class BlockFault extends Error {
  constructor(cause: unknown) {
    super('The blocks of a part could not be read.', { cause });
    this.name = 'BlockFault';
  }
}

export const TRAILER_NAME = 'x-amz-checksum-crc32c';
/** A chunk of aws-chunked. Blocks need not be of this size: the length of the whole must be told before the first one is seen, so chunks are cut by count alone. */
const CHUNK_BYTES = 2 ** 20;
const CRC32C_BASE64_BYTES = 8;

/** @param isTrailing the CRC32C follows in a trailer; else the bytes are sent as they are */
export function createBlockSource({ bytes, blocks, crc32c: known }: PartBody, isTrailing: boolean): BlockSource {
  const iterator = blocks[Symbol.asyncIterator]();
  const next = () => iterator.next().catch((error: unknown) => Promise.reject(new BlockFault(error)));
  let first: Promise<IteratorResult<Buffer>> | undefined;
  let drawn = 0;
  let sent = 0;
  let crc32c = '';

  const draw = (index: number): Promise<IteratorResult<Buffer>> => {
    drawn = Math.max(drawn, index + 1);
    if (index > 0) return next();
    first ??= next();
    return first;
  };

  return {
    wireBytes: isTrailing ? chunkedBytes(bytes) : bytes,
    isRepeatable: () => drawn <= 1,
    async send(write) {
      const meter = known ? undefined : createCrc32cMeter();
      sent = 0;
      for (let index = 0; ; index += 1) {
        const { done, value: block } = await draw(index);
        if (done) break;
        if (sent + block.length > bytes) throw new BlockFault(lengthFault('SourceChanged', sent + block.length, bytes));
        const pieces = isTrailing ? chunked(block, sent, bytes) : [block];
        meter?.add(block);
        sent += block.length;
        await write(pieces);
      }
      if (sent < bytes) throw new BlockFault(lengthFault('StoreUnavailable', sent, bytes));
      crc32c = meter ? meter.crc32c() : await (known?.() ?? Promise.resolve('')).catch((error: unknown) => Promise.reject(new BlockFault(error)));
      if (isTrailing) await write([lastChunk(crc32c)]);
    },
    crc32c: () => crc32c,
    end() {
      // A block may be on its way still; whoever waits for it has gone.
      iterator.return?.().catch(() => undefined);
    },
  };
}

/** Cuts a block at the chunks' borders, each border's framing between. */
function chunked(block: Buffer, position: number, total: number): (Buffer | string)[] {
  const pieces: (Buffer | string)[] = [];
  for (let at = 0; at < block.length; ) {
    const intoChunk = (position + at) % CHUNK_BYTES;
    const size = Math.min(CHUNK_BYTES, total - (position + at - intoChunk));
    if (intoChunk === 0) pieces.push(chunkHead(size));
    const piece = block.subarray(at, at + size - intoChunk);
    pieces.push(piece);
    if (intoChunk + piece.length === size) pieces.push('\r\n');
    at += piece.length;
  }
  return pieces;
}

function chunkedBytes(total: number): number {
  const whole = Math.floor(total / CHUNK_BYTES);
  const rest = total % CHUNK_BYTES;
  const framed = (size: number) => chunkHead(size).length + size + 2;
  return whole * framed(CHUNK_BYTES) + (rest > 0 ? framed(rest) : 0) + lastChunk('x'.repeat(CRC32C_BASE64_BYTES)).length;
}

const chunkHead = (size: number): string => `${size.toString(16)}\r\n`;
const lastChunk = (crc32c: string): string => `0\r\n${TRAILER_NAME}:${crc32c}\r\n\r\n`;

function lengthFault(type: 'SourceChanged' | 'StoreUnavailable', found: number, expected: number): PenstockError {
  return new PenstockError(type, `A part of ${expected} bytes was given ${found}.`);
}
