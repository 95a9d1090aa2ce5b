/** A segment of a scrub inside and outside the hours that the site file names, over racks in memory. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { createScrubActivities, type OpenedScrub } from '../../../activities/scrub.ts';
import { newScrub, SCRUB_PROGRESS_KEY, type ScrubProgress, ScrubProgressSchema } from '../../../model/scrub.ts';
import { runActivity } from '../../support/run-activity.ts';
import { type MemoryRack, memorySite, noise, write } from '../datapath/erasure/support.ts';
import { recordsInMemory } from './records-in-memory.ts';

const SEGMENT_SECONDS = 3600;
const begun = newScrub('id', '2026-11-21T08:00:00.000Z', undefined);

describe('a segment of a scrub', () => {
  let racks: MemoryRack[];
  let records: Map<string, Buffer>;
  let activities: ReturnType<typeof createScrubActivities>;
  const recorded = (): ScrubProgress => ScrubProgressSchema.parse(JSON.parse(records.get(SCRUB_PROGRESS_KEY)?.toString() ?? ''));
  const segment = (progress: ScrubProgress): Promise<ScrubProgress> => runActivity(activities.scrubSegment, { progress, seconds: SEGMENT_SECONDS });
  beforeEach(async () => {
    racks = memorySite();
    for (const key of ['a', 'b', 'c']) await write(racks, key, noise(5_000, 1));
    const { objects, stores } = await recordsInMemory();
    records = objects;
    const policies = { ...stores.site.policies, scrubHours: { from: '22:00', to: '06:00', timeZone: 'UTC' } };
    activities = createScrubActivities({ ...stores, site: { ...stores.site, policies }, shardRacks: racks });
  });

  it('reads nothing outside its hours, keeps its place and says on record when they begin', async (context) => {
    context.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-21T12:00:00Z') });
    for (const rack of racks) for (const method of ['readInto', 'shardBytes', 'freeBytes'] as const) rack.faults.set(method, 'fail');
    const progress = await segment({ ...begun, after: 'a', objects: 1 });
    assert.deepEqual(progress, { ...begun, after: 'a', objects: 1, opensAt: '2026-11-21T22:00:00.000Z' });
    assert.deepEqual(recorded(), progress);
  });

  it('reads on from its place when they have begun, and waits for nothing any more', async (context) => {
    context.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-21T22:00:00Z') });
    const progress = await segment({ ...begun, after: 'a', objects: 1, opensAt: '2026-11-21T22:00:00.000Z' });
    assert.deepEqual([progress.state, progress.objects, progress.opensAt], ['complete', 3, undefined]);
    assert.equal(recorded().opensAt, undefined);
  });

  it('ends with the four objects that are under way when they end, also where it might go on for longer', async (context) => {
    for (const key of ['d', 'e', 'f']) await write(racks, key, noise(5_000, 1));
    const closes = Date.parse('2026-11-22T06:00:00Z');
    context.mock.timers.enable({ apis: ['Date'], now: closes - 1_000 });
    let manifests = 0;
    for (const rack of racks) {
      const { readInto } = rack;
      rack.readInto = async (...parameters) => {
        if (++manifests === 1) context.mock.timers.setTime(closes);
        return await readInto(...parameters);
      };
    }
    const first = await segment(begun);
    assert.deepEqual([first.state, first.objects, first.after], ['reading', 4, 'd']);
    const waits = await segment(first);
    assert.deepEqual([waits.after, waits.opensAt], ['d', '2026-11-22T22:00:00.000Z']);
  });

  it('is asked anew where a scrub that waited is started again, for the hours may be others', async () => {
    records.set(SCRUB_PROGRESS_KEY, Buffer.from(JSON.stringify({ ...begun, after: 'a', opensAt: '2026-11-21T22:00:00.000Z' })));
    const { progress }: OpenedScrub = await runActivity(activities.openScrub, { anew: false });
    assert.deepEqual([progress.after, progress.opensAt], ['a', undefined]);
  });
});
