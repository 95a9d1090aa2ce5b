/** Racks that lag, fill up, or lose what they took: a write goes round them, tells it, and never waits long. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { newWriteId, readErasureBlocks, verifyErasureObject, writeErasureObject } from '../../../../datapath/erasure/index.ts';
import { DATA_SHARDS, MAX_CELL_BYTES } from '../../../../datapath/erasure/layout.ts';
import type { Patience } from '../../../../datapath/erasure/patience.ts';
import { createSlabPool } from '../../../../datapath/erasure/slab-pool.ts';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import type { RackStore, ShardBody } from '../../../../drivers/rack-store/port.ts';
import { keysOn, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
const STRIPE = DATA_SHARDS * MAX_CELL_BYTES;
/** A stall is long, so that what is seen is the lag. */
const patient: Patience = { requestMilliseconds: 20_000, stallMilliseconds: 40_000, lagMilliseconds: 200 };

describe('a rack that lags', () => {
  it('is replaced by a spare while its shard can be repeated', async () => {
    const racks = memorySite();
    const stuck = stopping(racks, 'r01', 2);
    const data = noise(3 * STRIPE - 5);
    const { faults, manifest, missingShards } = await write(stuck.racks, KEY, data, { patience: patient });
    assert.deepEqual(missingShards, []);
    assert.deepEqual(
      faults.map(({ rack }) => rack),
      ['r01'],
    );
    assert.match(faults[0]?.message ?? '', /held up the others for 0\.\d s/);
    assert.ok(manifest.shards.every(({ rack }) => rack !== 'r01'));
    assert.ok(stuck.signal()?.aborted, 'called off');
    assert.ok((await verifyErasureObject({ racks, key: KEY })).ok);
    assert.ok((await read(racks, KEY)).equals(data));
  });

  it('is left out once it is too late to repeat, and its shard is told as missing', async () => {
    const racks = memorySite();
    const stuck = stopping(racks, 'r01', 12);
    const bytes = 15 * STRIPE + 17;
    let filled = 0;
    const content = {
      async read(into: Buffer, position: number) {
        filled++;
        patternAt(into, position);
      },
    };
    const writing = writeErasureObject({ racks: stuck.racks, key: KEY, content, bytes, writeId: newWriteId(), patience: patient });
    // Header and eleven cells went, so at most five stripes more are in memory.
    await stuck.stopped;
    assert.ok(filled <= 11 + 5, `${filled} stripes were read`);
    const { faults, manifest, missingShards } = await writing;
    assert.deepEqual(
      faults.map(({ rack, index }) => [rack, index]),
      [['r01', missingShards[0]]],
    );
    assert.equal(manifest.shards.length, 17);
    assert.equal(manifest.sha256, patternDigest(bytes));
    const digest = createHash('sha256');
    const { blocks } = await readErasureBlocks({ racks, key: KEY });
    for await (const block of blocks) digest.update(block);
    assert.equal(digest.digest('hex'), manifest.sha256);
  });

  it('is passed over by the next objects of this process', async () => {
    const racks = memorySite();
    const stuck = stopping(racks, 'r01', 1);
    await write(stuck.racks, 'first', noise(50_000), { patience: patient });
    assert.equal(stuck.begun(), 1);
    for (let index = 0; index < 5; index++) {
      const { faults } = await write(stuck.racks, `next/${index}`, noise(50_000), { patience: patient });
      assert.deepEqual(faults, []);
    }
    assert.equal(stuck.begun(), 1);
  });

  it('is replaced as far as spares go where four lag at once, and the rest is left out', async () => {
    let racks: RackStore[] = memorySite();
    for (const id of ['r02', 'r08', 'r12', 'r19']) racks = stopping(racks, id, 1).racks;
    const data = noise(50_000);
    const { faults, missingShards } = await write(racks, KEY, data, { patience: patient });
    assert.equal(missingShards.length, 2);
    assert.ok(faults.length >= 2 && faults.every(({ rack }) => ['r02', 'r08', 'r12', 'r19'].includes(rack)));
    assert.ok((await read(racks, KEY)).equals(data));
  });

  it('is no reason to fall below the quorum: with three of eighteen the write fails at the stall, naming them', async () => {
    let racks: RackStore[] = memorySite(18);
    for (const id of ['r03', 'r07', 'r11']) racks = stopping(racks, id, 1).racks;
    const impatient = { requestMilliseconds: 20_000, stallMilliseconds: 500, lagMilliseconds: 50 };
    await assert.rejects(write(racks, KEY, noise(50_000), { patience: impatient }), { name: 'StoreUnavailable', message: /r03.*r07.*r11|took nothing/ });
  });
});

describe('a rack that is full', () => {
  it('gives way to a spare', async () => {
    const racks = memorySite();
    racks[4]?.faults.set('writeShard', 'full');
    const { faults, missingShards } = await write(racks, KEY, noise(50_000), { patience: patient });
    assert.deepEqual([missingShards, faults.map(({ rack }) => rack)], [[], ['r05']]);
  });
});

