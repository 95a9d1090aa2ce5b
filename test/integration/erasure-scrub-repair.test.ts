/** Scrub and repair on a real site: what is lost, rotten or without a manifest is found and made whole, and a scrub that was stopped goes on from its place. */
import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findErasureObject, verifyErasureObject } from '../../datapath/erasure/index.ts';
import { manifestsOf } from '../../datapath/erasure/layout.ts';
import { type ErasureManifest, shardNameOf } from '../../datapath/erasure/manifest.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { REPAIR_RACKS, type RepairStatus } from '../../model/repair.ts';
import type { ScrubStatus } from '../../model/scrub.ts';
import { eventsOf, scheduled } from '../support/histories.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';
import { noise, read, write } from '../unit/datapath/erasure/support.ts';

const PATIENT = { requestMilliseconds: 20_000, stallMilliseconds: 20_000 };
const contents = new Map(
  Array.from({ length: 12 }, (_, index) => [`tenant/project/a1/object-${String(index).padStart(2, '0')}`, noise(index % 4 === 0 ? 3_000_000 : 20_000, index)]),
);

describe('scrub and repair', { concurrency: false }, () => {
  let site: TestSite;
  let bucketRoot: string;
  before(async () => {
    site = await startTestSite();
    bucketRoot = await rootOfRacks(site.directory);
    for (const [key, data] of contents) await write(site.stores.shardRacks, key, data, { patience: PATIENT });
  });
  after(() => site.stop());

  const bucketOf = (rackId: string | undefined): string => {
    const rack = site.running.site.erasureSet.racks.find(({ id }) => id === rackId);
    assert.ok(rack, `no rack ${rackId}`);
    return join(bucketRoot, rack.bucket);
  };
  const manifestOf = async (key: string): Promise<ErasureManifest> => {
    const found = await findErasureObject({ racks: site.stores.shardRacks, key });
    assert.ok(found, key);
    return found;
  };
  const scrubbed = async (): Promise<ScrubStatus> => {
    await site.penstock.erasure.scrub.start({ anew: true });
    return await eventually('the scrub to be over', async () => {
      const status = await site.penstock.erasure.scrub.status();
      return status.running ? undefined : status;
    });
  };
  const repaired = (): Promise<RepairStatus> =>
    eventually('the repair to be over', async () => {
      const status = await site.penstock.erasure.repair.status();
      return status.running ? undefined : status;
    });
  const assertAllWhole = async (missing: readonly string[] = []): Promise<void> => {
    const racks = site.stores.shardRacks.filter(({ id }) => !missing.includes(id));
    for (const [key, data] of contents) {
      const facts = await verifyErasureObject({ racks, key });
      assert.deepEqual([key, facts.ok, facts.margin, facts.manifestCopies], [key, true, 4, 5]);
      const four = new Set(facts.manifest.shards.slice(2, 6).map(({ rack }) => rack));
      assert.ok(
        (
          await read(
            racks.filter(({ id }) => !four.has(id)),
            key,
          )
        ).equals(data),
        key,
      );
    }
  };

  it('a cell that rots on a disk is found, and rebuilt elsewhere', async () => {
    const key = [...contents.keys()][8] ?? '';
    const manifest = await manifestOf(key);
    const shard = manifest.shards[3];
    assert.ok(shard);
    const path = join(bucketOf(shard.rack), shardNameOf(manifest, shard));
    const body = await readFile(path);
    body[5_000] = (body[5_000] ?? 0) ^ 1;
    await writeFile(path, body);
    const { progress } = await scrubbed();
    assert.deepEqual(progress?.byMargin, { 3: 1, 4: contents.size - 1 });
    assert.match(progress?.lines[0] ?? '', /object-08: shard 3 on r\d\d is (rotten|lost)/);
    const { counts } = await repaired();
    assert.deepEqual([counts.repairedObjects, counts.rebuiltShards], [1, 1]);
    assert.equal((await manifestOf(key)).generation, 2);
    await assertAllWhole();
  });

  it('manifests removed on four racks are put again', async () => {
    const key = [...contents.keys()][1] ?? '';
    let removed = 0;
    for (const { id } of site.stores.shardRacks) {
      const directory = join(bucketOf(id), `${manifestsOf(key)}jsonl`);
      if (removed < 4)
        await rm(directory).then(
          () => removed++,
          () => undefined,
        );
    }
    assert.equal(removed, 4);
    const { progress } = await scrubbed();
    assert.match(progress?.lines[0] ?? '', /object-01: 1 of 5 manifest copies/);
    await repaired();
    await assertAllWhole();
  });

  it('a scrub that is stopped goes on where it was', async () => {
    const { scrub } = site.penstock.erasure;
    await scrub.start({ anew: true, bytesPerSecond: '2MB/s', segmentSeconds: 1 });
    await eventually('some objects to be read', async () => (((await scrub.status()).progress?.objects ?? 0) > 2 ? true : undefined));
    const stopped = await scrub.stop();
    assert.equal(stopped.running, false);
    await scrub.start({ bytesPerSecond: '2MB/s', segmentSeconds: 1 });
    const resumed = await eventually('the next one to have begun', async () => (await scrub.status()).progress);
    assert.ok(resumed.objects > 2 && resumed.objects < contents.size, `${resumed.objects} objects`);
    assert.equal(resumed.scrubId, stopped.progress?.scrubId);
    await scrub.setRate({ bytesPerSecond: null });
    const over = await eventually('the scrub to be over', async () => {
      const status = await scrub.status();
      return status.running ? undefined : status;
    });
    assert.deepEqual([over.progress?.state, over.progress?.objects], ['complete', contents.size], 'each object was read once');
  });

  it('a paused scrub reads nothing until it is resumed, and follows its rate', async () => {
    const { scrub } = site.penstock.erasure;
    await scrub.start({ anew: true, bytesPerSecond: 0, segmentSeconds: 1 });
    assert.equal((await scrub.pause()).paused, true);
    assert.equal((await scrub.setRate({ bytesPerSecond: '1GB/s' })).bytesPerSecond, 1e9);
    const paused = await scrub.status();
    assert.ok((paused.progress?.objects ?? 0) < contents.size);
    await scrub.resume();
    await eventually('the scrub to be over', async () => ((await scrub.status()).running ? undefined : true));
  });

  it('a rack that is lost is found by the scrub, and everything on it rebuilt onto spares', async () => {
    const lost = 'r07';
    await rename(bucketOf(lost), `${bucketOf(lost)}.lost`);
    const { progress } = await scrubbed();
    assert.equal(progress?.objects, contents.size);
    const concerned = progress?.byMargin['3'] ?? 0;
    assert.ok(concerned > contents.size / 2, `${concerned} objects had a shard there`);
    const { counts } = await repaired();
    assert.ok(counts.repairedObjects > 0 && counts.postponedObjects === 0, JSON.stringify(counts));
    await assertAllWhole([lost]);
  });

  it('a second one that is lost for good is drained by listing, and its objects by their danger', async () => {
    const lost = 'r12';
    await rename(bucketOf(lost), `${bucketOf(lost)}.lost`);
    await site.penstock.erasure.repair.start({ racks: [lost] });
    const { counts, listings } = await repaired();
    assert.ok(counts.repairedObjects > contents.size / 2, `${counts.repairedObjects} objects`);
    assert.deepEqual(listings, []);
    await assertAllWhole(['r07', lost]);
    const events = await eventsOf(site.temporal, 'repair');
    assert.ok(events.length < 200, 'the history does not grow with the number of objects');
  });

  it('with a third one gone there is no rack to rebuild on: put off, told, and done when one is back', async () => {
    await rename(bucketOf('r18'), `${bucketOf('r18')}.lost`);
    await site.penstock.erasure.repair.start({ racks: ['r18'] });
    const waiting = await eventually('repairs to be put off', async () => {
      const status = await site.penstock.erasure.repair.status();
      return status.state === 'waiting' ? status : undefined;
    });
    assert.ok(waiting.counts.postponedObjects > 0);
    assert.match(waiting.counts.lines[0] ?? '', /can take a shard; not: .*r07/);
    const { repair } = site.penstock.erasure;
    await repair.pause();
    await repair.start({ racks: ['r18'] });
    assert.equal((await repair.stop()).running, false);
    await rename(`${bucketOf('r07')}.lost`, bucketOf('r07'));
    await repair.start({});
    await repaired();
    const listed = scheduled(await eventsOf(site.temporal, 'repair'), 'listLostRack');
    assert.equal(listed.length, 1, 'the rack that the stopped one had not listed yet is listed by the next one, which was not told of it');
    assert.deepEqual((await site.stores.warm.list(SYSTEM_BUCKET, REPAIR_RACKS)).entries, []);
    await assert.rejects(repair.pause(), /No repair is running\. Start it with `penstock erasure repair start`\./);
    await assertAllWhole(['r12', 'r18']);
  });
});

async function rootOfRacks(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isDirectory() && entry.name === 'rack-r01');
  assert.ok(found, 'a directory for each rack');
  return found.parentPath;
}
