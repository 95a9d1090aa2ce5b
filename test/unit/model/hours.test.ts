/** Hours of the day by the clocks of a time zone, held to a clock that is looked at every minute. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoursOfDaySchema, hoursAt } from '../../../model/hours.ts';
import { formatIssues, parseInput } from '../../../model/issues.ts';

const MINUTE = 60_000;
const berlin = { from: '22:00', to: '06:00', timeZone: 'Europe/Berlin' };
const next = (hours: typeof berlin, at: string): string => {
  const { isOpen, changesAt } = hoursAt(hours, Date.parse(at));
  return `${isOpen ? 'closes' : 'opens'} at ${new Date(changesAt).toISOString()}`;
};

describe('hours of the day', () => {
  test('are over midnight where they end earlier than they begin', () => {
    const hours = { ...berlin, timeZone: 'UTC' };
    assert.equal(next(hours, '2026-11-21T21:59:59.999Z'), 'opens at 2026-11-21T22:00:00.000Z');
    assert.equal(next(hours, '2026-11-21T22:00:00Z'), 'closes at 2026-11-22T06:00:00.000Z');
    assert.equal(next(hours, '2026-11-22T05:59:59.999Z'), 'closes at 2026-11-22T06:00:00.000Z');
    assert.equal(next(hours, '2026-11-22T06:00:00Z'), 'opens at 2026-11-22T22:00:00.000Z');
    assert.equal(next({ ...hours, from: '00:00', to: '06:00' }, '2026-11-22T12:00:00Z'), 'opens at 2026-11-23T00:00:00.000Z');
    assert.equal(next({ ...hours, from: '22:00', to: '00:00' }, '2026-11-22T23:00:00Z'), 'closes at 2026-11-23T00:00:00.000Z');
  });

  test('follow daylight saving: a night is an hour shorter in spring, and an hour longer in autumn', () => {
    assert.equal(next(berlin, '2026-03-28T21:30:00Z'), 'closes at 2026-03-29T04:00:00.000Z');
    assert.equal(next(berlin, '2026-03-29T12:00:00Z'), 'opens at 2026-03-29T20:00:00.000Z');
    assert.equal(next(berlin, '2026-10-24T20:30:00Z'), 'closes at 2026-10-25T05:00:00.000Z');
  });

  test('that begin in the hour that is passed over begin when it is over, and those within it not on that day', () => {
    assert.equal(next({ ...berlin, from: '02:30', to: '04:00' }, '2026-03-29T00:00:00Z'), 'opens at 2026-03-29T01:00:00.000Z');
    assert.equal(next({ ...berlin, from: '02:15', to: '02:45' }, '2026-03-29T00:00:00Z'), 'opens at 2026-03-30T00:15:00.000Z');
  });

  test('that come twice when clocks are put back are open twice', () => {
    const hours = { ...berlin, from: '02:15', to: '02:45' };
    assert.equal(next(hours, '2026-10-25T00:30:00Z'), 'closes at 2026-10-25T00:45:00.000Z');
    assert.equal(next(hours, '2026-10-25T00:45:00Z'), 'opens at 2026-10-25T01:15:00.000Z');
  });

  test('are always there where none are named', () => {
    assert.deepEqual(hoursAt(undefined, 0), { isOpen: true, changesAt: Number.POSITIVE_INFINITY });
  });

  test('change when a clock on the wall there says so, in every zone and on the days on which clocks are put forward or back', () => {
    const clockTime = fc.integer({ min: 0, max: 24 * 60 - 1 });
    // Half an hour, three quarters, 24 hours forward over the date line, twice a year around Ramadan: what zones do.
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Chatham', 'Africa/Casablanca', 'Pacific/Apia'];
    const days = ['2026-03-29', '2026-10-25', '2026-03-08', '2026-11-01', '2026-04-05', '2026-10-04', '2026-02-15', '2026-03-22', '2011-12-30', '2026-07-01'];
    fc.assert(
      fc.property(
        clockTime,
        clockTime,
        fc.constantFrom(...zones),
        fc.constantFrom(...days),
        fc.integer({ min: -36 * 60 * MINUTE, max: 36 * 60 * MINUTE }),
        (from, to, timeZone, day, shift) => {
          fc.pre(from !== to);
          const hours = { from: shown(from), to: shown(to), timeZone };
          const at = Date.parse(day) + shift;
          const found = hoursAt(hours, at);
          const isOpenAt = wallClock(from, to, timeZone);
          assert.equal(found.isOpen, isOpenAt(at));
          let minute = Math.floor(at / MINUTE) + 1;
          while (isOpenAt(minute * MINUTE) === found.isOpen) minute++;
          assert.equal(new Date(found.changesAt).toISOString(), new Date(minute * MINUTE).toISOString());
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('what is no time of day and no time zone is told with what is accepted', () => {
  const wrong = parseInput(HoursOfDaySchema, { from: '10pm', to: '24:00', timeZone: 'Europe/Bern' });
  assert.ok(!wrong.ok);
  const lines = formatIssues(wrong.issues).split('\n');
  assert.match(lines[0] ?? '', /^from: found "10pm"; accepted: a time of day from "00:00" to "23:59"$/);
  assert.match(lines[1] ?? '', /^to: found "24:00"; accepted: a time of day/);
  assert.match(lines[2] ?? '', /^timeZone: found "Europe\/Bern"; accepted: the IANA name of a time zone such as "Europe\/Berlin".*timedatectl/);
  for (const timeZone of ['+02:00', '', 3, 'Europe/Berlin\n']) assert.equal(parseInput(HoursOfDaySchema, { ...berlin, timeZone }).ok, false, String(timeZone));
  const same = parseInput(HoursOfDaySchema, { from: '06:00', to: '06:00' });
  assert.match(
    same.ok ? '' : formatIssues(same.issues),
    /^to: found "06:00"; accepted: another time than `from`; leave the hours out where all of the day is meant$/,
  );
  assert.equal(HoursOfDaySchema.parse({ from: '22:00', to: '06:00' }).timeZone, 'UTC');
});

const shown = (minutes: number): string => `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;

/** Looks at the clock as a person does. */
function wallClock(from: number, to: number, timeZone: string): (instant: number) => boolean {
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  return (instant) => {
    const [hour = 0, minute = 0] = clock.format(instant).split(':').map(Number);
    const time = hour * 60 + minute;
    return from < to ? from <= time && time < to : time >= from || time < to;
  };
}
