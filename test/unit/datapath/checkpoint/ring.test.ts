import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openRing } from '../../../../datapath/checkpoint/ring.ts';
import { openRingDevice, type RingDevice, withReadDeadline } from '../../../../datapath/checkpoint/ring-device.ts';
import { AREA_START, BLOCK_BYTES, CHUNK_BYTES, LEAST_RING_BYTES, type RecordHeader, recordBytes } from '../../../../datapath/checkpoint/ring-format.ts';
import { scanRing } from '../../../../datapath/checkpoint/ring-scan.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { contentOf } from '../../../support/fault-proxy-random.ts';
import { ofType } from '../../../support/of-type.ts';
import { createRingDisk } from '../../../support/ring-disk.ts';
import { append, contents, writeIdOf } from './ring-support.ts';

const steady = () => 0;

describe('a checkpoint ring', () => {
  it('gives back after a restart what was acknowledged, in order', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    const device = disk.open();
    const ring = await openRing(device);
    const payloads = [contentOf(10, 1), contentOf(5000, 2), contentOf(4096, 3), Buffer.alloc(0)];
    await Promise.all(payloads.map((payload) => append(ring, device, payload)));
    assert.deepEqual(await contents(disk.open()), payloads);
  });

  it('is no ring while it is zeros, and refuses other content', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    assert.equal(await scanRing(disk.open()), undefined);
    disk.content.fill(7, 0, 100);
    await assert.rejects(openRing(disk.open()), ofType('CorruptSource'));
    assert.deepEqual(disk.content.subarray(0, 100), Buffer.alloc(100, 7));
  });

  it('that is full names the checkpoint in its way, and overwrites nothing', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    const device = disk.open();
    const ring = await openRing(device);
    await append(ring, device, contentOf(CHUNK_BYTES, 1), { key: 'acme/vision/train/old', writeId: writeIdOf(9) });
    const before = Buffer.from(disk.content.subarray(BLOCK_BYTES * 2));
    for (const each of [2, 3, 4, 5]) await append(ring, device, contentOf(CHUNK_BYTES, each));
    await assert.rejects(
      append(ring, device, contentOf(CHUNK_BYTES, 6)),
      (error) => ofType('OutOfSpace')(error) && error instanceof Error && /acme\/vision\/train\/old/.test(error.message),
    );
    await append(ring, device, contentOf(CHUNK_BYTES, 7), { kind: 'commit' });
    assert.ok(disk.content.subarray(BLOCK_BYTES * 2, BLOCK_BYTES * 2 + recordBytes(CHUNK_BYTES)).equals(before.subarray(0, recordBytes(CHUNK_BYTES))));
  });

  it('that one checkpoint fills alone says that it is too small, and of no drain to wait for', async () => {
    const device = createRingDisk(LEAST_RING_BYTES, steady).open();
    const ring = await openRing(device);
    const fill = async () => {
      for (;;) await append(ring, device, contentOf(CHUNK_BYTES, 1), { key: 'acme/vision/train/large' });
    };
    await assert.rejects(
      fill(),
      (error) => ofType('OutOfSpace')(error) && error instanceof Error && /larger than the ring/.test(error.message) && !/drain/.test(error.message),
    );
  });

  it('gives back only the oldest that may go, and goes around', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    const device = disk.open();
    const ring = await openRing(device);
    for (let lap = 0; lap < 12; lap += 1) {
      await append(ring, device, contentOf(CHUNK_BYTES - 5000, lap), { writeId: writeIdOf(lap), key: `acme/vision/train/step-${lap}` });
      await append(ring, device, contentOf(200, lap), { writeId: writeIdOf(lap), key: `acme/vision/train/step-${lap}`, kind: 'commit' });
      const may = async ({ writeId }: RecordHeader) => writeId !== writeIdOf(lap);
      await ring.reclaim(may);
      assert.deepEqual(await contents(disk.open()), [contentOf(CHUNK_BYTES - 5000, lap), contentOf(200, lap)]);
      Object.assign(device, disk.open());
    }
    assert.equal(await ring.reclaim(async () => false), 0);
  });

  it('whose record is damaged long after it was durable keeps all that follow', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    const device = disk.open();
    const ring = await openRing(device);
    for (let index = 0; index < 5; index += 1) await append(ring, device, contentOf(3000, index));
    const second = ring.entries()[1];
    assert.ok(second);
    disk.content[AREA_START + second.position + 40] = 0xff;
    assert.deepEqual(
      await contents(disk.open()),
      [0, 2, 3, 4].map((index) => contentOf(3000, index)),
    );
    const again = await openRing(disk.open());
    assert.equal(again.usedBytes(), 5 * recordBytes(3000));
  });

  it('takes nothing of an earlier life for a successor, where a torn record is written over by one of the same length', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    const device = disk.open();
    const ring = await openRing(device);
    await append(ring, device, contentOf(3000, 'first'));
    await Promise.all(['torn', 'whole, but behind it'].map((each) => append(ring, device, contentOf(3000, each))));
    const torn = ring.entries()[1];
    assert.ok(torn);
    disk.content.fill(0, AREA_START + torn.position + BLOCK_BYTES, AREA_START + torn.position + 2 * BLOCK_BYTES);
    assert.deepEqual(await contents(disk.open()), [contentOf(3000, 'first')]);
    const next = disk.open();
    await append(await openRing(next), next, contentOf(3000, 'second life'));
    assert.deepEqual(await contents(disk.open()), [contentOf(3000, 'first'), contentOf(3000, 'second life')]);
  });

  it('on a disk that fails once takes nothing more, for nothing behind a hole could be found', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    const device = disk.open();
    const ring = await openRing(device);
    disk.fail(new PenstockError('IoError', 'the disk is gone'));
    await assert.rejects(append(ring, device, contentOf(10, 1)), ofType('IoError'));
    Object.assign(device, disk.open());
    await assert.rejects(append(ring, device, contentOf(10, 1)), ofType('IoError'));
  });
});

