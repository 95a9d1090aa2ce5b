/**
 * Finds ISA-L and binds what the kernel calls. The calls are synchronous, on codec threads that have nothing else to do: one that koffi hands to another
 * thread costs 12 us and more, and a stripe of 1 MiB cells takes some 300.
 */
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { LibraryHandle } from 'koffi';
import { cacheDirectory } from '../../drivers/user-cache.ts';
import { messageOf } from '../../model/errors.ts';

export interface IsalLibrary {
  /** The file that is mapped, with its version in its name; what was asked for where that cannot be told. */
  readonly path: string;
  /** Of memory outside V8's heap, such as an ArrayBuffer's; valid as long as the caller keeps it. */
  addressOf(memory: ArrayBufferView): bigint;
  /** @param tables gets 32 bytes for each coefficient */
  initTables(sources: number, targets: number, coefficients: Uint8Array, tables: Uint8Array): void;
  encodeData(bytes: number, sources: number, targets: number, tables: bigint, sourcePointers: bigint, targetPointers: bigint): void;
  /** Without the inversions before and after that make a CRC32C of it. */
  crc32c(address: number, bytes: number, start: number): number;
  /** The same of memory that is kept for the time of the call, 0.2 us dearer. */
  crc32cOf(memory: Uint8Array, bytes: number, start: number): number;
}

/** Names a library to use instead of any other; "off" for none. */
export const ISAL_VARIABLE = 'PENSTOCK_LIBISAL';
/** The binary interface that is called; versions 2.x keep it. */
const SONAME = 'libisal.so.2';

/** Where dev/toolchain/libisal.ts puts the library for a user who cannot install packages. */
export const cachedIsalPath = (): string => join(cacheDirectory(), 'lib', SONAME);

/** In the order they are tried: what is installed, then what the user's cache holds. */
export const isalCandidates = (): readonly string[] => [SONAME, cachedIsalPath()];

/** Undefined where this machine has none, or writes addresses the other way round. @throws where PENSTOCK_LIBISAL names something unusable: an explicit wish is never passed over */
export async function findIsal(candidates: readonly string[] = isalCandidates()): Promise<IsalLibrary | undefined> {
  const wish = process.env[ISAL_VARIABLE];
  if (wish === 'off' || endianness() !== 'LE') return undefined;
  if (!wish) return openFirst(candidates);
  try {
    return await openIsal(wish);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`${ISAL_VARIABLE}: ${wish} cannot be used as ISA-L: ${reason}. Correct it, unset it, or set it to "off".`, { cause: error });
  }
}

async function openFirst(candidates: readonly string[]): Promise<IsalLibrary | undefined> {
  for (const path of candidates) {
    const library = await openIsal(path).catch(() => undefined);
    if (library) return library;
  }
  return undefined;
}

/** @throws where koffi, the library or one of its functions is missing */
async function openIsal(path: string): Promise<IsalLibrary> {
  const { address, load } = await import('koffi');
  return bind(load(path), path, address);
}

function bind(library: LibraryHandle, path: string, addressOf: (memory: ArrayBufferView) => bigint): IsalLibrary {
  return {
    path: isAbsolute(path) ? path : (mappedFile() ?? path),
    addressOf,
    initTables: library.func('void ec_init_tables(int, int, uint8_t *, _Out_ uint8_t *)'),
    // Addresses as numbers: with pointer types koffi would look at each one.
    encodeData: library.func('void ec_encode_data(int, int, int, uint64_t, uint64_t, uint64_t)'),
    crc32c: library.func('uint32_t crc32_iscsi(uint64_t, int, uint32_t)'),
    crc32cOf: library.func('uint32_t crc32_iscsi(const uint8_t *, int, uint32_t)'),
  };
}

function mappedFile(): string | undefined {
  try {
    return /\S*\/libisal\.\S+$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0];
  } catch {
    return undefined; // no Linux
  }
}
