/** Where an object's content comes from: a stream, or something that can be read at any position, which spares a copy. */
import { Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';
import { encodeCrc32c } from '../transfer/crc32c.ts';
import { combineCrc32c } from '../transfer/crc32c-combine.ts';
import { DATA_SHARDS } from './layout.ts';

export interface PositionalContent {
  /** Fills the buffer; an error of its own where it cannot. Such as an open file of drivers/file-store. */
  read(into: Buffer, position: number): Promise<void>;
}
export type ErasureContent = Readable | PositionalContent;

export interface ContentSource {
  /** Fills the buffer with what follows; one call at a time. SourceChanged where the content is shorter. */
  fill(into: Buffer): Promise<void>;
  /** SourceChanged where there is more. */
  end(): Promise<void>;
}

/** @param bytes the exact length announced */
export function contentSource(content: ErasureContent, bytes: number): ContentSource {
  return content instanceof Readable ? fromStream(content, bytes) : fromPositions(content);
}

function fromPositions(content: PositionalContent): ContentSource {
  let position = 0;
  return {
    async fill(into) {
      await content.read(into, position);
      position += into.length;
    },
    end: () => Promise.resolve(),
  };
}

function fromStream(content: Readable, bytes: number): ContentSource {
  const chunks: AsyncIterator<unknown> = content[Symbol.asyncIterator]();
  let rest: Uint8Array = Buffer.alloc(0);
  let seen = 0;
  /** @returns false at the end */
  const next = async (): Promise<boolean> => {
    const { done, value } = await chunks.next();
    if (done) return false;
    if (!(value instanceof Uint8Array)) throw new PenstockError('InvalidInput', 'the content must be a stream of bytes.');
    seen += value.length;
    if (seen > bytes) throw new PenstockError('SourceChanged', `the content is longer than the ${bytes} bytes announced.`);
    rest = value;
    return true;
  };
  return {
    async fill(into) {
      for (let filled = 0; filled < into.length; ) {
        if (rest.length === 0) {
          if (await next()) continue;
          throw new PenstockError('SourceChanged', `the content ended after ${seen} of the ${bytes} bytes announced.`);
        }
        const piece = rest.subarray(0, into.length - filled);
        into.set(piece, filled);
        rest = rest.subarray(piece.length);
        filled += piece.length;
      }
    },
    async end() {
      while (await next());
    },
  };
}

/** Lets go of a stream; whoever opened anything else closes it. */
export function destroyContent(content: ErasureContent, reason?: unknown): void {
  if (content instanceof Readable) content.destroy(reason instanceof Error ? reason : undefined);
}

/** The content's CRC32C from those of its pieces in order: coding tells those of cells anyway. */
export interface ContentChecksum {
  add(bytes: number, checksum: number): void;
  /** Of the data cells, of which none has filling. */
  addStripe(checksums: readonly number[], cellBytes: number): void;
  /** Base64. */
  value(): string;
}

export function contentChecksum(): ContentChecksum {
  let before = { bytes: 0, crc32c: encodeCrc32c(0) };
  const add = (bytes: number, checksum: number): void => {
    before = { bytes: before.bytes + bytes, crc32c: combineCrc32c([before, { bytes, crc32c: encodeCrc32c(checksum) }]) };
  };
  return {
    add,
    addStripe(checksums, cellBytes) {
      for (const checksum of checksums.slice(0, DATA_SHARDS)) add(cellBytes, checksum);
    },
    value: () => before.crc32c,
  };
}
