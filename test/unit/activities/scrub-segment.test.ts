/** What a segment of a scrub puts on record, over racks in memory: what it did not see, what is too young to be claimed, and the time in which it read. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createRepairActivities } from '../../../activities/repair.ts';
import { createScrubActivities } from '../../../activities/scrub.ts';
import { manifestsOf } from '../../../datapath/erasure/layout.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { PenstockError } from '../../../model/errors.ts';
import type { RepairCounts } from '../../../model/repair.ts';
import { newScrub, SCRUB_LIMIT_KEY, SCRUB_PROGRESS_KEY, type ScrubProgress, ScrubProgressSchema } from '../../../model/scrub.ts';
import { eventually } from '../../support/wait.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';
import { type MemoryRack, memorySite, noise, write } from '../datapath/erasure/support.ts';

const begun = newScrub('id', '2026-11-21T08:00:00.000Z', undefined);

describe('a segment of a scrub', () => {
  let racks: MemoryRack[];
  let records: Map<string, Buffer>;
  let stores: Stores;
  const recorded = (): ScrubProgress => ScrubProgressSchema.parse(JSON.parse(records.get(SCRUB_PROGRESS_KEY)?.toString() ?? ''));
  const segment = (progress: ScrubProgress, environment = new MockActivityEnvironment({ attempt: 1 })): Promise<ScrubProgress> =>
    environment.run(createScrubActivities(stores).scrubSegment, { progress, seconds: 3600 });
  const removeManifests = (key: string): void => {
    for (const { objects } of racks) for (const name of [...objects.keys()]) if (name.startsWith(manifestsOf(key))) objects.delete(name);
  };
  beforeEach(async () => {
    racks = memorySite();
    records = new Map();
    for (const key of ['a', 'b', 'c']) await write(racks, key, noise(5_000, 1));
    const { stores: recording } = recordingStores(await loadSiteFile(siteFile));
    const warm: Stores['warm'] = {
      ...recording.warm,
      readBytes: async (_bucket, key) => records.get(key) ?? Promise.reject(new PenstockError('NotFound', key)),
      writeBytes: async (bucket, key, body, options) => {
        assert.ok(Buffer.isBuffer(body));
        records.set(key, body);
        return await recording.warm.writeBytes(bucket, key, body, options);
      },
    };
    stores = { ...recording, warm, shardRacks: racks };
  });

  it('names whole sets of shards that are too young to be claimed, as the claim does', async () => {
    removeManifests('b');
    const { lines, unclaimedCount, objects } = await segment(begun);
    assert.deepEqual([objects, unclaimedCount], [2, 1]);
    assert.match(lines[0] ?? '', /^b: its shards are there, its manifests are not.* not claimable before /);
    const claimed: RepairCounts = await new MockActivityEnvironment({ attempt: 1 }).run(createRepairActivities(stores).claimObjects, { prefix: '' });
    assert.deepEqual([claimed.claimedObjects, claimed.lines], [0, lines]);
    assert.deepEqual(recorded().lines, lines);
  });

  it('counts the time in which it reads, and none in which it is paused', async () => {
    records.set(SCRUB_LIMIT_KEY, Buffer.from(JSON.stringify({ bytesPerSecond: 0 })));
    const environment = new MockActivityEnvironment({ attempt: 1 });
    const beats: unknown[] = [];
    environment.on('heartbeat', (details: unknown) => beats.push(details));
    const known = { ...begun, activeMilliseconds: 5_000 };
    const startedAt = performance.now();
    const reading = segment(known, environment);
    await eventually('a heartbeat of the segment that is held up', async () => beats.find((beat) => beat !== undefined));
    assert.partialDeepStrictEqual(beats.at(-1), { objects: 0, activeMilliseconds: 5_000 }, 'its place is told before its first object');
    const heldUpMilliseconds = performance.now() - startedAt;
    records.delete(SCRUB_LIMIT_KEY);
    const { activeMilliseconds, objects } = await reading;
    assert.equal(objects, 3);
    assert.ok(activeMilliseconds > 5_000, `${activeMilliseconds} ms`);
    const afterwards = performance.now() - startedAt - heldUpMilliseconds;
    assert.ok(activeMilliseconds - 5_000 < afterwards, `${activeMilliseconds} ms of which 5000 were known, in ${afterwards} ms`);
  });

  it('goes on from what an earlier version carried', async () => {
    const { unseenByMargin: _, activeMilliseconds: __, ...earlier } = begun;
    await segment(earlier as ScrubProgress);
    assert.equal(recorded().objects, 3);
  });
});
