/** Which kernel this process codes with: the fastest that the machine has and that gives right results on it. Chosen once, at first use or at start-up. */

import { messageOf } from '../../../model/errors.ts';
import { findIsal } from '../../native/isal-library.ts';
import { createIsalKernel } from './isal-kernel.ts';
import type { ErasureKernel, KernelName } from './kernel.ts';
import { checkKernel } from './self-check.ts';
import { createWasmKernel } from './wasm-kernel.ts';

export interface KernelChoice {
  readonly kernel: ErasureKernel;
  /** Faster ones, and why they are not used. */
  readonly passedOver: readonly PassedOver[];
}
export interface PassedOver {
  readonly name: KernelName;
  readonly reason: string;
}

/** Fastest first. */
export const kernelNames: readonly KernelName[] = ['isal', 'wasm-relaxed', 'wasm-simd'];

let chosen: Promise<KernelChoice> | undefined;

/** The process's own. */
export function kernelOfProcess(): Promise<KernelChoice> {
  chosen ??= chooseKernel();
  return chosen;
}

/** @throws where no kernel works here, or PENSTOCK_LIBISAL names something unusable */
export async function chooseKernel(open: (name: KernelName) => Promise<ErasureKernel | undefined> = findKernel): Promise<KernelChoice> {
  const passedOver: PassedOver[] = [];
  for (const name of kernelNames) {
    const kernel = await open(name);
    const reason = kernel ? refusal(kernel) : 'this machine does not have it';
    if (kernel && reason === undefined) return { kernel, passedOver };
    passedOver.push({ name, reason: reason ?? 'unknown' });
  }
  const reasons = passedOver.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  throw new Error(`no erasure kernel works on this machine (${reasons}). Install the Debian package libisal2, or use a processor with SSE4.1 or NEON.`);
}

/** @throws where the machine does not have it */
export async function needKernel(name: KernelName): Promise<ErasureKernel> {
  const kernel = await findKernel(name);
  if (!kernel) throw new Error(`this machine does not have the erasure kernel ${name}`);
  return kernel;
}

/** Undefined where the machine does not have it. */
async function findKernel(name: KernelName): Promise<ErasureKernel | undefined> {
  switch (name) {
    case 'isal': {
      const library = await findIsal();
      return library && createIsalKernel(library);
    }
    case 'wasm-relaxed':
      return createWasmKernel('relaxed');
    case 'wasm-simd':
      return createWasmKernel('simd');
    default:
      return name satisfies never;
  }
}

function refusal(kernel: ErasureKernel): string | undefined {
  try {
    checkKernel(kernel);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
