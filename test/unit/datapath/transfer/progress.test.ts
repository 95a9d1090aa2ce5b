import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createProgressMeter, createRateMeter, type RateMeter } from '../../../../datapath/transfer/progress.ts';

const inKilobytes = (meter: RateMeter): number => Math.round((meter.rate() ?? Number.NaN) / 1000);

it('shows the rate of the last seconds, not of the whole', () => {
  let now = 0;
  const meter = createRateMeter(() => now);
  for (; now < 60_000; now += 100) meter.add(10);
  assert.equal(meter.rate(), 100);
  for (const end = now + 20_000; now < end; now += 100) meter.add(1000);
  assert.equal(inKilobytes(meter), 10);
});

it('knows no rate in the first three seconds, which begin with a wait', () => {
  let now = 0;
  const meter = createRateMeter(() => now);
  now = 1000;
  meter.add(63);
  assert.equal(meter.rate(), undefined);
  now = 4000;
  meter.add(4_000_000);
  assert.equal(inKilobytes(meter), 1000);
});

it('falls to nothing ten seconds after the last byte, without being told anything', () => {
  let now = 0;
  const meter = createRateMeter(() => now);
  for (; now < 30_000; now += 100) meter.add(2_000_000);
  assert.equal(inKilobytes(meter), 20_000);
  now += 5000;
  assert.equal(inKilobytes(meter), 10_000);
  now += 5000;
  assert.equal(meter.rate(), 0);
  now += 60_000;
  assert.equal(meter.rate(), 0);
});

it('is calm where a low limit lets a span pass every sixteen seconds, and still ends', () => {
  let now = 0;
  const meter = createRateMeter(() => now);
  const shown: number[] = [];
  for (let span = 0; span < 10; span += 1) {
    for (const end = now + 16_000; now < end; now += 1000) if (span > 4) shown.push(inKilobytes(meter));
    meter.add(16_000_000);
  }
  assert.ok(Math.min(...shown) > 700 && Math.max(...shown) < 1350, `${Math.min(...shown)} to ${Math.max(...shown)}`);
  now += 60_000;
  assert.equal(meter.rate(), 0);
});

it('takes back the bytes of an entry that failed', () => {
  let now = 0;
  const meter = createProgressMeter({ files: 1, bytes: 100 }, () => now);
  meter.addBytes(70);
  meter.addBytes(-70);
  meter.addFile();
  now = 3000;
  assert.deepEqual(meter.snapshot(), { files: 1, bytes: 100, doneFiles: 1, doneBytes: 0, bytesPerSecond: 0 });
});
