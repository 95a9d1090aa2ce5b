/** An object that lost shards, its repair, and what must hold afterwards. */
import assert from 'node:assert/strict';
import { verifyErasureObject } from '../../../../datapath/erasure/index.ts';
import { shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { type ErasureManifest, shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { type RepairedErasureObject, repairErasureObject, type SuspectShard } from '../../../../datapath/erasure/repair.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { failAll, impatient, keysOn, type MemoryRack, memorySite, noise, read, write } from './support.ts';

export const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
export const SMALL = 10_000;
export const PATIENT = { requestMilliseconds: 60_000, stallMilliseconds: 60_000 };

export const repair = (racks: readonly RackStore[], suspects: readonly SuspectShard[] = [], patience = impatient): Promise<RepairedErasureObject> =>
  repairErasureObject({ racks, key: KEY, suspects, patience });
const named = (racks: readonly MemoryRack[], id: string | undefined): MemoryRack => {
  const rack = racks.find((each) => each.id === id);
  assert.ok(rack, `there is no rack ${id}`);
  return rack;
};
export const shardOn = (racks: readonly MemoryRack[], manifest: ErasureManifest, index: number) => {
  const shard = manifest.shards.find((each) => each.index === index);
  assert.ok(shard);
  return { shard, rack: named(racks, shard.rack), name: shardNameOf(manifest, shard) };
};

/** A written object, some of its shards' racks lost for good. */
export async function damaged(lost: readonly number[], bytes = SMALL) {
  const racks = memorySite();
  const data = noise(bytes);
  const { manifest } = await write(racks, KEY, data);
  const gone = lost.map((index) => shardOn(racks, manifest, index).rack);
  for (const rack of gone) failAll(rack);
  return { racks, data, manifest, gone, left: racks.filter((rack) => !gone.includes(rack)) };
}

/** Sound in every cell, five copies, four more racks may go, one rack a shard, nothing beside what the manifest names. */
export async function assertWhole(racks: readonly MemoryRack[], data: Buffer, { allowsMade = false } = {}): Promise<ErasureManifest> {
  const facts = await verifyErasureObject({ racks, key: KEY, patience: impatient });
  assert.deepEqual([facts.ok, facts.margin, facts.manifestCopies], [true, 4, 5]);
  const { manifest } = facts;
  assert.equal(new Set(manifest.shards.map(({ rack }) => rack)).size, 18);
  const places = manifest.shards.map((shard) => `${shard.rack}:${shardNameOf(manifest, shard)}`).sort();
  const found = keysOn(racks, shardPrefix(KEY)).sort();
  assert.deepEqual(allowsMade ? found.filter((each) => places.includes(each)) : found, places);
  const holders = manifest.shards.slice(3, 7).map(({ rack }) => rack);
  assert.ok(
    (
      await read(
        racks.filter(({ id }) => !holders.includes(id)),
        KEY,
      )
    ).equals(data),
  );
  return manifest;
}
