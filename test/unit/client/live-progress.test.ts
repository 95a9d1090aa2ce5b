/** What a client makes of heartbeats: a rate is believed while it is news. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Mover, withMovers } from '../../../client/live-progress.ts';
import { transferLine } from '../../../model/transfer-details.ts';
import type { TransferStatus } from '../../../model/transfer-input.ts';

const NOW = Date.parse('2026-11-21T08:00:00.000Z');
const status: TransferStatus = {
  workflowId: 'transfer/t',
  transferId: 't',
  state: 'moving',
  source: 'warm:team-a/data/',
  target: 'cold:team-a/data/',
  files: 10,
  bytes: 1_000_000_000,
  doneFiles: 0,
  doneBytes: 0,
  settledFiles: 2,
  settledBytes: 200_000_000,
  // As the workflow was last told, which may be long ago.
  bytesPerSecond: 70_000_000,
  etaSeconds: 11,
  units: 3,
  doneUnits: 1,
  lanes: 2,
  limit: null,
  failedCount: 0,
  failed: [],
  startedAt: '2026-11-21T07:00:00.000Z',
};
const beat = { doneFiles: 1, doneBytes: 100_000_000, bytesPerSecond: 10_000_000 };
const heard = (secondsAgo: number): Mover => ({ beat, beatAtMs: NOW - secondsAgo * 1000, isBegun: true, heardAtMs: NOW - secondsAgo * 1000 });
const lineOf = (movers: readonly Mover[], more: Partial<TransferStatus> = {}): string => transferLine(withMovers({ ...status, ...more }, movers, NOW));

it('adds up what units under way say to what is settled', () => {
  assert.equal(lineOf([heard(1), heard(5)]), '4 of 10 files, 400 MB of 1.0 GB at 20.0 MB/s, about 30 s to go');
});

it('shows neither a rate nor an end where nobody was heard for a while, and says for how long', () => {
  assert.equal(lineOf([heard(65), heard(130)]), '4 of 10 files, 400 MB of 1.0 GB, rate 0, no news for 1 min 5 s');
});

it('counts what a mover that fell silent had done, and not its rate', () => {
  assert.equal(lineOf([heard(2), heard(60)]), '4 of 10 files, 400 MB of 1.0 GB at 10.0 MB/s, about 1 min 0 s to go');
});

it('shows rate 0 where movers are there and nothing moves', () => {
  assert.equal(lineOf([{ ...heard(1), beat: { ...beat, bytesPerSecond: 0 } }]), '3 of 10 files, 300 MB of 1.0 GB, rate 0');
});

it('says that a limit of 0 holds it, whatever the last heartbeats say', () => {
  assert.equal(lineOf([heard(1)], { limit: 0 }), '3 of 10 files, 300 MB of 1.0 GB, stopped by its limit');
});

const begun: Mover = { beat: undefined, beatAtMs: undefined, isBegun: true, heardAtMs: NOW - 500 };

it('takes a mover that has just begun to be as fast as the others, and one that waits for a worker not to move', () => {
  assert.equal(lineOf([heard(1), begun]), '3 of 10 files, 300 MB of 1.0 GB at 20.0 MB/s, about 35 s to go');
  assert.equal(lineOf([heard(1), { ...begun, isBegun: false }]), '3 of 10 files, 300 MB of 1.0 GB at 10.0 MB/s, about 1 min 10 s to go');
});

it('says nothing of the rate of a mover that has just begun, and that there is no news where it does not beat', () => {
  assert.equal(lineOf([begun]), '2 of 10 files, 200 MB of 1.0 GB');
  assert.equal(lineOf([{ ...heard(1), beat: { doneFiles: 1, doneBytes: 100_000_000 } }]), '3 of 10 files, 300 MB of 1.0 GB');
  assert.equal(lineOf([{ ...begun, heardAtMs: NOW - 60_000 }]), '2 of 10 files, 200 MB of 1.0 GB, rate 0, no news for 1 min 0 s');
});
