/**
 * The kernel that runs everywhere: WebAssembly with 128-bit vectors, relaxed swizzles where the engine has them. A piece of each cell is copied into its
 * memory, which is small enough to stay in the cache.
 */
import { readFileSync } from 'node:fs';
import { crc32c } from '@node-rs/crc32';
import { type Matrix, multiply } from '../gf256.ts';
import type { Combination, Combine, ErasureKernel } from './kernel.ts';
import { CELL_STRIDE, SOURCES_OFFSET, SUBSTRIPE_BYTES, TABLE_BYTES, TABLES_OFFSET, TARGETS_OFFSET } from './wasm/memory.ts';
import type { Variant } from './wasm/source.ts';

const DESCRIPTIONS: Readonly<Record<Variant, string>> = {
  relaxed: 'WebAssembly, 128-bit vectors with relaxed swizzles',
  simd: 'WebAssembly, 128-bit vectors',
};

/** Undefined where the engine cannot run it. */
export function createWasmKernel(variant: Variant): ErasureKernel | undefined {
  const bytes = readFileSync(new URL(`./wasm/${variant}.wasm`, import.meta.url));
  if (!WebAssembly.validate(bytes)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const { memory } = exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new TypeError(`${variant}.wasm exports no memory`);
  const inside = new Uint8Array(memory.buffer);

  return { name: `wasm-${variant}`, description: DESCRIPTIONS[variant], prepare };

  function prepare({ rows, sources, targets, checksummed }: Combination): Combine {
    const tables = nibbleTables(rows);
    const combine = exports[`combine${rows.length}`];
    if (typeof combine !== 'function') throw new TypeError(`${variant}.wasm exports no combine${rows.length}`);
    return (slab, cellBytes) => {
      inside.set(tables, TABLES_OFFSET);
      const checksums = checksummed.map(() => 0);
      for (let start = 0; start < cellBytes; start += SUBSTRIPE_BYTES) {
        const bytes = Math.min(SUBSTRIPE_BYTES, cellBytes - start);
        for (const [place, index] of sources.entries()) {
          inside.set(new Uint8Array(slab, index * cellBytes + start, bytes), SOURCES_OFFSET + place * CELL_STRIDE);
        }
        combine(bytes);
        for (const [place, index] of targets.entries()) {
          const from = TARGETS_OFFSET + place * CELL_STRIDE;
          new Uint8Array(slab, index * cellBytes + start, bytes).set(inside.subarray(from, from + bytes));
        }
        for (const [place, index] of checksummed.entries()) {
          checksums[place] = crc32c(new Uint8Array(slab, index * cellBytes + start, bytes), checksums[place]);
        }
      }
      return checksums;
    };
  }
}

/** For each source and target: the products of 0 to 15 with the coefficient, then those of 0, 16, ... 240. */
function nibbleTables(rows: Matrix): Uint8Array {
  const sources = rows[0]?.length ?? 0;
  const tables = new Uint8Array(sources * rows.length * TABLE_BYTES);
  for (let source = 0; source < sources; source++) {
    for (const [target, row] of rows.entries()) {
      const offset = (source * rows.length + target) * TABLE_BYTES;
      for (let nibble = 0; nibble < 16; nibble++) {
        tables[offset + nibble] = multiply(row[source] ?? 0, nibble);
        tables[offset + 16 + nibble] = multiply(row[source] ?? 0, nibble << 4);
      }
    }
  }
  return tables;
}
