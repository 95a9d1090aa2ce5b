/**
 * CRC32C (Castagnoli), written as S3 writes it: the four bytes big-endian in base64. It is the one checksum that travels with the
 * bytes from end to end: read, sent, stored, checked again.
 */

import { pipeline, type Readable, Transform } from 'node:stream';

import { PenstockError } from '../../model/errors.ts';
import { crc32c as crc32cOfBytes } from '../native/crc32c.ts';

export function crc32cOf(bytes: Uint8Array): string {
  return encodeCrc32c(crc32cOfBytes(bytes));
}

/** A checksum in the making. */
export interface Crc32cMeter {
  add(chunk: Uint8Array): void;
  bytes(): number;
  crc32c(): string;
}

export function createCrc32cMeter(): Crc32cMeter {
  let value = 0;
  let count = 0;
  return {
    add(chunk) {
      value = crc32cOfBytes(chunk, value);
      count += chunk.length;
    },
    bytes: () => count,
    crc32c: () => encodeCrc32c(value),
  };
}

export interface ExpectedContent {
  /** For the message: what is being read. */
  readonly subject: string;
  readonly store: string;
  readonly bytes?: number | undefined;
  readonly crc32c?: string | undefined;
}

/**
 * Passes bytes on and fails at their end, before whoever consumes them believes to have seen a whole: ChecksumMismatch where the
 * content is not the expected one, StoreUnavailable where it ends early (a cut connection is worth another try).
 */
export function createContentCheck(expected: ExpectedContent): { readonly stream: Transform; readonly meter: Crc32cMeter } {
  const meter = createCrc32cMeter();
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      meter.add(chunk);
      done(null, chunk);
    },
    flush(done) {
      done(contentFault(expected, meter));
    },
  });
  return { stream, meter };
}

/** The content behind its check; a failure or an end of either ends both. */
export function checkContent(content: Readable, expected: ExpectedContent): { readonly content: Readable; readonly meter: Crc32cMeter } {
  const { stream, meter } = createContentCheck(expected);
  pipeline(content, stream, () => undefined);
  return { content: stream, meter };
}

/** Null where the content is as expected. */
export function contentFault(expected: ExpectedContent, meter: Crc32cMeter): PenstockError | null {
  if (expected.bytes !== undefined && meter.bytes() < expected.bytes) {
    return new PenstockError('StoreUnavailable', `${expected.subject} ended after ${meter.bytes()} of ${expected.bytes} bytes.`, { store: expected.store });
  }
  if (expected.bytes !== undefined && meter.bytes() > expected.bytes) {
    return new PenstockError('SourceChanged', `${expected.subject} gave ${meter.bytes()} bytes where ${expected.bytes} were listed.`, {
      store: expected.store,
    });
  }
  if (expected.crc32c !== undefined && meter.crc32c() !== expected.crc32c) {
    return new PenstockError('ChecksumMismatch', `${expected.subject} has CRC32C ${meter.crc32c()} where ${expected.crc32c} was expected.`, {
      store: expected.store,
    });
  }
  return null;
}

/** Reads a stream to its end for its checksum alone. `admit` holds each chunk back until it may have been read. */
export async function crc32cOfStream(
  content: Readable,
  admit?: (bytes: number) => Promise<void>,
): Promise<{ readonly bytes: number; readonly crc32c: string }> {
  const meter = createCrc32cMeter();
  for await (const piece of content) {
    const chunk = bufferOf(piece);
    meter.add(chunk);
    await admit?.(chunk.length);
  }
  return { bytes: meter.bytes(), crc32c: meter.crc32c() };
}

/** A stream's chunk is untyped; anything but bytes is a programming error. */
export function bufferOf(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (typeof chunk === 'string') return Buffer.from(chunk, 'utf8');
  throw new TypeError(`a byte stream gave a chunk of type ${typeof chunk}`);
}

export function encodeCrc32c(value: number): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes.toString('base64');
}

export const decodeCrc32c = (text: string): number => Buffer.from(text, 'base64').readUInt32BE();
