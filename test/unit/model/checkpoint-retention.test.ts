import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type DrainedCheckpoint, keptAsNumber, newestFirst, planRetention, refusedTerms, retentionEndsAt } from '../../../model/checkpoint-retention.ts';
import { CommitPathSchema } from '../../../model/commit-path.ts';

const DAY_MS = 86_400_000;
const ENDED_AT = '2026-11-22T00:00:00.000Z';
const BEGUN_MS = Date.parse(ENDED_AT) - 30 * DAY_MS;

/** Most of them may go, else little would be tried. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 6 }, { arbitrary, weight: 1 });
const checkpoint = fc.record({
  atMinutes: fc.nat(40_000),
  isWhole: fc.oneof({ arbitrary: fc.constant(true), weight: 3 }, { arbitrary: fc.constant(false), weight: 1 }),
  keep: rarely(fc.constant('named to be kept')),
  hold: rarely(fc.constantFrom({ onLegalHold: true }, { onLegalHold: false, until: '2027-01-01T00:00:00.000Z' })),
});
/** Ids by number; each its own, while several may have been committed at one instant. */
const checkpoints: fc.Arbitrary<DrainedCheckpoint[]> = fc.array(checkpoint, { maxLength: 40 }).map((all) =>
  all.map(({ atMinutes, ...facts }, index) => ({
    checkpointId: `step-${index}`,
    committedAt: new Date(BEGUN_MS + atMinutes * 60_000).toISOString(),
    bytes: 1,
    ...facts,
  })),
);
const policy = fc.record({ keepLast: fc.integer({ min: 1, max: 6 }), keepDays: fc.double({ min: 0.01, max: 100, noNaN: true }) });

const idsOf = (planned: readonly { checkpointId: string }[]): string[] => planned.map(({ checkpointId }) => checkpointId);

describe('the retention of drained checkpoints', () => {
  it('always keeps the newest, and so many newer whole ones of each that goes', () => {
    fc.assert(
      fc.property(checkpoints, policy, (all, terms) => {
        const planned = planRetention(all, terms, ENDED_AT);
        assert.deepEqual(idsOf(planned), idsOf(newestFirst(all)));
        assert.ok(planned[0] === undefined || planned[0].disposition.kind === 'stays');
        for (const [newer, each] of planned.entries()) {
          if (each.disposition.kind !== 'goes') continue;
          const wholeNewer = planned.slice(0, newer).filter(({ isWhole, disposition }) => isWhole && disposition.kind !== 'goes');
          assert.ok(wholeNewer.length >= terms.keepLast, each.checkpointId);
        }
      }),
    );
  });

  it('never leaves fewer than keepLast whole ones while there are so many, nor takes the only one', () => {
    fc.assert(
      fc.property(checkpoints, policy, (all, terms) => {
        const whole = planRetention(all, terms, ENDED_AT).filter(({ isWhole }) => isWhole);
        const left = whole.filter(({ disposition }) => disposition.kind !== 'goes');
        assert.ok(left.length >= Math.min(terms.keepLast, whole.length));
      }),
    );
  });

  it('never lets go of what is named, one of every so many, or held by the store; lets go of everything else', () => {
    fc.assert(
      fc.property(checkpoints, policy, (all, terms) => {
        let wholeNewer = 0;
        for (const { keep, hold, isWhole, disposition } of planRetention(all, terms, ENDED_AT)) {
          const mayGo = wholeNewer >= terms.keepLast && keep === undefined && hold === undefined;
          assert.equal(disposition.kind === 'goes', mayGo, disposition.why);
          if (isWhole) wholeNewer += 1;
        }
      }),
    );
  });

  it('says the same of those that are left, whichever of those that go have gone', () => {
    fc.assert(
      fc.property(checkpoints, policy, fc.infiniteStream(fc.boolean()), (all, terms, gone) => {
        const before = planRetention(all, terms, ENDED_AT);
        const left = before.filter(({ disposition }) => disposition.kind !== 'goes' || !gone.next().value);
        const after = planRetention(left, terms, ENDED_AT);
        assert.deepEqual(
          after.map(({ disposition }) => disposition.kind),
          left.map(({ disposition }) => disposition.kind),
        );
      }),
    );
  });

  it('lets none go before keepDays are over, and names no day while the allocation runs', () => {
    fc.assert(
      fc.property(checkpoints, policy, (all, terms) => {
        const due = retentionEndsAt(ENDED_AT, terms);
        assert.ok(Math.abs(Date.parse(due) - Date.parse(ENDED_AT) - terms.keepDays * DAY_MS) <= 1);
        for (const { disposition } of planRetention(all, terms, ENDED_AT)) assert.ok(disposition.kind !== 'goes' || disposition.at === due);
        for (const { disposition } of planRetention(all, terms)) assert.ok(disposition.kind !== 'goes' || disposition.at === undefined);
      }),
    );
  });

  it('marks every keepEvery-th commit, none where nothing is said; keeps two and seven days by default', () => {
    const marked = (keepEvery?: number) => [1, 2, 3, 4, 5, 6].filter((number) => keptAsNumber(number, { keepEvery }) !== undefined);
    assert.deepEqual([marked(3), marked(2), marked()], [[3, 6], [2, 4, 6], []]);
    assert.partialDeepStrictEqual(CommitPathSchema.parse({}), { keepLast: 2, keepDays: 7, supersede: 'never' });
  });

  it('lets an allocation ask for its own within what the site allows, and refuses the rest with what would be accepted', () => {
    const site = CommitPathSchema.parse({ overrides: { keepLast: [1, 10], keepDays: [0.5, 30] } });
    assert.deepEqual(refusedTerms({}, site), []);
    assert.deepEqual(refusedTerms({ keepLast: 10, keepDays: 0.5 }, site), []);
    assert.deepEqual(
      refusedTerms({ keepLast: 11, keepEvery: 5, keepDays: 0.25 }, site).map(({ path, found, expected }) => `${path}: found ${found}; accepted: ${expected}`),
      [
        'checkpoints.keepLast: found 11; accepted: from 1 to 10 (checkpoints.overrides of the site file)',
        "checkpoints.keepEvery: found 5; accepted: none of its own: the site's holds (checkpoints.overrides of the site file)",
        'checkpoints.keepDays: found 0.25; accepted: from 0.5 to 30 (checkpoints.overrides of the site file)',
      ],
    );
    assert.equal(refusedTerms({ keepLast: 1 }, CommitPathSchema.parse({})).length, 1, 'none where the site says nothing');
    assert.equal(CommitPathSchema.safeParse({ overrides: { keepLast: [5, 4] } }).success, false);
  });
});
