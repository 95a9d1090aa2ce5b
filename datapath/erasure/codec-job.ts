/** What a codec thread is asked and answers; the same function codes small stripes in place. */
import type { StripeCoder } from './code.ts';
import type { KernelName } from './kernel/kernel.ts';

export type CodecJob =
  | { readonly kind: 'encode'; readonly slab: ArrayBuffer; readonly cellBytes: number }
  | {
      readonly kind: 'reconstruct';
      readonly slab: ArrayBuffer;
      readonly cellBytes: number;
      readonly present: readonly number[];
      readonly wanted: readonly number[];
    };

/** `checksums`: CRC32C of all 18 cells after encoding, of the wanted ones after rebuilding. */
export interface CodecResult {
  readonly slab: ArrayBuffer;
  readonly checksums: readonly number[];
}

/** What a codec thread starts with. */
export interface CodecThreadData {
  readonly kernel: KernelName;
}
export interface CodecRequest {
  readonly id: number;
  readonly job: CodecJob;
}
export type CodecReply = { readonly id: number; readonly result: CodecResult } | { readonly id: number; readonly error: string };

export function runCodecJob(coder: StripeCoder, job: CodecJob): CodecResult {
  const checksums = job.kind === 'encode' ? coder.encode(job.slab, job.cellBytes) : coder.reconstruct(job.slab, job.cellBytes, job.present, job.wanted);
  return { slab: job.slab, checksums };
}
