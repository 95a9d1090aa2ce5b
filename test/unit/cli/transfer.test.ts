import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../../client/refusal.ts';
import { noCounts } from '../../../model/check.ts';
import type { TransferResult, TransferStatus } from '../../../model/transfer-input.ts';
import { penstock, recorder } from './support.ts';

const manifest = {
  store: 'warm',
  bucket: 'penstock-system',
  prefix: 'manifests/transfers/t/run/',
  pages: 1,
  files: 3,
  bytes: 3_000_000,
  digest: 'd',
  units: 1,
};
const moved = { ...manifest, prefix: `${manifest.prefix}moved/` };
const status: TransferStatus = {
  workflowId: 'transfer/t',
  transferId: 't',
  state: 'moving',
  source: 'warm:team-a/data/',
  target: 'cold:team-a/data/',
  files: 3,
  bytes: 3_000_000,
  doneFiles: 1,
  doneBytes: 1_000_000,
  settledFiles: 1,
  settledBytes: 1_000_000,
  bytesPerSecond: 500_000,
  etaSeconds: 4,
  units: 1,
  doneUnits: 0,
  lanes: 1,
  limit: 0,
  failedCount: 0,
  failed: [],
  startedAt: '2026-11-21T08:00:00.000Z',
  manifest,
};
const failed = [{ path: 'b\x1b[31m', type: 'Denied', message: 'no right to read it' }];
const result: TransferResult = { state: 'complete', files: 3, bytes: 3_000_000, units: 1, lanes: 1, failedCount: 0, failed: [], manifest, moved };
const unexpected = () => Promise.reject(new Error('not asked for'));
const transfers = { start: unexpected, plan: unexpected, status: unexpected, setRate: unexpected, cancel: unexpected, list: unexpected, wait: unexpected };

test('start sends what the line says, under a name made up from the time where none is given', async () => {
  const { ask, asked } = recorder({ workflowId: 'transfer/t', runId: 'run', attached: false });
  const ran = await penstock(
    ['transfer', 'start', 'warm:team-a/data', 'cold:team-a/', '--exclude', 'tmp/', '--exclude', 'b', '--rate', '200MB/s', '--no-attributes', '--lanes', '8'],
    { penstock: { transfers: { ...transfers, start: ask } } },
  );
  assert.equal(ran.code, 0, ran.stderr);
  assert.partialDeepStrictEqual(asked.at(-1), {
    source: { store: 'warm', bucket: 'team-a', prefix: 'data/' },
    target: { store: 'cold', bucket: 'team-a', prefix: '' },
    exclude: ['tmp/', 'b'],
    attributes: false,
    replace: false,
    symlinks: 'keep',
    bytesPerSecond: 2e8,
    lanes: 8,
  });
  assert.match(ran.stdout, /follow it +penstock transfer wait t-20261121t080000-[0-9a-f]{4}/);
});

test('a place that cannot be is refused before anything is asked, naming what is accepted', async () => {
  const refused = async (source: string, target = 'cold:team-a/') => (await penstock(['transfer', 'start', source, target])).stderr;
  assert.match(await refused('team-a/data'), /found "team-a\/data"; accepted: STORE:BUCKET\/PREFIX such as .* with one of the stores hot, warm, cold/);
  assert.match(await refused('attic:team-a/'), /store: found "attic"; accepted: hot, warm, cold/);
  assert.match(await refused('warm:team-a/../b/'), /prefix: found "\.\.\/b\/"; accepted: /);
  assert.match(await refused('warm:team-a/', 'warm:team-a/b/'), /target: .*a place that neither is nor holds the source/);
  assert.equal((await penstock(['transfer', 'start', 'warm:a/', 'cold:a/', '--rate', 'fast'])).code, 2);
  assert.equal((await penstock(['transfer', 'start', 'warm:a/', 'cold:a/', '--lanes', '33'])).code, 2);
});

test('a dry run plans and starts nothing', async () => {
  const { ask, asked } = recorder({ ...result, state: 'planned' as const, units: 40, lanes: 4 });
  const ran = await penstock(['transfer', 'start', 'warm:team-a/data/', 'cold:team-a/data/', '--dry-run'], {
    penstock: { transfers: { ...transfers, plan: ask } },
  });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(asked.length, 1);
  assert.match(ran.stdout, /would move +3 files, 3\.0 MB.*\nfrom +warm:team-a\/data\/\n[\s\S]*units +40, 4 at once/);
});

