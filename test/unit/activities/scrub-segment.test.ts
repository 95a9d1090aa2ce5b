/** What a segment of a scrub puts on record, over racks in memory: what it did not see, what is too young to be claimed, and the time in which it read. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { lossOf } from '../../../activities/give-up.ts';
import { givenUpObjects, recordGivenUp } from '../../../activities/given-up.ts';
import { createRepairActivities } from '../../../activities/repair.ts';
import { createScrubActivities } from '../../../activities/scrub.ts';
import { manifestsOf, shardPrefix } from '../../../datapath/erasure/layout.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { REPAIR_QUEUE, type RepairCounts } from '../../../model/repair.ts';
import { newScrub, SCRUB_LIMIT_KEY, SCRUB_PROGRESS_KEY, SCRUB_UNSEEN, type ScrubProgress, ScrubProgressSchema } from '../../../model/scrub.ts';
import { runActivity } from '../../support/run-activity.ts';
import { eventually } from '../../support/wait.ts';
import { failAll, type MemoryRack, memorySite, noise, write } from '../datapath/erasure/support.ts';
import { recordsInMemory } from './records-in-memory.ts';

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
    for (const key of ['a', 'b', 'c']) await write(racks, key, noise(5_000, 1));
    const inMemory = await recordsInMemory();
    records = inMemory.objects;
    stores = { ...inMemory.stores, shardRacks: racks };
  });

  it('names whole sets of shards that are too young to be claimed, as the claim does', async () => {
    removeManifests('b');
    const { lines, unclaimedCount, objects } = await segment(begun);
    assert.deepEqual([objects, unclaimedCount], [2, 1]);
    assert.match(lines[0] ?? '', /^b: its shards are there, its manifests are not.* not claimable before /);
    const claimed: RepairCounts = await runActivity(createRepairActivities(stores).claimObjects, { prefix: '' });
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

  it('passes over what was given up, and takes it back once it can be read again', async () => {
    const shards = racks.flatMap(({ objects }) =>
      [...objects].filter(([name]) => name.startsWith(shardPrefix('b'))).map(([name, body]) => ({ objects, name, body })),
    );
    const away = shards.slice(0, 5);
    for (const { objects, name } of away) objects.delete(name);
    await recordGivenUp(stores, { ...(await lossOf(stores, 'b')), givenUpAt: begun.startedAt, by: 'ada', reason: 'fire' });
    const passed = await segment(begun);
    assert.deepEqual([passed.byMargin, passed.damagedObjects, passed.lines], [{ '4': 2, '-1': 1 }, 0, []]);
    assert.deepEqual(
      [...records.keys()].filter((key) => key.startsWith(REPAIR_QUEUE)),
      [],
    );

    for (const { objects, name, body } of away) objects.set(name, body);
    const back = await segment(newScrub('next', begun.startedAt, undefined));
    assert.deepEqual([back.byMargin, back.damagedObjects, back.lines], [{ '4': 3 }, 0, ['b: it was given up, and can be read again']]);
    assert.equal((await givenUpObjects(stores)).objects, 0);
  });

  const withShardsOf = (key: string) => racks.filter(({ objects }) => [...objects.keys()].some((name) => name.startsWith(shardPrefix(key))));
  const unseenRecords = () => [...records.keys()].filter((key) => key.startsWith(SCRUB_UNSEEN)).length;
  /** Its reading, an object a segment, and what goes on behind it. */
  function scrubWithWakes() {
    const woken: string[] = [];
    const { scrubSegment } = createScrubActivities(stores, async () => void woken.push('woken'));
    const segmentOf = async (progress: ScrubProgress, seconds: number): Promise<ScrubProgress> =>
      ScrubProgressSchema.parse(await runActivity(scrubSegment, { progress, seconds }));
    return {
      woken,
      async read(): Promise<ScrubProgress> {
        let progress = begun;
        while (progress.state === 'reading') progress = await segmentOf(progress, 0);
        return progress;
      },
      rest: (progress: ScrubProgress) => segmentOf(progress, 3600),
    };
  }

  it('reads again at its end what was not seen whole, where the rack answers by then, and counts it once', async () => {
    const holders = ['a', 'b', 'c'].map(withShardsOf);
    const [back, away] = racks.filter((rack) => holders.every((each) => each.includes(rack)));
    assert.ok(back && away, 'two racks have shards of all three');
    for (const rack of [back, away]) failAll(rack);
    const { woken, read, rest } = scrubWithWakes();
    const progress = await read();
    assert.deepEqual([progress.state, progress.byMargin, progress.unseenByMargin, progress.damagedObjects], ['rereading', { '2': 3 }, { '2': 3 }, 3]);
    assert.deepEqual([woken.length, unseenRecords()], [3, 3]);

    back.faults.clear();
    removeManifests('c');
    const over = await rest(progress);
    assert.deepEqual([over.state, over.objects, over.byMargin, over.unseenByMargin, over.damagedObjects], ['complete', 2, { '3': 2 }, { '3': 2 }, 2]);
    assert.deepEqual([over.byClass, unseenRecords(), woken.length], [{ other: { '3': 2 } }, 0, 4]);
  });

  it('does not read again what lies on racks that are still silent', async () => {
    const [rack] = withShardsOf('b');
    assert.ok(rack);
    failAll(rack);
    const { read, rest } = scrubWithWakes();
    const progress = await read();
    assert.ok(unseenRecords() > 0);
    let reads = 0;
    for (const each of racks) {
      const { readInto } = each;
      each.readInto = (...request) => {
        reads++;
        return readInto(...request);
      };
    }
    const over = await rest(progress);
    assert.deepEqual([over.state, over.unseenByMargin, reads, unseenRecords()], ['complete', progress.unseenByMargin, 0, 0]);
  });
});
