/** Whole sets of shards without a manifest are told of from their first day, and claimed or collected by age only. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { whereIs } from '../../../../activities/where.ts';
import { sweepAbandonedShards } from '../../../../datapath/erasure/abandoned.ts';
import { manifestsOf } from '../../../../datapath/erasure/layout.ts';
import { loadSiteFile } from '../../../../drivers/site-file.ts';
import { claimableAt, youngLine } from '../../../../model/scrub.ts';
import { recordingStores } from '../../cli/recording-stores.ts';
import { siteFile } from '../../cli/support.ts';
import { impatient, type MemoryRack, memorySite, noise, write } from './support.ts';

const AN_HOUR_AGO = Date.now() - 3_600_000;

async function withoutManifests() {
  const racks = memorySite();
  await write(racks, 'whole', noise(1_000));
  const { manifest } = await write(racks, 'left', noise(1_000));
  for (const { objects } of racks) for (const name of [...objects.keys()]) if (name.startsWith(manifestsOf('left'))) objects.delete(name);
  return { racks, manifest, beganAtMilliseconds: Date.parse(manifest.createdAt) };
}

const sweep = (racks: readonly MemoryRack[]) => sweepAbandonedShards({ racks, prefix: '', olderThanMilliseconds: AN_HOUR_AGO, patience: impatient });

describe('a young write without a manifest', () => {
  it('is told of by the sweep, and left', async () => {
    const { racks, manifest, beganAtMilliseconds } = await withoutManifests();
    const { young, unclaimed, shardsRemoved } = await sweep(racks);
    assert.deepEqual([young, unclaimed, shardsRemoved], [[{ key: 'left', writeId: manifest.writeId, beganAtMilliseconds }], [], 0]);
    assert.equal(
      youngLine({ key: 'left', beganAtMilliseconds: Date.parse('2026-11-21T08:00:00Z') }, 168),
      'left: its shards are there, its manifests are not, and a write may be under way: not claimable before 2026-11-28T08:00:00.000Z',
    );
  });

  it('is no object where fewer than fourteen of its shards are there', async () => {
    const { racks, manifest } = await withoutManifests();
    for (const { rack } of manifest.shards.slice(0, 5)) {
      const { objects } = racks.find(({ id }) => id === rack) ?? assert.fail();
      for (const name of [...objects.keys()]) if (name.includes(manifest.writeId)) objects.delete(name);
    }
    assert.deepEqual((await sweep(racks)).young, []);
  });

  it('is named by `where`, with the claim and when it can be made', async () => {
    const { racks, beganAtMilliseconds } = await withoutManifests();
    const { stores } = recordingStores(await loadSiteFile(siteFile));
    const site = { ...stores, shardRacks: racks };
    const at = claimableAt(beganAtMilliseconds, stores.site.policies.sweepAfterHours);
    await assert.rejects(whereIs(site, 'left'), (error) => {
      assert.ok(error instanceof Error && error.name === 'NotFound');
      assert.match(error.message, /none of its manifests is there/);
      assert.ok(error.message.includes(`\`penstock erasure repair start --claim left\` makes its manifest anew, not before ${at}`), error.message);
      return true;
    });
    await assert.rejects(whereIs(site, 'nothing'), (error) => error instanceof Error && !error.message.includes('claim'));
  });
});
