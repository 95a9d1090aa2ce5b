/** What a codec thread is asked and answers; the same function runs small stripes in place. */
import { encodeStripe, reconstructStripe } from './code.ts';

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

export interface CodecRequest {
  readonly id: number;
  readonly job: CodecJob;
}
export type CodecReply = { readonly id: number; readonly result: CodecResult } | { readonly id: number; readonly error: string };

export function runCodecJob(job: CodecJob): CodecResult {
  const checksums = job.kind === 'encode' ? encodeStripe(job.slab, job.cellBytes) : reconstructStripe(job.slab, job.cellBytes, job.present, job.wanted);
  return { slab: job.slab, checksums };
}
