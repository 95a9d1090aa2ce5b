/**
 * The WebAssembly kernel as text; `npm run build:wasm` assembles it. A product with a fixed coefficient is looked up four bits at a time: a swizzle
 * fetches 16 of them. Functions combine1 to combine4 make that many targets in one pass over the sources.
 */
import { DATA_SHARDS, PARITY_SHARDS } from '../../layout.ts';
import { CELL_STRIDE, PAGES, SOURCES_OFFSET, TABLE_BYTES, TABLES_OFFSET, TARGETS_OFFSET } from './memory.ts';

/** relaxed: one instruction on x86. simd: three, for out-of-range indices are defined there, which here never occur. */
export type Variant = 'relaxed' | 'simd';

const SWIZZLE: Readonly<Record<Variant, string>> = { relaxed: 'i8x16.relaxed_swizzle', simd: 'i8x16.swizzle' };
const VECTOR_BYTES = 16;
/** A turn takes two vectors of each source: their eight sums, four indices and a table fit the 16 registers of x86. */
const VECTORS = 2;

export function wasmSource(variant: Variant): string {
  const functions = times(PARITY_SHARDS).map((count) => combineFunction(count + 1, SWIZZLE[variant]));
  return `(module\n(memory (export "memory") ${PAGES})\n${functions.join('\n')})\n`;
}

/** combineN(bytes): bytes is a multiple of 32, at least 32. */
function combineFunction(targets: number, swizzle: string): string {
  const sums = times(targets).flatMap((target) => times(VECTORS).map((vector) => sum(target, vector)));
  const nibbles = times(VECTORS).flatMap((vector) => [low(vector), high(vector)]);
  return `(func (export "combine${targets}") (param $bytes i32)
(local $at i32) ${[...sums, ...nibbles].map((name) => `(local ${name} v128)`).join(' ')}
(loop $turn
${times(DATA_SHARDS)
  .map((source) => addSource(source, targets, swizzle))
  .join('\n')}
${times(targets)
  .flatMap((target) => times(VECTORS).map((vector) => store(target, vector)))
  .join('\n')}
(br_if $turn (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const ${VECTORS * VECTOR_BYTES}))) (local.get $bytes)))))`;
}

function addSource(source: number, targets: number, swizzle: string): string {
  return [
    ...times(VECTORS).map((vector) => {
      const value = `(v128.load offset=${SOURCES_OFFSET + source * CELL_STRIDE + vector * VECTOR_BYTES} (local.get $at))`;
      return `(local.set ${low(vector)} (v128.and (local.tee ${high(vector)} ${value}) ${MASK}))
(local.set ${high(vector)} (v128.and (i16x8.shr_u (local.get ${high(vector)}) (i32.const 4)) ${MASK}))`;
    }),
    ...times(targets).flatMap((target) => {
      const table = TABLES_OFFSET + (source * targets + target) * TABLE_BYTES;
      return times(VECTORS).map((vector) => {
        const product = `(v128.xor ${lookUp(swizzle, table, low(vector))} ${lookUp(swizzle, table + VECTOR_BYTES, high(vector))})`;
        const total = source === 0 ? product : `(v128.xor (local.get ${sum(target, vector)}) ${product})`;
        return `(local.set ${sum(target, vector)} ${total})`;
      });
    }),
  ].join('\n');
}

const lookUp = (swizzle: string, table: number, index: string): string => `(${swizzle} (v128.load offset=${table} (i32.const 0)) (local.get ${index}))`;
const store = (target: number, vector: number): string =>
  `(v128.store offset=${TARGETS_OFFSET + target * CELL_STRIDE + vector * VECTOR_BYTES} (local.get $at) (local.get ${sum(target, vector)}))`;
const MASK = `(v128.const i8x16 ${Array(VECTOR_BYTES).fill('0x0f').join(' ')})`;
const sum = (target: number, vector: number): string => `$sum${target}_${vector}`;
const low = (vector: number): string => `$low${vector}`;
const high = (vector: number): string => `$high${vector}`;
const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
