/** Whoever waits for a site leaves it the time to come to what is waited for, and misses no moment by that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restMs } from '../../support/wait.ts';

test('what costs nothing is looked at every 20 ms, however long it takes to come', () => {
  for (const waitedMs of [0, 1_000, 60_000]) assert.equal(restMs({ checkMs: 0, waitedMs }), 20);
});

test('what asks a site is asked for a twentieth of the time, and four times a second at least', () => {
  assert.equal(restMs({ checkMs: 5, waitedMs: 60_000 }), 100);
  assert.equal(restMs({ checkMs: 400, waitedMs: 60_000 }), 250);
});

test('a moment is seen that lasts for a tenth of the time before it, whatever it costs to look', () => {
  for (const waitedMs of [200, 700, 2_000]) assert.equal(restMs({ checkMs: 400, waitedMs }), waitedMs / 10);
  assert.equal(restMs({ checkMs: 400, waitedMs: 10 }), 20);
});
