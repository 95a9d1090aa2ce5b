import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planCheck } from '../../../model/check.ts';
import { LARGE_BYTES, MAX_UNITS, type PlannedPage, partsOfShare, planUnits } from '../../../model/transfer-plan.ts';

/** Some pages of small entries only, some with large ones among them. */
const pages = fc.array(
  fc.record({
    small: fc.integer({ min: 1, max: 10_000 }),
    smallBytes: fc.integer({ min: 0, max: 1e14 }),
    large: fc.array(fc.integer({ min: LARGE_BYTES, max: 5e12 }), { maxLength: 5 }),
  }),
  { maxLength: 300 },
);
const toPages = (drawn: { small: number; smallBytes: number; large: number[] }[]): PlannedPage[] =>
  drawn.map(({ small, smallBytes, large }) => ({
    files: small + large.length,
    bytes: smallBytes + large.reduce((sum, bytes) => sum + bytes, 0),
    ...(large.length > 0 ? { large: large.map((bytes, index) => ({ index: index * 2, bytes })) } : {}),
  }));

describe('a plan', () => {
  it('has every page in exactly one unit, in order', () => {
    fc.assert(
      fc.property(pages, (drawn) => {
        const units = planUnits({ pages: toPages(drawn) }).filter((unit) => unit.kind === 'pages');
        const covered = units.flatMap(({ fromPage, toPage }) => Array.from({ length: toPage - fromPage }, (_, index) => fromPage + index));
        assert.deepEqual(covered, [...drawn.keys()]);
        assert.ok(units.every(({ fromPage, toPage }) => toPage > fromPage));
      }),
    );
  });

  it('has every part of each large entry in exactly one share, however its target cuts it', () => {
    fc.assert(
      fc.property(pages, fc.integer({ min: 1, max: 10_000 }), (drawn, parts) => {
        const planned = toPages(drawn);
        const shares = planUnits({ pages: planned }).filter((unit) => unit.kind === 'share');
        const large = planned.flatMap((page, number) => (page.large ?? []).map(({ index }) => `${number}/${index}`));
        assert.deepEqual([...new Set(shares.map(({ page, index }) => `${page}/${index}`))], large);
        for (const [, own] of Map.groupBy(shares, ({ page, index }) => `${page}/${index}`)) {
          let next = 0;
          for (const { share, shares: count } of own) {
            const { from, to } = partsOfShare(parts, share, count);
            assert.equal(from, next);
            next = to;
          }
          assert.equal(next, parts);
        }
      }),
    );
  });

  it('has a bounded number of units, whatever there is to move', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 1e15 }), fc.boolean(), (count, bytesEach, isLarge) => {
        const page: PlannedPage = isLarge
          ? { files: 3, bytes: 2 * LARGE_BYTES, large: [0, 1].map((index) => ({ index, bytes: LARGE_BYTES })) }
          : { files: 10_000, bytes: bytesEach };
        const units = planUnits({ pages: Array.from({ length: count }, () => page) });
        // A large entry is a unit at least.
        const limit = MAX_UNITS + (isLarge ? 2 * count + MAX_UNITS : 0);
        assert.ok(units.length <= limit, `${units.length} units`);
      }),
      { numRuns: 30 },
    );
  });

  it('of small data is one unit, so that a small lifecycle is one activity', () => {
    assert.deepEqual(planUnits({ pages: [{ files: 10_000, bytes: 1e9 }] }), [{ kind: 'pages', fromPage: 0, toPage: 1 }]);
    assert.deepEqual(planUnits({ pages: [] }), []);
  });
});

describe('a plan of a check', () => {
  it('has every page in exactly one part, and a bounded number of parts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200_000 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (count, bytes) => {
        const parts = planCheck({ pages: count, bytes });
        let next = 0;
        for (const { fromPage, toPage } of parts) {
          assert.equal(fromPage, next);
          assert.ok(toPage > fromPage);
          next = toPage;
        }
        assert.equal(next, count);
        assert.ok(parts.length <= 1024, `${parts.length} parts`);
      }),
    );
  });

  it('of an empty manifest still has a part, for the target may hold something', () => {
    assert.deepEqual(planCheck({ pages: 0, bytes: 0 }), [{ fromPage: 0, toPage: 0 }]);
  });
});
