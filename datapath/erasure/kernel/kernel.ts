/**
 * A kernel multiplies cells by a matrix over GF(2^8), with the CRC32C of what passes, on the thread that calls it. All kernels give the same bytes
 * (docs/formats/erasure.md, test/unit/datapath/erasure/kernels.test.ts); they differ in speed and in what a machine must have.
 */
import type { Matrix } from '../gf256.ts';

export type KernelName = 'isal' | 'wasm-relaxed' | 'wasm-simd';

export interface ErasureKernel {
  readonly name: KernelName;
  /** What it runs on, for people: a library's path, or the instructions used. */
  readonly description: string;
  /** Makes a combination ready; worth keeping, for it costs as much as coding some KiB. Arguments are checked by code.ts, not here. */
  prepare(combination: Combination): Combine;
}

/** Targets = rows x sources. Cells are named by their index in the slab. */
export interface Combination {
  /** 1 to 4 rows, a coefficient for each source. */
  readonly rows: Matrix;
  readonly sources: readonly number[];
  /** As many as rows, none of them a source. */
  readonly targets: readonly number[];
  /** Cells whose CRC32C is wanted. */
  readonly checksummed: readonly number[];
}

/**
 * Fills the targets of a slab: one buffer with 18 cells, cell i at i * cellBytes, cellBytes a multiple of 64. The caller keeps the slab until it returns.
 * @returns the CRC32C of the checksummed cells, in their order
 */
export type Combine = (slab: ArrayBuffer, cellBytes: number) => number[];
