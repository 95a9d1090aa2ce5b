/** What a shard has beside its cells: header, table and footer, and the checksum of all of it, put together from what is known anyway. */

import { crc32cOf, encodeCrc32c } from '../transfer/crc32c.ts';
import { combineCrc32c } from '../transfer/crc32c-combine.ts';
import { type ContentDigest, encodeHeader, encodeTail, type ObjectIdentity, parseHeader } from './format.ts';
import { TABLE_ENTRY_BYTES, TOTAL_SHARDS } from './layout.ts';

export interface ShardParts {
  header(index: number): Buffer;
  /** CRC32C of a stripe's 18 cells. */
  addStripe(checksums: readonly number[]): void;
  /** Behind the last stripe. */
  complete(digest: ContentDigest): void;
  /** Table and footer; undefined before {@link complete}. */
  tail(index: number): Buffer | undefined;
  /** Base64 CRC32C of the whole shard, after {@link complete}. */
  checksum(index: number): string;
}

export function createShardParts(identity: ObjectIdentity): ShardParts {
  const headers = Array.from({ length: TOTAL_SHARDS }, (_, index) => encodeHeader(identity, index));
  const tables = Array.from({ length: TOTAL_SHARDS }, () => Buffer.alloc(identity.stripes * TABLE_ENTRY_BYTES));
  let tails: Buffer[] = [];
  let stripe = 0;
  return {
    header: (index) => at(headers, index),
    addStripe(checksums) {
      for (const [index, checksum] of checksums.entries()) at(tables, index).writeUInt32LE(checksum, stripe * TABLE_ENTRY_BYTES);
      stripe++;
    },
    complete(digest) {
      tails = headers.map((header, index) => encodeTail(parseHeader(header), at(tables, index), digest));
    },
    tail: (index) => tails[index],
    checksum(index) {
      const [header, table, tail] = [at(headers, index), at(tables, index), at(tails, index)];
      const cells = Array.from({ length: identity.stripes }, (_, cell) => ({
        bytes: identity.cellBytes,
        crc32c: encodeCrc32c(table.readUInt32LE(cell * TABLE_ENTRY_BYTES)),
      }));
      return combineCrc32c([{ bytes: header.length, crc32c: crc32cOf(header) }, ...cells, { bytes: tail.length, crc32c: crc32cOf(tail) }]);
    },
  };
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`there is no shard ${index}`);
  return value;
}
