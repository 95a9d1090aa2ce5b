/** What was not seen at first and is read again is counted as if it had been read then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newScrub, type ScrubFinding, type ScrubProgress, unseenObjects, withObject, withObjectAgain } from '../../../model/scrub.ts';

const STARTED = '2026-11-21T08:00:00.000Z';
const seen = fc
  .record({ margin: fc.integer({ min: -3, max: 4 }), unseenShards: fc.nat(2), isSound: fc.boolean() })
  .map(({ margin, unseenShards, isSound }) => ({ margin, unseenShards, problems: isSound && unseenShards === 0 ? [] : ['something'] }));
const objects = fc.uniqueArray(
  fc.record({ key: fc.stringMatching(/^[a-c]{1,3}$/), first: seen, now: seen }).map(({ key, first, now }) => ({
    first: { key, storedBytes: 10, ...first },
    now: { key, storedBytes: 10, ...now },
  })),
  { selector: ({ first }) => first.key },
);
const read = (findings: readonly ScrubFinding[]): ScrubProgress => findings.reduce(withObject, newScrub('id', STARTED, undefined));
const counts = ({ objects: whole, storedBytes, byMargin, byClass, unseenByMargin, damagedObjects }: ScrubProgress) => ({
  ...{ whole, storedBytes, byMargin, byClass, unseenByMargin, damagedObjects },
});

test('an object that is read again is counted once, as it is now', () => {
  fc.assert(
    fc.property(objects, (all) => {
      const again = all.filter(({ first }) => first.unseenShards > 0);
      const before = read(all.map(({ first }) => first));
      assert.equal(unseenObjects(before), again.length);
      const over = again.reduce((progress, { first, now }) => withObjectAgain(progress, unseen(first), now), before);
      assert.deepEqual(counts(over), counts(read(all.map(({ first, now }) => (first.unseenShards > 0 ? now : first)))));
    }),
  );
});

test('one that is gone by then is not counted', () => {
  fc.assert(
    fc.property(objects, (all) => {
      const again = all.filter(({ first }) => first.unseenShards > 0);
      const over = again.reduce((progress, { first }) => withObjectAgain(progress, unseen(first), undefined), read(all.map(({ first }) => first)));
      assert.deepEqual([over.objects, unseenObjects(over)], [all.length - again.length, 0]);
      assert.equal(
        Object.values(over.byMargin).reduce((sum, each) => sum + each, 0),
        over.objects,
      );
    }),
  );
});

const unseen = ({ key, margin, problems }: ScrubFinding) => ({ scrubId: 'id', key, margin, isDamaged: problems.length > 0, racks: [] });
