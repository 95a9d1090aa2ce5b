import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { freePort, LOOPBACK } from '../../../dev/site/ports.ts';
import { recordErasureKernel } from '../../../workers/metrics.ts';

it('Prometheus is told which erasure kernel a worker codes with', async () => {
  const address = `${LOOPBACK}:${await freePort()}`;
  const runtime = Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { metrics: { prometheus: { bindAddress: address } } } });
  try {
    recordErasureKernel(runtime.metricMeter, { name: 'wasm-simd', description: 'slow', passedOver: [] });
    const served = await (await fetch(`http://${address}/metrics`)).text();
    assert.match(served, /^penstock_erasure_kernel_info\{.*kernel="wasm-simd".*\} 1$/m);
    assert.match(served, /^# TYPE penstock_erasure_kernel_info gauge$/m);
  } finally {
    await runtime.shutdown();
  }
});
