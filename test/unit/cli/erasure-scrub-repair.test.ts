import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overviewText } from '../../../cli/views/erasure.ts';
import type { ErasureCalls } from '../../../client/erasure.ts';
import { noRepairs, noTime, type RepairStatus } from '../../../model/repair.ts';
import { newScrub, type ScrubStatus, withObject } from '../../../model/scrub.ts';
import { penstock, recorder, unpreparedErasure } from './support.ts';

const STARTED = '2026-11-21T08:00:00.000Z';
const erasure = (more: { scrub?: Partial<ErasureCalls['scrub']>; repair?: Partial<ErasureCalls['repair']> }) => ({
  penstock: { erasure: { scrub: { ...unpreparedErasure, ...more.scrub }, repair: { ...unpreparedErasure, ...more.repair } } },
});

const scrub: ScrubStatus = {
  progress: withObject(
    { ...newScrub('id', STARTED, undefined), previous: { endedAt: STARTED, objects: 10, storedBytes: 4_000_000, byClass: {}, unseenByMargin: {} } },
    { key: 'a\x1b[31m', storedBytes: 1_000_000, margin: 3, problems: ['shard 3 on r07 is rotten'] },
  ),
  running: true,
  paused: false,
  bytesPerSecond: 200_000_000,
};
const repair: RepairStatus = {
  state: 'listing',
  running: true,
  paused: false,
  bytesPerSecond: null,
  startedAt: STARTED,
  counts: { ...noRepairs, repairedObjects: 2, rebuiltShards: 3, rebuiltBytes: 1_500_000 },
  due: { objects: 7, storedBytes: 7_000_000, isMore: false },
  laterObjects: 1,
  listings: [{ rack: 'r07', listedObjects: 40, concernedObjects: 36 }],
  activeTime: noTime,
};

test('scrub start sends what the line says, and says whether it attached', async () => {
  const { ask, asked } = recorder({ workflowId: 'scrub', attached: false });
  const ran = await penstock(['erasure', 'scrub', 'start', '--anew', '--rate', '500MB/s', '-o', 'json'], erasure({ scrub: { start: ask } }));
  assert.equal(ran.code, 0, ran.stderr);
  assert.partialDeepStrictEqual(asked.at(-1), { anew: true, bytesPerSecond: 500_000_000 });
  assert.deepEqual(JSON.parse(ran.stdout), { workflowId: 'scrub', attached: false });
});

