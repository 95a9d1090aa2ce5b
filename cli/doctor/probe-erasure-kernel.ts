/** What erasure stripes are coded with on this machine. A slower kernel gives the same bytes, so only none at all is a shortfall. */
import { erasureKernelFacts } from '../../activities/erasure-kernel.ts';
import { createProber, type ProbeResult } from '../../drivers/probes/probe.ts';

export async function probeErasureKernel(facts: typeof erasureKernelFacts = erasureKernelFacts): Promise<readonly ProbeResult[]> {
  const prober = createProber('erasure code');
  await prober.needed('kernel', async () => {
    const { name, description, passedOver } = await facts();
    return [`${name} (${description})`, ...passedOver.map((reason) => `not ${reason}`)].join('; ');
  });
  return prober.results;
}