describe('a ring on a device that hangs', () => {
  it('is waited for once and no longer: reads, also the next, fail, and closing it does not wait', async () => {
    let reads = 0;
    const hanging: RingDevice = {
      ...createRingDisk(LEAST_RING_BYTES, steady).open(),
      read: () => {
        reads += 1;
        return new Promise(() => undefined);
      },
      close: () => new Promise(() => undefined),
    };
    const device = withReadDeadline(hanging, 0.05);
    await assert.rejects(scanRing(device), ofType('StoreUnavailable'));
    await assert.rejects(scanRing(device), ofType('StoreUnavailable'));
    assert.equal(reads, 1);
    await device.close();
  });

  it('that answers with an error is asked again, and closed', async () => {
    const disk = createRingDisk(LEAST_RING_BYTES, steady);
    let isClosed = false;
    const failing: RingDevice = {
      ...disk.open(),
      read: () => Promise.reject(new PenstockError('IoError', 'one bad block')),
      close: async () => {
        isClosed = true;
      },
    };
    const device = withReadDeadline(failing, 60);
    await assert.rejects(scanRing(device), ofType('IoError'));
    await assert.rejects(scanRing(device), ofType('IoError'));
    await device.close();
    assert.ok(isClosed);
  });
});

describe('a ring in a file', () => {
  it('is made once, has one writer at a time, and keeps its size', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'penstock-ring-'));
    try {
      const path = join(directory, 'ring.img');
      const device = await openRingDevice({ path, bytes: LEAST_RING_BYTES, access: 'write' });
      const ring = await openRing(device);
      await append(ring, device, contentOf(70_000, 1));
      await assert.rejects(openRingDevice({ path, bytes: LEAST_RING_BYTES, access: 'write' }), ofType('Conflict'));
      const reader = await openRingDevice({ path, bytes: LEAST_RING_BYTES, access: 'read' });
      assert.deepEqual(await contents(reader), [contentOf(70_000, 1)]);
      await reader.close();
      await ring.close();
      await assert.rejects(
        openRingDevice({ path, bytes: LEAST_RING_BYTES + BLOCK_BYTES, access: 'write' }),
        (error) => ofType('Conflict')(error) && error instanceof Error && /ring size: found/.test(error.message),
      );
      const again = await openRing(await openRingDevice({ path, bytes: LEAST_RING_BYTES, access: 'write' }));
      assert.equal(again.entries().length, 1);
      await again.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('smaller than its least size is refused with what is accepted', async () => {
    await assert.rejects(openRingDevice({ path: '/tmp/none', bytes: 4096, access: 'read' }), /ring size: found 4096; accepted: a multiple of 4096 from/);
  });
});
