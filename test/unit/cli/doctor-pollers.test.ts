import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idleQueues, type Poller } from '../../../cli/doctor/live-pollers.ts';

const NOW = 1_800_000_000_000;
const poller = (secondsAgo: number): Poller => ({ identity: 'data-1', lastAccessTime: { seconds: { toNumber: () => NOW / 1000 - secondsAgo } } });

test('a queue whose only worker died two minutes ago is polled by nobody, whatever Temporal still names', () => {
  assert.deepEqual(idleQueues([{ queue: 'data', pollers: [poller(300), poller(120)] }], NOW), ['data (last asked 120 s ago)']);
  assert.deepEqual(idleQueues([{ queue: 'control', pollers: [] }], NOW), ['control']);
});

test('a worker within its long poll counts, beside a dead one and with a clock that goes ahead', () => {
  for (const pollers of [[poller(61)], [poller(250), poller(1)], [poller(-30)]]) assert.deepEqual(idleQueues([{ queue: 'data', pollers }], NOW), []);
});
