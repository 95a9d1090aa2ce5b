/** Figures of a worker process itself; those of its work are recorded by the activities. */
import type { MetricMeter } from '@temporalio/common';
import type { ErasureKernelFacts } from '../activities/erasure-kernel.ts';

/** One for the kernel in use: a fleet's slow machines are those whose label is not "isal". */
export function recordErasureKernel(meter: MetricMeter, { name }: ErasureKernelFacts): void {
  meter.createGauge('penstock_erasure_kernel_info', 'int', undefined, 'always 1; the label says what erasure stripes are coded with').set(1, { kernel: name });
}