test('waiting shows progress on stderr, and an exit code of its own where some entries were not moved', async () => {
  const partial = { ...result, state: 'partial' as const, failedCount: 1, failed };
  const shown = Promise.withResolvers<TransferResult>();
  const show = () => {
    setImmediate(() => shown.resolve(partial));
    return Promise.resolve(status);
  };
  const ran = await penstock(['transfer', 'wait', 'transfer/t'], { penstock: { transfers: { ...transfers, status: show, wait: () => shown.promise } } });
  assert.equal(ran.code, 7);
  assert.match(ran.stderr, /^moving: 1 of 3 files, 1\.0 MB of 3\.0 MB at 500 kB\/s, about 4 s to go\n/);
  assert.match(ran.stdout, /b\\u001b\[31m +Denied +no right to read it/);
  assert.ok(!ran.stdout.includes('\x1b'));
});

test('waiting has a way out, and a transfer that failed is told from one that is not there', async () => {
  const never = new Promise<never>(() => undefined);
  const late = await penstock(['transfer', 'wait', 't', '--timeout', '30s'], {
    penstock: { transfers: { ...transfers, status: () => Promise.resolve(status), wait: () => never } },
  });
  assert.equal(late.code, 5);
  const gone = await penstock(['transfer', 'status', 'nobody'], {
    penstock: { transfers: { ...transfers, status: () => Promise.reject(new Refusal('NotFound', 'no such transfer')) } },
  });
  assert.equal(gone.code, 3);
});

test('the status says that a transfer is stopped by its limit, and where its lists are', async () => {
  const { stdout } = await penstock(['transfer', 'status', 't'], { penstock: { transfers: { ...transfers, status: () => Promise.resolve(status) } } });
  assert.match(stdout, /limit +0: stopped\nmanifest +warm:penstock-system\/manifests\/transfers\/t\/run\//);
});

test('a rate is bytes, bits, nothing or none', async () => {
  const { ask, asked } = recorder({ bytesPerSecond: null });
  for (const rate of ['200MB/s', '10Gbps', '0', 'none'])
    await penstock(['transfer', 'rate', 't', rate], { penstock: { transfers: { ...transfers, setRate: ask } } });
  assert.deepEqual(asked, [{ bytesPerSecond: 2e8 }, { bytesPerSecond: 1.25e9 }, { bytesPerSecond: 0 }, { bytesPerSecond: null }]);
});

test('limits of stores are set, shown and taken away, and said to be of each process', async () => {
  const set = recorder({ warm: 2e8 });
  const world = { penstock: { limits: { set: set.ask, show: () => Promise.resolve({ warm: 2e8 }) } } };
  assert.match((await penstock(['limit', 'set', 'warm', '200MB/s'], world)).stdout, /warm +200 MB\/s +each mover process/);
  await penstock(['limit', 'clear', 'warm'], world);
  assert.deepEqual(set.asked, [
    { store: 'warm', bytesPerSecond: 2e8 },
    { store: 'warm', bytesPerSecond: null },
  ]);
  assert.equal((await penstock(['limit', 'clear', 'cold'], world)).code, 3);
  assert.equal((await penstock(['limit', 'set', 'attic', '1MB/s'], world)).code, 2);
});

test('a check takes manifest and target from the transfer, and exits with 8 where they differ', async () => {
  const start = recorder({ workflowId: 'check/c', runId: 'run', attached: false });
  const found = {
    counts: { ...noCounts, same: 2, differing: 1, extra: 1 },
    lines: ['* b\t1 bytes instead of 2', '- c'],
    manifest: moved,
    report: { store: 'warm', bucket: 'penstock-system', key: 'checks/c/report.txt' },
  };
  const checks = { start: start.ask, status: () => Promise.resolve(found), wait: () => Promise.resolve(found) };
  const world = { penstock: { transfers: { ...transfers, status: () => Promise.resolve({ ...status, state: 'complete' as const, moved }) }, checks } };
  const ran = await penstock(['check', 't', '--read', 'always', '--extra'], world);
  assert.equal(ran.code, 8, ran.stderr);
  assert.partialDeepStrictEqual(start.asked.at(-1), {
    manifest: { store: 'warm', bucket: 'penstock-system', prefix: moved.prefix },
    target: { store: 'cold', bucket: 'team-a', prefix: 'data/' },
    read: 'always',
    extra: true,
  });
  assert.match(ran.stdout, /\* b: 1 bytes instead of 2\n- c\n\nall 2: warm:penstock-system\/checks\/c\/report\.txt/);
  const clean = { ...found, counts: { ...noCounts, same: 3 }, lines: [] };
  const proven = await penstock(['check', '--manifest', 'warm:penstock-system/m/', '--target', 'cold:team-a/data/'], {
    penstock: { checks: { ...checks, wait: () => Promise.resolve(clean) } },
  });
  assert.equal(proven.code, 0, proven.stderr);
  assert.equal(
    (await penstock(['check', 't'], { penstock: { transfers: { ...transfers, status: () => Promise.resolve(status) } } })).code,
    1,
    'nothing is on record yet',
  );
  assert.equal((await penstock(['check'], world)).code, 2);
});