test('scrub status shows share, place, margins and what was found, made harmless', async () => {
  const { stdout } = await penstock(['erasure', 'scrub', 'status'], erasure({ scrub: { status: () => Promise.resolve(scrub) } }));
  assert.match(stdout, /under way/);
  assert.match(stdout, /1 objects, 1\.0 MB of shards, about 25 %/);
  assert.match(stdout, /200 MB\/s/);
  assert.match(stdout, /3 +1/);
  assert.match(stdout, /\\u001b\[31m: shard 3 on r07 is rotten/);
});

test('a scrub outside its hours says when its window opens, in its own status and in that of the erasure set', async () => {
  const progress = { ...newScrub('id', STARTED, undefined), opensAt: '2026-11-21T22:00:00.000Z' };
  const waits = /window +waits for its window, opens at 2026-11-21T22:00:00\.000Z/;
  const of = async (running: boolean) =>
    (await penstock(['erasure', 'scrub', 'status'], erasure({ scrub: { status: () => Promise.resolve({ ...scrub, progress, running }) } }))).stdout;
  assert.match(await of(true), waits);
  assert.doesNotMatch(await of(false), /window/, 'a stopped one waits for nothing');

  const overview = { racks: [], scrub: progress, repairsDue: repair.due, repairsPutOff: 0 };
  assert.match(overviewText(overview, undefined, new Date('2026-11-21T21:59:59Z')), waits);
  assert.doesNotMatch(overviewText(overview, undefined, new Date('2026-11-21T22:00:00Z')), /window/, 'it is open');
});

test('pause, resume, rate and stop ask for that and nothing else', async () => {
  for (const name of ['pause', 'resume', 'stop'] as const) {
    const { ask, asked } = recorder(scrub);
    assert.equal((await penstock(['erasure', 'scrub', name], erasure({ scrub: { [name]: ask } }))).code, 0);
    assert.equal(asked.length, 1);
  }
  const { ask, asked } = recorder({ bytesPerSecond: null });
  assert.equal((await penstock(['erasure', 'repair', 'rate', 'none'], erasure({ repair: { setRate: ask } }))).code, 0);
  assert.deepEqual(asked, [{ bytesPerSecond: null }]);
});

test('repair start takes racks, also of those that are gone from the site file, and says so', async () => {
  const { ask, asked } = recorder(repair);
  const ran = await penstock(
    ['erasure', 'repair', 'start', '--rack', 'r07', '--rack', 'r08', '--lanes', '8', '--claim', 'acme/'],
    erasure({ repair: { start: ask } }),
  );
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(asked.at(-1), { racks: ['r07', 'r08'], claim: 'acme/', lanes: 8 });
  assert.match(ran.stdout, /7 objects, 7\.0 MB of shards/);
  assert.match(ran.stdout, /r07: 36 of 40 objects had a shard there/);
  const gone = await penstock(['erasure', 'repair', 'start', '--rack', 'r99'], erasure({ repair: { start: ask } }));
  assert.equal(gone.code, 0, gone.stderr);
  assert.deepEqual(asked.at(-1), { racks: ['r99'] }, 'lanes and limit stay as they are');
  assert.match(gone.stderr, /not in the site file: r99; .*r01, r02/);
});

test('repair start takes a limit, and none', async () => {
  const { ask, asked } = recorder(repair);
  for (const rate of ['500MB/s', 'none'])
    assert.equal((await penstock(['erasure', 'repair', 'start', '--rate', rate], erasure({ repair: { start: ask } }))).code, 0);
  assert.deepEqual(asked, [
    { racks: [], bytesPerSecond: 500_000_000 },
    { racks: [], bytesPerSecond: null },
  ]);
});

test('a repair that has just begun does not say that nothing is due, and one that is held up says by what and until when', async () => {
  const shown = async (status: RepairStatus) =>
    (await penstock(['erasure', 'repair', 'status'], erasure({ repair: { status: () => Promise.resolve(status) } }))).stdout;
  const nothingYet = { objects: 0, storedBytes: 0, isMore: false };
  const planning = await shown({ ...repair, state: 'planning', due: nothingYet, listings: [] });
  assert.match(planning, /repair +planning/);
  assert.match(planning, /due +being counted/);
  assert.doesNotMatch(planning, /limit/, "the site's policy is not known yet");
  assert.match(await shown({ ...repair, due: nothingYet }), /repair +listing,.*\ndue +none so far\n/);
  assert.match(await shown({ ...repair, due: nothingYet, listings: [] }), /repair +making manifests anew,/);
  const heldUp = { what: 'listing a rack', attempt: 3, problem: 'r02 does not answer\u001b[31m' };
  const waiting = await shown({ ...repair, heldUp: [{ ...heldUp, nextTryAt: '2026-11-21T08:01:00.000Z' }] });
  assert.match(waiting, /held up +listing a rack: r02 does not answer\\u001b\[31m \(attempt 3 begins at 2026-11-21T08:01:00\.000Z\)/);
  assert.match(await shown({ ...repair, heldUp: [heldUp] }), /\(attempt 3 is under way\)/);
  assert.match(await shown({ ...repair, due: { objects: 1, storedBytes: 1000, isMore: false } }), /due +1 object, 1\.0 kB of shards/);
});

test('margins are shown for each class of objects that there is', async () => {
  const progress = ['acme/vision/a1/checkpoints/s1/model.bin', 'acme/vision/a1/checkpoints/s1/penstock-commit.json', 'zz'].reduce(
    (before, key) => withObject(before, { key, storedBytes: 1, margin: key === 'zz' ? 2 : 4, problems: [] }),
    newScrub('id', STARTED, undefined),
  );
  const { stdout } = await penstock(['erasure', 'scrub', 'status'], erasure({ scrub: { status: () => Promise.resolve({ ...scrub, progress }) } }));
  assert.match(stdout, /may still be lost +objects +checkpoint files +records +others/i);
  assert.match(stdout, /2 +1 +0 +0 +1/);
  assert.match(stdout, /4 +2 +1 +1 +0/);
});

test('a dry run of a repair needs a rack, for what is due is on record', async () => {
  const ran = await penstock(['erasure', 'repair', 'start', '--dry-run'], erasure({}));
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /--dry-run needs --rack/);
});
