/** The WebAssembly of the erasure kernel, from its text. The same text gives the same bytes, on every machine: the assembler's version is exact. */
import wabt from 'wabt';
import { type Variant, wasmSource } from '../../datapath/erasure/kernel/wasm/source.ts';

export const variants: readonly Variant[] = ['relaxed', 'simd'];

/** Below the repository. */
export const wasmPath = (variant: Variant): string => `datapath/erasure/kernel/wasm/${variant}.wasm`;

export async function assemble(variant: Variant): Promise<Uint8Array> {
  const features = { simd: true, relaxed_simd: variant === 'relaxed' };
  const module = (await wabt()).parseWat(wasmPath(variant), wasmSource(variant), features);
  try {
    module.validate();
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}
