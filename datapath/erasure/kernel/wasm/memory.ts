/** Where things lie in the memory of the WebAssembly kernel; its source and its caller both count on it. */
import { DATA_SHARDS, PARITY_SHARDS } from '../../layout.ts';

/** Cells are coded in pieces of this length: 18 of them are 288 KiB, and the second cache of a core holds 512 KiB and more. */
export const SUBSTRIPE_BYTES = 16_384;
/** Products of the low and of the high four bits of a byte with one coefficient. */
export const TABLE_BYTES = 32;
/** Tables by source, then by target. */
export const TABLES_OFFSET = 0;
/** Cells begin in different cache sets: at a distance of a power of two all of them would share eight lines. */
export const CELL_STRIDE = SUBSTRIPE_BYTES + 192;
export const SOURCES_OFFSET = 4096;
export const TARGETS_OFFSET = SOURCES_OFFSET + DATA_SHARDS * CELL_STRIDE;
export const PAGES = Math.ceil((TARGETS_OFFSET + PARITY_SHARDS * CELL_STRIDE) / 65_536);
