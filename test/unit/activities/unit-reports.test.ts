/** How often a unit's mover tells its transfer: for as long as it moves, and seldom enough for any history. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { reportPauseMs } from '../../../activities/reports.ts';

const HOUR_MS = 3_600_000;

/** Of an attempt that lasts so long. */
function reportsWithin(ms: number, attempt: number, lanes: number): number {
  let told = 0;
  for (let at = reportPauseMs({ told, attempt, lanes }); at <= ms; at += reportPauseMs({ told, attempt, lanes })) told += 1;
  return told;
}

it('tells after half a minute, then less and less often, and never stops', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 1000].map((told) => reportPauseMs({ told, attempt: 1, lanes: 4 }) / 1000),
    [30, 60, 120, 240, 480, 900, 900, 900],
  );
  assert.ok(reportsWithin(24 * HOUR_MS, 1, 4) > reportsWithin(23 * HOUR_MS, 1, 4));
});

it('tells less than sixty times of a unit of twelve hours', () => {
  assert.equal(reportsWithin(12 * HOUR_MS, 1, 4), 51);
  for (const lanes of [1, 4, 32]) assert.ok(reportsWithin(12 * HOUR_MS, 1, lanes) < 60, `${lanes} lanes: ${reportsWithin(12 * HOUR_MS, 1, lanes)}`);
});

it('tells of later attempts too, and attempts that end again and again do not fill a history', () => {
  assert.ok(reportsWithin(HOUR_MS, 2, 4) > 0);
  // A mover that dies each minute, for a day.
  const daily = Array.from({ length: 24 * 60 }, (_, index) => reportsWithin(60_000, index + 1, 4)).reduce((sum, each) => sum + each, 0);
  assert.equal(daily, 2);
});

it('fits a history whatever the lanes: the longest unit that may be, four events for each report', () => {
  const longest = Array.from({ length: 32 }, (_, index) => index + 1).map((lanes) => 4 * lanes * reportsWithin(7 * 24 * HOUR_MS, 1, lanes));
  assert.ok(Math.max(...longest) < 12_000, `${Math.max(...longest)} events of the 51,200 that end a workflow`);
});
