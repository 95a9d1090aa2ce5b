/** The worker of scrub and repair killed with SIGKILL in the middle: each object is counted once, and everything is whole in the end. */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { verifyErasureObject } from '../../datapath/erasure/index.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { REPAIR_LATER, REPAIR_QUEUE } from '../../model/repair.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';
import { noise, read, write } from '../unit/datapath/erasure/support.ts';

const PATIENT = { requestMilliseconds: 20_000, stallMilliseconds: 20_000 };
const contents = new Map(Array.from({ length: 12 }, (_, index) => [`tenant/project/a1/object-${String(index).padStart(2, '0')}`, noise(1_000_000, index)]));

describe('killed in the middle', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite();
    for (const [key, data] of contents) await write(site.stores.shardRacks, key, data, { patience: PATIENT });
  });
  after(() => site.stop());

  /** @returns what was known while it was dead */
  const strike = async <Status>(status: () => Promise<Status>): Promise<Status> => {
    const worker = site.running.service('worker-data');
    await worker.kill('SIGKILL');
    const known = await status();
    await worker.restart();
    return known;
  };

  test('a scrub goes on from the place that it told last, and counts each object once', async () => {
    const { scrub } = site.penstock.erasure;
    await scrub.start({ anew: true, bytesPerSecond: '1500kB/s', segmentSeconds: 600 });
    await eventually('some objects to be read', async () => ((await scrub.status()).progress?.objects ?? 0) > 4 || undefined);
    const { running, progress: told } = await strike(scrub.status);
    assert.ok(told && running && told.objects < contents.size, 'it was over before the strike');
    const next = await eventually('the next attempt to read on', async () => {
      const { progress } = await scrub.status();
      return progress && progress.updatedAt > told.updatedAt ? progress : undefined;
    });
    assert.ok(next.objects > told.objects, `${next.objects} objects after ${told.objects}`);
    await scrub.setRate({ bytesPerSecond: null });
    const over = await eventually('the scrub to be over', async () => {
      const status = await scrub.status();
      return status.running ? undefined : status.progress;
    });
    assert.deepEqual([over.scrubId, over.state, over.objects, over.byMargin], [told.scrubId, 'complete', contents.size, { '4': contents.size }]);
  });

  test('a repair does what is left, and leaves nothing due and no object without its shards', async () => {
    const lost = 'r05';
    const { bucket = '' } = site.running.site.erasureSet.racks.find(({ id }) => id === lost) ?? {};
    const path = join(site.directory, 's3', 'racks', bucket);
    await rename(path, `${path}.lost`);
    const { repair } = site.penstock.erasure;
    await repair.start({ racks: [lost], lanes: 1, bytesPerSecond: '1MB/s' });
    await eventually('some objects to be repaired', async () => {
      const { counts } = await repair.status();
      return counts.repairedObjects > 0 || undefined;
    });
    assert.equal((await strike(repair.status)).running, true, 'it was over before the strike');
    await repair.setRate({ bytesPerSecond: null });
    await eventually('the repair to be over', async () => !(await repair.status()).running || undefined);
    for (const prefix of [REPAIR_QUEUE, REPAIR_LATER]) assert.deepEqual((await site.stores.warm.list(SYSTEM_BUCKET, prefix)).entries, []);
    const racks = site.stores.shardRacks.filter(({ id }) => id !== lost);
    for (const [key, data] of contents) {
      const { ok, margin, manifestCopies } = await verifyErasureObject({ racks, key });
      assert.deepEqual([key, ok, margin, manifestCopies], [key, true, 4, 5]);
      assert.ok((await read(racks, key)).equals(data), key);
    }
  });
});