describe('a rack that takes a shard and loses it', () => {
  const losses: Record<string, (body: Buffer) => Buffer | undefined> = {
    'all of it': () => undefined,
    'its end': (body) => body.subarray(0, -100),
    'its last blocks, which read as zeros': (body) => Buffer.concat([body.subarray(0, -100), Buffer.alloc(100)]),
  };
  for (const [what, loss] of Object.entries(losses)) {
    it(`is found out before the commit, and replaced: ${what}`, async () => {
      const racks = memorySite();
      const data = noise(50_000);
      const { faults, missingShards } = await write(forgetful(racks, ['r02'], loss), KEY, data, { patience: patient });
      assert.deepEqual(missingShards, []);
      assert.deepEqual(
        faults.map(({ rack }) => rack),
        ['r02'],
      );
      assert.ok((await verifyErasureObject({ racks, key: KEY })).ok);
    });
  }

  it('is left out where there is no spare, and three of them fail the write, which leaves nothing', async () => {
    const racks = memorySite(18);
    const { missingShards } = await write(
      forgetful(racks, ['r02', 'r09'], () => undefined),
      KEY,
      noise(50_000),
      { patience: patient },
    );
    assert.equal(missingShards.length, 2);
    const others = memorySite(18);
    const writing = write(
      forgetful(others, ['r02', 'r09', 'r13'], (body) => body.subarray(1)),
      KEY,
      noise(50_000),
      { patience: patient },
    );
    await assert.rejects(writing, { name: 'StoreUnavailable', message: /r02.*read back/ });
    assert.deepEqual(keysOn(others, 'ec/'), []);
  });
});

describe('content that can be read at any position', () => {
  it('is held against its checksum before anything is committed', async () => {
    const racks = memorySite();
    const data = noise(100_000);
    const content = { read: async (into: Buffer, position: number) => void data.copy(into, 0, position) };
    const request = { racks, key: KEY, content, bytes: data.length, patience: patient };
    await assert.rejects(writeErasureObject({ ...request, writeId: newWriteId(), crc32c: 'AAAAAA==' }), { name: 'ChecksumMismatch' });
    assert.deepEqual(keysOn(racks, 'ec/'), []);
    const { manifest } = await writeErasureObject({ ...request, writeId: newWriteId() });
    const { outcome } = await writeErasureObject({ ...request, writeId: newWriteId(), crc32c: manifest.crc32c });
    assert.equal(outcome, 'existed');
    assert.ok((await read(racks, KEY)).equals(data));
  });

  it('has the CRC32C of its bytes at every length around a cell and a stripe', async () => {
    const racks = memorySite();
    for (const bytes of [0, 1, 63, 64, 65, 14 * 64, 14 * 64 + 1, STRIPE - 1, STRIPE, STRIPE + 1]) {
      const { manifest } = await write(racks, `crc/${bytes}`, noise(bytes), { patience: patient });
      assert.equal(manifest.crc32c, crc32cOf(noise(bytes)), `${bytes} bytes`);
    }
  });
});

describe('the slabs of an object', () => {
  it('are so many and no more', async () => {
    let shortages = 0;
    const pool = createSlabPool(64, 2, () => shortages++);
    const [first, second] = [await pool.take(), await pool.take()];
    assert.notEqual(first, second);
    let third: ArrayBuffer | undefined;
    const taking = pool.take().then((slab) => {
      third = slab;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([third, shortages, pool.isShort()], [undefined, 1, true]);
    pool.give(first);
    await taking;
    assert.equal(third, first);
    // What a silent rack holds is replaced, and not kept when it comes back late.
    pool.takeExtra();
    pool.forget();
    assert.equal(pool.isShort(), false);
  });
});

/** That rack draws so many blocks and no more; called off, it lets go. */
function stopping<Rack extends RackStore>(racks: readonly Rack[], id: string, blocks: number) {
  const stop = Promise.withResolvers<void>();
  let seen: AbortSignal | undefined;
  let begun = 0;
  const wrapped = racks.map((rack): RackStore => {
    if (rack.id !== id) return rack;
    return {
      ...rack,
      async writeShard(_key: string, body: ShardBody, { signal } = {}) {
        begun++;
        seen = signal;
        const iterator = body.blocks[Symbol.asyncIterator]();
        for (let drawn = 0; drawn < blocks; drawn++) await iterator.next();
        stop.resolve();
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
      },
    };
  });
  return { racks: wrapped, stopped: stop.promise, signal: () => seen, begun: () => begun };
}

function forgetful(racks: readonly MemoryRack[], ids: readonly string[], loss: (body: Buffer) => Buffer | undefined): RackStore[] {
  return racks.map((rack) => {
    if (!ids.includes(rack.id)) return rack;
    return {
      ...rack,
      async writeShard(key, body, options) {
        await rack.writeShard(key, body, options);
        const kept = loss(rack.objects.get(key) ?? Buffer.alloc(0));
        if (kept) rack.objects.set(key, kept);
        else rack.objects.delete(key);
      },
    };
  });
}

/** A prime, so that no two cells begin alike. */
const PATTERN = noise(65_521, 7);

/** Repeatable content of any length. */
function patternAt(into: Buffer, position: number): void {
  for (let at = 0; at < into.length; ) {
    const offset = (position + at) % PATTERN.length;
    at += PATTERN.copy(into, at, offset);
  }
}

function patternDigest(bytes: number): string {
  const digest = createHash('sha256');
  const block = Buffer.alloc(STRIPE);
  for (let position = 0; position < bytes; position += STRIPE) {
    const piece = block.subarray(0, Math.min(STRIPE, bytes - position));
    patternAt(piece, position);
    digest.update(piece);
  }
  return digest.digest('hex');
}
