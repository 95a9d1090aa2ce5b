import assert from 'node:assert/strict';
import { it } from 'node:test';
import { probeErasureKernel } from '../../../cli/doctor/probe-erasure-kernel.ts';
import { doctorText, isShortfall } from '../../../cli/views/doctor.ts';

it('the doctor says what erasure stripes are coded with here, and why not faster', async () => {
  const facts = { name: 'wasm-relaxed', description: 'WebAssembly', passedOver: ['isal: this machine does not have it'] };
  const text = doctorText(await probeErasureKernel(async () => facts), (_color, plain) => plain);
  assert.match(text, /erasure code +kernel +yes +needed +wasm-relaxed \(WebAssembly\); not isal: this machine does not have it/);
});

it('a machine on which nothing codes lacks something', async () => {
  const results = await probeErasureKernel(() => Promise.reject(new Error('no erasure kernel works on this machine')));
  assert.deepEqual(
    results.map((result) => [isShortfall(result), result.evidence]),
    [[true, 'no erasure kernel works on this machine']],
  );
});

it('this machine has one', async () => {
  const [result] = await probeErasureKernel();
  assert.equal(result?.works, 'yes');
  assert.match(result?.evidence ?? '', /^(isal|wasm-relaxed|wasm-simd) \(/);
});
