/** What `penstock erasure status` says of margins and of the scrub: only what is known, and as of when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ErasureOverview } from '../../../activities/erasure-overview.ts';
import { type KnownScrub, overviewText, scrubText } from '../../../cli/views/erasure.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { noRepairs, noTime, type RepairStatus } from '../../../model/repair.ts';
import { newScrub, type ScrubProgress, type ScrubStatus, withObject } from '../../../model/scrub.ts';
import { recordingStores } from './recording-stores.ts';
import { penstock, recorder, siteFile, unpreparedErasure } from './support.ts';

const STARTED = '2026-11-21T08:00:00.000Z';
const NOW = new Date('2026-11-21T09:00:00.000Z');
const object = { key: 'zz', storedBytes: 1_000_000, problems: [] };
const complete: ScrubProgress = {
  ...[4, 4, 3].reduce((before, margin) => withObject(before, { ...object, margin }), newScrub('one', '2026-11-01T00:00:00.000Z', undefined)),
  state: 'complete',
  updatedAt: '2026-11-20T00:00:00.000Z',
};
const next = newScrub('two', STARTED, complete);
const status = (progress: ScrubProgress | undefined, more: Partial<ScrubStatus> = {}): ScrubStatus => ({
  progress,
  running: true,
  paused: false,
  bytesPerSecond: null,
  ...more,
});
const overview = (scrub: ScrubProgress | undefined, more: Partial<ErasureOverview> = {}): ErasureOverview => ({
  racks: [],
  ...(scrub ? { scrub } : {}),
  repairsDue: { objects: 0, storedBytes: 0, isMore: false },
  repairsPutOff: 0,
  ...more,
});
const shown = (scrub: ScrubProgress | undefined, known?: KnownScrub, more: Partial<ErasureOverview> = {}): string =>
  overviewText(overview(scrub, more), undefined, NOW, known);

describe('the margins', () => {
  test('are those of the last complete scrub, with its date, while another one runs; that one is shown apart', () => {
    const begun = shown(next, status(next));
    assert.match(begun, /as of the scrub of 2026-11-20T00:00:00\.000Z, 3 objects:\n.*MAY STILL BE LOST.*\n *3 +1 +1\n *4 +2 +2\n/s);
    assert.doesNotMatch(begun, /no objects|so far/);
    const further = shown(next, status(withObject(next, { ...object, margin: 2 })));
    assert.match(further, /as of the scrub of 2026-11-20.*so far, by the scrub of 2026-11-21T08:00:00\.000Z, 1 objects:\n.*\n *2 +1 +1/s);
  });

  test('are not known before a scrub was complete', () => {
    const first = withObject(newScrub('one', STARTED, undefined), { ...object, margin: 4 });
    assert.match(shown(first, status(first)), /No scrub was complete yet.*\n\nso far, by the scrub of 2026-11-21T08:00:00\.000Z, 1 objects:/s);
  });

  test('may be less by so many racks as do not answer now', () => {
    const rack = (id: string, reachable: boolean) => ({ id, room: 'a', reachable });
    const racks = [rack('r01', true), rack('r02', false), rack('r03', false)];
    assert.match(shown(complete, null, { racks }), /2 racks do not answer now: subtract up to 2\./);
    assert.doesNotMatch(shown(complete, null, { racks: racks.slice(0, 1) }), /subtract/);
  });

  test('of objects that were not seen whole are told apart, also of the last complete scrub', () => {
    const unseen: ScrubProgress = { ...withObject(complete, { ...object, margin: 3, unseenShards: 1 }), state: 'complete' };
    for (const text of [shown(unseen), shown(newScrub('two', STARTED, unseen)), scrubText(status(unseen))]) {
      assert.match(text, /NOT ALL SEEN.*\n *3 +2 +2 +1\n *4 +2 +2 +0\n/s);
      assert.match(text, /1 objects have shards that were not seen, for their racks did not answer/);
    }
    assert.doesNotMatch(shown(complete), /not seen/i);
  });
});

test("a repair's limit is shown while it runs, be it a person's or the site's policy", () => {
  const repair: RepairStatus = {
    ...{ state: 'repairing', running: true, paused: false, bytesPerSecond: 200_000_000, startedAt: STARTED, counts: noRepairs },
    ...{ due: { objects: 1, storedBytes: 1, isMore: false }, laterObjects: 0, listings: [], activeTime: noTime },
  };
  const of = (known: RepairStatus) => overviewText(overview(complete), known, NOW);
  assert.match(of(repair), /repair limit +200 MB\/s/);
  for (const none of [
    { ...repair, bytesPerSecond: null },
    { ...repair, running: false },
  ])
    assert.doesNotMatch(of(none), /repair limit/);
});

describe('the scrub', () => {
  const rowOf = (text: string): string => /^scrub +(.*)$/m.exec(text)?.[1] ?? '';

  test('is said to run, be paused or be stopped as Temporal knows, and to have never run only where none does', () => {
    assert.equal(rowOf(shown(undefined, null)), 'never; penstock erasure scrub start');
    assert.equal(rowOf(shown(undefined, status(undefined))), 'begins');
    assert.match(rowOf(shown(next, status(next))), /^reading, 0 objects/);
    assert.match(rowOf(shown(next, status(next, { paused: true }))), /^paused, 0 objects/);
    assert.match(rowOf(shown(next, status(next, { running: false }))), /^stopped; .*scrub start goes on, 0 objects/);
    assert.match(rowOf(shown(next, null)), /^stopped/);
    assert.match(rowOf(shown(next)), /^reading, by the record, 0 objects/);
    assert.match(rowOf(shown(complete, status(complete, { running: false }))), /^complete, 3 objects/);
  });

  test('shows what its last heartbeat said, not the record, which is older', () => {
    assert.match(rowOf(shown(next, status(withObject(next, { ...object, margin: 4 })))), /^reading, 1 objects, 1\.0 MB of shards, about 33 %/);
  });

  test('says why it does not get on, and when it tries again', () => {
    const trouble = { message: 'too many racks are silent.', attempt: 7, nextAttemptAt: '2026-11-21T09:00:30.000Z' };
    for (const text of [shown(next, status(next, { trouble })), scrubText(status(next, { trouble }))])
      assert.match(text, /trouble +too many racks are silent\. Attempt 7 follows at 2026-11-21T09:00:30\.000Z\./);
  });

  test('takes as long as its pace while it read says, whatever the time since its start', () => {
    const half = { ...withObject(next, { ...object, storedBytes: 1_500_000, margin: 4 }), activeMilliseconds: 60_000, updatedAt: '2026-12-21T08:00:00.000Z' };
    assert.match(shown(half, status(half)), /about 1 min 0 s left of reading/);
    assert.doesNotMatch(shown({ ...half, activeMilliseconds: 0 }), /left/);
  });
});

test('scrub stop shows what is on record, where Temporal was not told of all that was read', async () => {
  const recorded: ScrubProgress = {
    ...[4, 4].reduce((before, margin) => withObject(before, { ...object, margin }), next),
    updatedAt: '2026-11-21T08:30:00.000Z',
  };
  const { stores } = recordingStores(await loadSiteFile(siteFile));
  const stopped = async (record: ScrubProgress) => {
    const warm = { ...stores.warm, readBytes: () => Promise.resolve(Buffer.from(JSON.stringify(record))) };
    const scrub = { ...unpreparedErasure, stop: () => Promise.resolve(status(next, { running: false })) };
    return (await penstock(['erasure', 'scrub', 'stop'], { stores: { ...stores, warm }, penstock: { erasure: { scrub, repair: unpreparedErasure } } })).stdout;
  };
  assert.match(await stopped(recorded), /scrub +stopped\nprogress +reading, 2 objects/);
  assert.match(await stopped({ ...recorded, scrubId: 'another' }), /progress +reading, 0 objects/);
});

test('scrub start --rate none asks for no limit', async () => {
  const { ask, asked } = recorder({ workflowId: 'scrub', attached: false });
  const ran = await penstock(['erasure', 'scrub', 'start', '--rate', 'none'], {
    penstock: { erasure: { scrub: { ...unpreparedErasure, start: ask }, repair: unpreparedErasure } },
  });
  assert.equal(ran.code, 0, ran.stderr);
  assert.partialDeepStrictEqual(asked.at(-1), { anew: false, bytesPerSecond: null });
});
