/** What this process's activities code erasure stripes with: for the worker's metric and log, and for `penstock doctor`. */
import { kernelOfProcess } from '../datapath/erasure/kernel/choose.ts';

export interface ErasureKernelFacts {
  /** isal, wasm-relaxed or wasm-simd. */
  readonly name: string;
  readonly description: string;
  /** Faster ones, each with the reason why it is not used. */
  readonly passedOver: readonly string[];
}

/** Chooses it, if that is still to be done. @throws where none works on this machine */
export async function erasureKernelFacts(): Promise<ErasureKernelFacts> {
  const { kernel, passedOver } = await kernelOfProcess();
  return { name: kernel.name, description: kernel.description, passedOver: passedOver.map(({ name, reason }) => `${name}: ${reason}`) };
}
