import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createProgressMeter } from '../../../../datapath/transfer/progress.ts';

it('shows the rate of the last seconds, not of the whole', () => {
  let now = 0;
  const meter = createProgressMeter({ files: 2, bytes: 1_000_000 }, () => now);
  for (; now < 60_000; now += 100) meter.addBytes(10);
  assert.equal(meter.snapshot().bytesPerSecond, 100);
  for (const end = now + 20_000; now < end; now += 100) meter.addBytes(1000);
  assert.equal(Math.round(meter.snapshot().bytesPerSecond / 1000), 10);
  assert.equal(Math.round(meter.etaSeconds() ?? 0), Math.round((1_000_000 - 206_000) / meter.snapshot().bytesPerSecond));
});

it('shows a stall: no rate, no end in sight', () => {
  let now = 0;
  const meter = createProgressMeter({ files: 1, bytes: 100 }, () => now);
  meter.addBytes(50);
  now = 1000;
  assert.equal(meter.snapshot().bytesPerSecond, 50);
  now = 60_000;
  meter.addBytes(0);
  now = 120_000;
  assert.equal(meter.snapshot().bytesPerSecond, 0);
  assert.equal(meter.etaSeconds(), undefined);
});

it('takes back the bytes of an entry that failed', () => {
  const meter = createProgressMeter({ files: 1, bytes: 100 }, () => 0);
  meter.addBytes(70);
  meter.addBytes(-70);
  meter.addFile();
  assert.deepEqual(meter.snapshot(), { files: 1, bytes: 100, doneFiles: 1, doneBytes: 0, bytesPerSecond: 0 });
});
