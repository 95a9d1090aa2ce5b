/** On a real site, as a person does it: an object that is lost for good is given up, a drain is called off; and the site's limit for repairs. */
import assert from 'node:assert/strict';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { erasureOverview } from '../../activities/erasure-overview.ts';
import { findErasureObject } from '../../datapath/erasure/index.ts';
import { shardNameOf } from '../../datapath/erasure/manifest.ts';
import { GIVEN_UP } from '../../model/given-up.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { REPAIR_LATER, REPAIR_LIMIT_KEY, REPAIR_QUEUE, REPAIR_RACKS } from '../../model/repair.ts';
import { commandLine } from '../support/command-line.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';
import { noise, write } from '../unit/datapath/erasure/support.ts';

const PATIENT = { requestMilliseconds: 20_000, stallMilliseconds: 20_000 };
const [LOST, SOUND] = ['tenant/lost', 'tenant/sound'];
const WHO = { by: 'ada', reason: 'five racks burnt' };

describe('an object that is lost for good', { concurrency: false }, () => {
  let site: TestSite;
  /** Paths of shards, to where they are kept meanwhile. */
  const away = new Map<string, string>();
  before(async () => {
    site = await startTestSite({ policies: { repairRate: '50MB/s' } });
    for (const key of [LOST, SOUND]) await write(site.stores.shardRacks, key, noise(20_000), { patience: PATIENT });
    const manifest = await findErasureObject({ racks: site.stores.shardRacks, key: LOST });
    assert.ok(manifest);
    for (const shard of manifest.shards.slice(0, 5)) {
      const { bucket = '' } = site.running.site.erasureSet.racks.find(({ id }) => id === shard.rack) ?? {};
      const path = join(site.directory, 's3', 'racks', bucket, shardNameOf(manifest, shard));
      const kept = join(site.directory, 'away', String(shard.index));
      await mkdir(dirname(kept), { recursive: true });
      await rename(path, kept);
      away.set(path, kept);
    }
  });
  after(() => site.stop());

  const penstock = (...args: string[]) => commandLine(site, 'erasure', ...args);
  const recordsUnder = async (prefix: string): Promise<string[]> =>
    (await site.stores.warm.list(SYSTEM_BUCKET, prefix)).entries.map(({ key }) => key.slice(prefix.length));
  const scrubbed = async () => {
    await site.penstock.erasure.scrub.start({ anew: true });
    return await eventually('the scrub to be over', async () => {
      const { running, progress } = await site.penstock.erasure.scrub.status();
      return running ? undefined : progress;
    });
  };
  const repairOver = () => eventually('the repair to be over', async () => ((await site.penstock.erasure.repair.status()).running ? undefined : true));

  it('keeps the repair waiting, at the rate of the site', async () => {
    assert.deepEqual((await scrubbed())?.byMargin, { '-1': 1, '4': 1 });
    const status = await eventually('it to be put off', async () => {
      const now = await site.penstock.erasure.repair.status();
      return now.state === 'waiting' ? now : undefined;
    });
    assert.deepEqual([status.laterObjects, status.bytesPerSecond], [1, 50_000_000]);
    assert.deepEqual(JSON.parse((await site.stores.warm.readBytes(SYSTEM_BUCKET, REPAIR_LIMIT_KEY)).toString()), { bytesPerSecond: 50_000_000 });
    assert.equal((await recordsUnder(REPAIR_LATER)).length, 1);
  });

  it('a drain that is called off is off the record, and the repair goes on', async () => {
    const { repair } = site.penstock.erasure;
    await repair.pause();
    await repair.start({ racks: ['r01'] });
    const called = await penstock('repair', 'call-off', 'r01');
    assert.deepEqual([called.code, called.stdout.split('\n')[0]?.replace(/ +/g, ' ')], [0, 'called off the drain of r01'], called.stderr);
    const again = await penstock('repair', 'call-off', 'r01');
    assert.deepEqual([again.code, /no drain of "r01" is on record/.test(again.stderr)], [3, true]);
    assert.deepEqual([(await repair.status()).listings, await recordsUnder(REPAIR_RACKS)], [[], []]);

    await repair.start({ racks: ['r04'] });
    await repair.stop();
    assert.deepEqual(await recordsUnder(REPAIR_RACKS), ['r04.json']);
    assert.equal((await penstock('repair', 'call-off', 'r04')).code, 0, 'also while none is under way');
    assert.deepEqual(await recordsUnder(REPAIR_RACKS), []);
    await repair.start({ racks: ['r02', 'r03'] });
    await eventually('both to be listed', async () =>
      (await recordsUnder(REPAIR_RACKS)).length === 0 && (await repair.status()).listings.length === 0 ? true : undefined,
    );
  });

  it('is given up: the repair has nothing more to do and ends, and no scrub brings it back', async () => {
    const giveUp = (key: string, ...more: string[]) => penstock('give-up', key, '--reason', WHO.reason, '--by', WHO.by, ...more);
    const sound = await giveUp(SOUND, '--yes');
    assert.deepEqual([sound.code, /Conflict.*can still be read, all of it/s.test(sound.stderr)], [1, true], sound.stderr);
    const told = await giveUp(LOST);
    assert.equal(told.code, 1);
    assert.match(told.stdout, /shards +13 are sound, and 14 are needed.*Nothing was given up\. With --yes it is\./s);
    assert.deepEqual(await recordsUnder(GIVEN_UP), []);
    const done = await giveUp(LOST, '--yes');
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /repairs +it is not due any more/);
    assert.match((await penstock('status')).stdout, /given up, 1 object:\ntenant\/lost: on \S+ by ada: five racks burnt/);
    await site.penstock.erasure.repair.start({});
    await repairOver();
    assert.deepEqual([await recordsUnder(REPAIR_LATER), await recordsUnder(REPAIR_QUEUE)], [[], []]);
    const progress = await scrubbed();
    assert.deepEqual([progress?.byMargin, progress?.damagedObjects, await recordsUnder(REPAIR_QUEUE)], [{ '-1': 1, '4': 1 }, 0, []]);
    const { givenUp } = await erasureOverview(site.stores);
    assert.partialDeepStrictEqual(givenUp, { objects: 1, records: [{ key: LOST, ...WHO, soundShards: 13 }] });
  });

  it('is an object like any other once its shards are back', async () => {
    for (const [path, kept] of away) await rename(kept, path);
    assert.deepEqual((await scrubbed())?.byMargin, { '4': 2 });
    assert.equal((await erasureOverview(site.stores)).givenUp, undefined);
  });
});
