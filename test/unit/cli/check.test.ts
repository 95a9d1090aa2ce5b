import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Checks } from '../../../client/checks.ts';
import type { Penstock } from '../../../client/penstock.ts';
import { Refusal } from '../../../client/refusal.ts';
import { type CheckResult, type CheckStatus, noCounts } from '../../../model/check.ts';
import type { ManifestRef } from '../../../model/manifest.ts';
import type { TransferStatus } from '../../../model/transfer-input.ts';
import { penstock, recorder, type World } from './support.ts';

const moved: ManifestRef = {
  store: 'warm',
  bucket: 'penstock-system',
  prefix: 'manifests/transfers/t/run/moved/',
  pages: 1,
  files: 3,
  bytes: 3_000_000,
  digest: 'd',
  units: 1,
};
const transfer: TransferStatus = {
  workflowId: 'transfer/t',
  transferId: 't',
  state: 'complete',
  source: 'warm:team-a/data/',
  target: 'cold:team-a/data/',
  files: 3,
  bytes: 3_000_000,
  doneFiles: 3,
  doneBytes: 3_000_000,
  settledFiles: 3,
  settledBytes: 3_000_000,
  bytesPerSecond: 0,
  units: 1,
  doneUnits: 1,
  lanes: 1,
  limit: null,
  failedCount: 0,
  failed: [],
  startedAt: '2026-11-21T08:00:00.000Z',
  moved,
};
const differing: CheckResult = {
  counts: { ...noCounts, same: 2, differing: 1, extra: 1 },
  lines: ['* b\t1 bytes instead of 2', '- c'],
  manifest: moved,
  report: { store: 'warm', bucket: 'penstock-system', key: 'checks/c/report.txt' },
};
const clean: CheckResult = { counts: { ...noCounts, same: 3 }, lines: [], manifest: moved };
const status: CheckStatus = {
  checkId: 'c',
  state: 'checking',
  counts: { ...noCounts, same: 120 },
  lines: [],
  done: 120,
  files: 201,
  etaSeconds: 15,
  target: 'cold:team-a/data/',
  startedAt: '2026-11-21T08:00:00.000Z',
};
const unexpected = () => Promise.reject(new Error('not asked for'));

function world(checks: Partial<Checks>, of: TransferStatus = transfer): World & { readonly penstock: Partial<Penstock> } {
  const start = () => Promise.resolve({ workflowId: 'check/c', runId: 'run', attached: false });
  return {
    penstock: {
      transfers: {
        start: unexpected,
        plan: unexpected,
        status: () => Promise.resolve(of),
        setRate: unexpected,
        cancel: unexpected,
        list: unexpected,
        wait: unexpected,
      },
      checks: { start, status: () => Promise.resolve(status), cancel: unexpected, wait: unexpected, ...checks },
    },
  };
}

test('a check takes manifest and target from the transfer, and exits with 8 where they differ', async () => {
  const start = recorder({ workflowId: 'check/c', runId: 'run', attached: false });
  const ran = await penstock(['check', 't', '--id', 'c', '--read', 'always', '--extra'], world({ start: start.ask, wait: () => Promise.resolve(differing) }));
  assert.equal(ran.code, 8, ran.stderr);
  assert.partialDeepStrictEqual(start.asked.at(-1), {
    manifest: { store: 'warm', bucket: 'penstock-system', prefix: moved.prefix },
    target: { store: 'cold', bucket: 'team-a', prefix: 'data/' },
    read: 'always',
    extra: true,
    lanes: 4,
  });
  assert.match(ran.stdout, /\* b: 1 bytes instead of 2\n- c\n\nall 2: penstock check report c\n$/);
});

test('a check of a manifest where nothing differs exits with 0; one of nothing is refused', async () => {
  const proven = await penstock(
    ['check', '--manifest', 'warm:penstock-system/m/', '--target', 'cold:team-a/data/'],
    world({ wait: () => Promise.resolve(clean) }),
  );
  assert.equal(proven.code, 0, proven.stderr);
  assert.ok(!proven.stdout.includes('not moved'));
  const { moved: _, ...running } = transfer;
  assert.equal((await penstock(['check', 't'], world({}, { ...running, state: 'moving' }))).code, 1, 'nothing is on record yet');
  assert.equal((await penstock(['check'], world({}))).code, 2);
});

test('a check of a partial transfer says what was not moved and so not checked, and does not exit with 0', async () => {
  const ran = await penstock(['check', 't'], world({ wait: () => Promise.resolve({ ...clean, notMoved: 6 }) }));
  assert.equal(ran.code, 7);
  assert.match(ran.stdout, /6 entries of this transfer were not moved and are not checked: penstock transfer failed t\n$/);
  const both = await penstock(['check', 't'], world({ wait: () => Promise.resolve({ ...differing, notMoved: 6 }) }));
  assert.equal(both.code, 8, 'differences weigh more');
});

test('while it waits it shows how far it is, of how much, and for how long still', async () => {
  for (const line of [
    ['check', 't'],
    ['check', 'wait', 'check/c'],
  ]) {
    const shown = Promise.withResolvers<CheckResult>();
    const show = () => {
      setImmediate(() => shown.resolve(clean));
      return Promise.resolve(status);
    };
    const ran = await penstock(line, world({ status: show, wait: () => shown.promise }));
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /checking: 120 of 201 entries, 0 differences, about 15 s to go\n/);
  }
});

test('a check can be left, looked at and ended', async () => {
  const never = new Promise<never>(() => undefined);
  const late = await penstock(['check', 'wait', 'c', '--timeout', '30s'], world({ wait: () => never }));
  assert.equal(late.code, 5);
  const seen = await penstock(['check', 'status', 'c'], world({}));
  assert.match(seen.stdout, /state +checking, started 2026-11-21T08:00:00.000Z\ntarget +cold:team-a\/data\/\nchecked +120 of 201 entries/);
  const { ask, asked } = recorder({ ...status, state: 'cancelled' as const });
  assert.match((await penstock(['check', 'cancel', 'check/c'], world({ cancel: ask }))).stdout, /state +cancelled/);
  assert.deepEqual(asked, ['c']);
  const over = await penstock(['check', 'cancel', 'c'], world({ cancel: () => Promise.reject(new Refusal('AlreadyOver', 'check/c was over already')) }));
  assert.equal(over.code, 9);
});

test('a check whose name is over checks nothing, and says so', async () => {
  const endedAt = '2026-11-20T03:00:00.000Z';
  const start = () => Promise.resolve({ workflowId: 'check/c', runId: 'run', attached: true, endedAt });
  const ran = await penstock(['check', 't', '--id', 'c'], world({ start }));
  assert.deepEqual([ran.code, ran.stdout], [9, '']);
  assert.match(ran.stderr, /^AlreadyOver: check c ended at 2026-11-20T03:00:00.000Z; nothing was checked now\./);
});

test('lanes that are no number are told as they were written', async () => {
  const ran = await penstock(['check', 't', '--lanes', 'x'], world({}));
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /argument 'x' is invalid\. accepted: a whole number from 1 to 32/);
});

test('there is nothing to print of a check without differences, nor of one that is not over', async () => {
  const of = (state: CheckStatus['state']) => penstock(['check', 'report', 'c'], world({ status: () => Promise.resolve({ ...status, state }) }));
  const [done, under] = [await of('complete'), await of('checking')];
  assert.deepEqual([done.code, done.stdout, done.stderr], [0, '', 'check c found no differences\n']);
  assert.deepEqual([under.code, under.stdout], [1, '']);
});
