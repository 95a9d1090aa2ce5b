/** Racks that are late: others are asked, whoever comes first wins, and nothing that comes afterwards does harm. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { type ErasureManifest, isRepairDue, readErasureBlocks, readErasureObject } from '../../../../datapath/erasure/index.ts';
import { electorsFor } from '../../../../datapath/erasure/manifest-copies.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { failAll, type MemoryRack, memorySite, noise, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
const BYTES = 40_000_000;
const data = noise(BYTES);

describe('a read with late racks', () => {
  it('does not wait for four that never send a cell, calls them off, and asks them no more', async () => {
    const { racks, manifest } = await stored();
    const held = holding(racks, manifest, [0, 3, 7, 13]);
    const { content, findings } = await readErasureObject({ racks: held.racks, key: KEY });
    assert.ok((await buffer(content)).equals(data));
    const late = findings.filter(({ kind }) => kind === 'late').map(({ index }) => index);
    assert.deepEqual(
      late.sort((a, b) => a - b),
      [0, 3, 7, 13],
    );
    assert.ok(!findings.some(isRepairDue), 'a late rack is no damage');
    assert.ok(held.requests.length > 0 && held.requests.every(({ signal }) => signal.aborted), 'called off');
    // Two stripes are under way when it is noticed; the third one goes round them.
    assert.ok(held.requests.every(({ stripe }) => stripe < 2));
  });

  it('never uses memory again that a late rack may still write to', async () => {
    const { racks, manifest } = await stored();
    const held = holding(racks, manifest, [2]);
    const { blocks } = await readErasureBlocks({ racks: held.racks, key: KEY });
    const copies: Buffer[] = [];
    for await (const block of blocks) {
      // It comes after all, with rubbish, while others are given out.
      for (const { into } of held.requests) into.fill(0xee);
      copies.push(Buffer.from(block));
    }
    assert.ok(held.requests.length > 0);
    assert.ok(Buffer.concat(copies).equals(data));
  });

  it('goes on where four fall silent one after another and never let go', async () => {
    const long = Buffer.concat(Array.from({ length: 130 }, () => noise(1_000_003)));
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, long);
    const indices = [0, 4, 9, 12];
    const held = holding(racks, manifest, indices, (index) => 2 * indices.indexOf(index));
    const { blocks } = await readErasureBlocks({ racks: held.racks, key: KEY });
    const copies: Buffer[] = [];
    for await (const block of blocks) copies.push(Buffer.from(block));
    assert.ok(Buffer.concat(copies).equals(long));
    assert.ok(held.requests.length >= 4);
  });

  it('takes the late one where the others are not enough', async () => {
    const { racks, manifest } = await stored();
    const lost = [14, 15, 16, 17].map((index) => rackOf(manifest, index));
    const held = holding(racks, manifest, [5]);
    const left = held.racks.filter(({ id }) => !lost.includes(id));
    const reading = await readErasureObject({ racks: left, key: KEY });
    held.release();
    assert.ok((await buffer(reading.content)).equals(data));
  });

  it('finds the object, and writes another, while four racks say nothing at all', async () => {
    const { racks } = await stored();
    const silent = new Set(electorsFor(KEY, racks).slice(0, 4));
    for (const rack of racks) if (silent.has(rack)) failAll(rack, 'hang');
    const started = performance.now();
    const { content } = await readErasureObject({ racks, key: KEY });
    assert.ok((await buffer(content)).equals(data));
    const { missingShards } = await write(racks, 'beside', data.subarray(0, 1000), { patience: undefined });
    assert.equal(missingShards.length, 2, 'sixteen racks are left');
    // A silent request is given up after ten seconds, a silent write after thirty.
    assert.ok(performance.now() - started < 25_000, `${performance.now() - started} ms`);
  });

  it('keeps late racks for the end next time, in this process', async () => {
    const { racks, manifest } = await stored();
    const held = holding(racks, manifest, [1]);
    await buffer((await readErasureObject({ racks: held.racks, key: KEY })).content);
    const before = held.requests.length;
    const { content, findings } = await readErasureObject({ racks: held.racks, key: KEY });
    assert.ok((await buffer(content)).equals(data));
    assert.equal(held.requests.length, before);
    assert.deepEqual(findings, []);
  });
});

async function stored(): Promise<{ racks: MemoryRack[]; manifest: ErasureManifest }> {
  const racks = memorySite();
  return { racks, manifest: (await write(racks, KEY, data)).manifest };
}

interface Held {
  readonly stripe: number;
  readonly into: Buffer;
  readonly signal: AbortSignal;
}

/** The racks of these shards keep every cell until released, from a stripe on; called off, they let go only then. */
function holding(racks: readonly MemoryRack[], manifest: ErasureManifest, indices: readonly number[], from: (index: number) => number = () => 0) {
  const slow = new Map(indices.map((index) => [rackOf(manifest, index), from(index)]));
  const requests: Held[] = [];
  const released = Promise.withResolvers<void>();
  const wrapped = racks.map((rack): RackStore => {
    const first = slow.get(rack.id);
    if (first === undefined) return rack;
    return {
      ...rack,
      async readInto(key, into, options = {}) {
        if (into.length < manifest.cellBytes) return rack.readInto(key, into, options);
        const { signal = new AbortController().signal, start = 0 } = options;
        const stripe = Math.floor(start / manifest.cellBytes);
        if (stripe < first) return rack.readInto(key, into, options);
        requests.push({ stripe, into, signal });
        await released.promise;
        return rack.readInto(key, into, options);
      },
    };
  });
  return { racks: wrapped, requests, release: released.resolve };
}

function rackOf(manifest: ErasureManifest, index: number): string {
  return manifest.shards.find((shard) => shard.index === index)?.rack ?? '?';
}
