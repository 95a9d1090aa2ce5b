/** What a client makes of a repair's heartbeats: units under way count, and what holds them up is told. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { withActivities } from '../../../client/live-repair.ts';
import { noRepairs, type RepairStatus } from '../../../model/repair.ts';

const NOW = Date.parse('2026-11-21T08:00:00.000Z');
const status: RepairStatus = {
  state: 'repairing',
  running: true,
  paused: false,
  bytesPerSecond: null,
  startedAt: '2026-11-21T07:00:00.000Z',
  counts: noRepairs,
  due: { objects: 62, storedBytes: 62_000, isMore: false },
  laterObjects: 0,
  listings: [],
  activeTime: { milliseconds: 0, since: NOW - 54_000 },
};
const told = { ...noRepairs, repairedObjects: 25, soundObjects: 1, postponedObjects: 1, rebuiltShards: 25, doneBytes: 27_000 };

it('counts what units under way have done, and takes it off what is due: the time left follows', () => {
  const live = withActivities(status, [{ type: 'repairUnit', told }, { type: 'repairUnit' }], NOW);
  assert.deepEqual(live.due, { objects: 35, storedBytes: 35_000, isMore: false });
  assert.deepEqual([live.counts.repairedObjects, live.laterObjects, live.etaSeconds], [25, 1, 70]);
});

it('knows no end before anything is done, or while a rack is listed', () => {
  assert.equal(withActivities({ ...status, etaSeconds: 5 }, [{ type: 'repairUnit' }], NOW).etaSeconds, undefined);
  assert.equal(withActivities({ ...status, state: 'listing' }, [{ type: 'repairUnit', told }], NOW).etaSeconds, undefined);
});

it('tells how far a listing is, and what holds it up', () => {
  const listings = ['r07', 'r08'].map((rack) => ({ rack, listedObjects: 10, concernedObjects: 9 }));
  const further = { rack: 'r08', after: 'k', listedObjects: 40, concernedObjects: 36 };
  const heldUp = { what: 'listing a rack', attempt: 3, problem: 'r02 does not answer' };
  const live = withActivities({ ...status, state: 'listing', listings }, [{ type: 'listLostRack', told: further, heldUp }], NOW);
  assert.deepEqual([live.listings, live.heldUp], [[listings[0], further], [heldUp]]);
});
