/** Until when something is kept: extension only, by whatever asks for the longest. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { archiveLock, coversLock, effectiveUntil, type Hold, holdClaim, isReadIn, refuseHold, strongerMode } from '../../../model/retention.ts';

const DAY_MS = 86_400_000;
const instants = fc.date({ min: new Date('2000-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }).map((date) => date.toISOString());
const modes = fc.constantFrom('COMPLIANCE' as const, 'GOVERNANCE' as const);
const claims = fc.record({
  law: fc.option(instants, { nil: undefined }),
  tenant: instants,
  hold: fc.option(instants, { nil: undefined }),
  promised: fc.option(instants, { nil: undefined }),
});

describe('the effective date', () => {
  it('is the latest of law, tenant, hold and promise, and one of them', () => {
    fc.assert(
      fc.property(claims, (each) => {
        const until = effectiveUntil(each);
        const asked = Object.values(each).filter((claim) => claim !== undefined);
        assert.ok(asked.includes(until));
        for (const claim of asked) assert.ok(Date.parse(until) >= Date.parse(claim));
      }),
    );
  });

  it('never moves back, whatever is claimed one after the other', () => {
    fc.assert(
      fc.property(fc.array(claims, { minLength: 1 }), (all) => {
        let promised: string | undefined;
        for (const each of all) {
          const next = effectiveUntil({ ...each, promised });
          assert.ok(promised === undefined || Date.parse(next) >= Date.parse(promised));
          assert.equal(effectiveUntil({ promised: next }), next);
          promised = next;
        }
      }),
    );
  });

  it('is asked for by somebody', () => {
    assert.throws(() => effectiveUntil({}), RangeError);
    assert.throws(() => effectiveUntil({ tenant: 'tomorrow' }), RangeError);
  });
});

describe('a standing hold', () => {
  it('asks for more than the time to the look after the next, by the clock that is furthest ahead: one that was set back shortens nothing', () => {
    fc.assert(
      fc.property(
        fc.array(instants, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 400 }),
        (clocks, holdDays, attestDays) => {
          const asked = Date.parse(holdClaim(clocks, { holdDays, attestDays }));
          for (const clock of clocks) {
            assert.ok(asked >= Date.parse(clock) + holdDays * DAY_MS);
            assert.ok(asked >= Date.parse(clock) + 2 * attestDays * DAY_MS);
          }
        },
      ),
    );
  });

  it('is one of at most 32 matters; placing one again changes nothing', () => {
    const hold = (matter: string): Hold => ({ matter, reason: 'r', actor: 'ada', since: '2026-01-01T00:00:00.000Z' });
    const full = Array.from({ length: 32 }, (_, index) => hold(`m${index}`));
    assert.match(refuseHold(full, hold('one-more')) ?? '', /at most 32/);
    assert.equal(refuseHold(full, hold('m3')), undefined);
    const [first = hold('m0'), ...others] = full;
    const released = { at: '2026-02-01T00:00:00.000Z', actor: 'ada', reason: 'closed' };
    assert.equal(refuseHold([...others, { ...first, released }], hold('one-more')), undefined);
  });
});

describe('a lock', () => {
  it('covers a promise that is no longer and no stronger', () => {
    fc.assert(
      fc.property(modes, modes, instants, instants, (heldMode, mode, heldUntil, retainUntil) => {
        const isLong = Math.floor(Date.parse(heldUntil) / 1000) >= Math.floor(Date.parse(retainUntil) / 1000);
        const isStrong = strongerMode(heldMode, mode) === heldMode;
        assert.equal(coversLock({ mode: heldMode, retainUntil: heldUntil }, { mode, retainUntil }), isLong && isStrong);
      }),
    );
    assert.equal(coversLock(undefined, { mode: 'GOVERNANCE', retainUntil: '2026-01-01T00:00:00Z' }), false);
    const until = '2026-01-01T00:00:00.900Z';
    assert.ok(
      coversLock({ mode: 'COMPLIANCE', retainUntil: '2026-01-01T00:00:00.000Z' }, { mode: 'COMPLIANCE', retainUntil: until }),
      'stores keep whole seconds',
    );
  });

  it('of archived output is never shorter than the law, nor weaker than the site', () => {
    fc.assert(
      fc.property(
        fc.option(instants, { nil: undefined }),
        fc.option(modes, { nil: undefined }),
        modes,
        fc.nat(4000),
        (retainUntil, mode, siteMode, minimumDays) => {
          const nowMs = Date.parse('2026-11-22T00:00:00Z');
          const lock = archiveLock({ archiveRetentionDays: 2557, retention: { mode: siteMode, minimumDays } }, { mode, retainUntil }, nowMs);
          assert.ok(Date.parse(lock.retainUntil) >= nowMs + minimumDays * DAY_MS || minimumDays === 0);
          assert.ok(Date.parse(lock.retainUntil) >= (retainUntil === undefined ? nowMs + 2557 * DAY_MS : Date.parse(retainUntil)));
          assert.equal(lock.mode, siteMode === 'COMPLIANCE' || mode === 'COMPLIANCE' ? 'COMPLIANCE' : 'GOVERNANCE');
        },
      ),
    );
  });
});

describe('what is read in a round', () => {
  it('is every object once in each turn, all of them at a share of 1 and none at 0', () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0.01, max: 1, noNaN: true }), fc.nat(1000), (path, share, from) => {
        const turns = Math.ceil(1 / share);
        const read = Array.from({ length: turns }, (_, index) => isReadIn(from + index, path, share)).filter(Boolean);
        assert.equal(read.length, 1);
        assert.equal(isReadIn(from, path, 1), true);
        assert.equal(isReadIn(from, path, 0), false);
      }),
    );
  });
});
