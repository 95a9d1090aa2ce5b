/**
 * CRC32C of bytes, by the fastest means this machine has. Measured on 256 KiB: ISA-L 13 GB/s, @node-rs/crc32 4.3; a third of what is verified on its way is
 * spent here with the slower one.
 */
import { crc32c as portable } from '@node-rs/crc32';
import { findIsal, type IsalLibrary } from './isal-library.ts';

/** Of less, a call into the library costs as much as it saves. */
const WORTH_A_CALL_BYTES = 4096;
/** The library counts in an int. */
const LONGEST_CALL_BYTES = 2 ** 30;
const ALL_ONES = 0xffff_ffff;
const CHECK_TEXT = Buffer.alloc(WORTH_A_CALL_BYTES, 'Castagnoli');

let isal: IsalLibrary | undefined;
let sought: Promise<'isal' | 'portable'> | undefined;

/** Continues from the CRC32C of what came before. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  if (bytes.length < WORTH_A_CALL_BYTES || bytes.length > LONGEST_CALL_BYTES) return portable(bytes, before);
  if (isal) return byIsal(isal, bytes, before);
  // At the first bytes that are worth it: a command that computes nothing loads nothing.
  void fastestCrc32c();
  return portable(bytes, before);
}

/** What computes from its resolution on. A library that is wished for and cannot be used is told by the choice of the erasure kernel. */
export function fastestCrc32c(): Promise<'isal' | 'portable'> {
  sought ??= findIsal()
    .catch(() => undefined)
    .then((found) => {
      if (found && byIsal(found, CHECK_TEXT, 0) === portable(CHECK_TEXT)) isal = found;
      return isal ? 'isal' : 'portable';
    });
  return sought;
}

const byIsal = (library: IsalLibrary, bytes: Uint8Array, before: number): number =>
  (library.crc32cOf(bytes, bytes.length, (before ^ ALL_ONES) >>> 0) ^ ALL_ONES) >>> 0;
