/** What scrub and repair say of their progress: the time that is left, when they try again, and objects by class and margin. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkpointPrefix } from '../../../model/checkpoint.ts';
import { packName } from '../../../model/drained-record.ts';
import { objectClassOf } from '../../../model/object-class.ts';
import { activeMilliseconds, isFurther, noRepairs, noTime, repairEta, timeFrom, waitSeconds } from '../../../model/repair.ts';
import { marginsToMeasure, newScrub, ScrubProgressSchema, withObject } from '../../../model/scrub.ts';

const NOW = '2026-11-21T08:00:00.000Z';

test('the time left of a repair follows from the time in which it repaired, not from that in which it waited', () => {
  const busy = timeFrom(noTime, 1_000, true);
  const waiting = timeFrom(busy, 11_000, false);
  const later = 10 * 86_400_000;
  assert.equal(activeMilliseconds(waiting, later), 10_000);
  const again = timeFrom(waiting, later, true);
  assert.equal(activeMilliseconds(again, later + 5_000), 15_000);
  assert.equal(activeMilliseconds(timeFrom(again, later + 5_000, true), later + 6_000), 16_000, 'told twice, it is counted once');
  const due = { objects: 1, storedBytes: 1e9, isMore: false };
  assert.equal(repairEta({ doneBytes: 1e9 }, due, activeMilliseconds(waiting, later) / 1000), 10);
  assert.equal(repairEta({ doneBytes: 1e9 }, { ...due, isMore: true }, 10), undefined, 'more is due than was counted');
  assert.equal(repairEta({ doneBytes: 0 }, due, 10), undefined);
  assert.equal(repairEta({ doneBytes: 0 }, { objects: 0, storedBytes: 0, isMore: false }, 0), 0);
});

test('what is tried in vain waits twice as long each time, up to an hour', () => {
  assert.deepEqual([0, 1, 2, 5, 6, 7, 5_000].map(waitSeconds), [60, 120, 240, 1920, 3600, 3600, 3600]);
  assert.equal(isFurther(noRepairs, { ...noRepairs, postponedObjects: 7, doneBytes: 5 }), false);
  for (const field of ['repairedObjects', 'soundObjects', 'claimedObjects'] as const) assert.ok(isFurther(noRepairs, { ...noRepairs, [field]: 1 }), field);
});

test('the class of an object is what its key says', () => {
  const prefix = checkpointPrefix({ tenant: 'acme', project: 'vision', allocationId: 'a1', checkpointId: 's1' });
  assert.equal(objectClassOf(`${prefix}deep/model.bin`), 'checkpoint-file');
  assert.equal(objectClassOf(`${prefix}${packName('ab')}`), 'pack');
  assert.equal(objectClassOf(`${prefix}penstock-commit.json`), 'record');
  assert.equal(objectClassOf(`${prefix}deep/penstock-commit.json`), 'checkpoint-file');
  for (const key of ['a', prefix, 'acme/vision/a1/checkpoints/s1', 'acme/vision/a1/outputs/s1/penstock-commit.json'])
    assert.equal(objectClassOf(key), 'other', key);
});

test('every class and margin is measured, from the last scrub that was complete', () => {
  const object = { storedBytes: 1, problems: [] };
  const reading = withObject(newScrub('one', NOW, undefined), { ...object, key: 'zz', margin: -14 });
  assert.deepEqual(marginsToMeasure(reading), [], 'counts of a part are nothing to measure');
  const complete = { ...reading, state: 'complete' as const };
  const measured = marginsToMeasure(complete);
  assert.equal(measured.length, 4 * 19);
  assert.deepEqual(
    measured.filter(({ objects }) => objects > 0),
    [{ objectClass: 'other', margin: -14, objects: 1 }],
  );
  const next = withObject(newScrub('two', NOW, complete), { ...object, key: 'zz', margin: 4 });
  assert.deepEqual(marginsToMeasure(next), measured, 'until the next one is complete');
  assert.deepEqual(
    marginsToMeasure({ ...next, state: 'complete' }).filter(({ objects }) => objects > 0),
    [{ objectClass: 'other', margin: 4, objects: 1 }],
  );
});

test('a record of before there were classes is still read', () => {
  const { byClass: _, ...before } = newScrub('old', NOW, undefined);
  assert.deepEqual(ScrubProgressSchema.parse(before).byClass, {});
});
