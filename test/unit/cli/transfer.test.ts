import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../../client/refusal.ts';
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

test('a name that is over is no fresh success: it says when and how it ended, and exits with 9', async () => {
  const endedAt = '2026-11-20T03:00:00.000Z';
  const start = () => Promise.resolve({ workflowId: 'transfer/t', runId: 'run', attached: true, endedAt });
  for (const state of ['complete', 'partial'] as const) {
    const world = { penstock: { transfers: { ...transfers, start, wait: () => Promise.resolve({ ...result, state, failedCount: 1, failed }) } } };
    for (const wait of [[], ['--wait']]) {
      const ran = await penstock(['transfer', 'start', 'warm:a/', 'cold:a/', '--id', 't', ...wait], world);
      assert.deepEqual([ran.code, ran.stdout], [9, '']);
      assert.match(
        ran.stderr,
        new RegExp(`^AlreadyOver: transfer t ended at ${endedAt} as ${state}; nothing was moved now. Start it under another --id, or leave --id out`),
      );
      assert.ok(!ran.stderr.includes('no right to read it'), 'the failures are of then');
    }
  }
});

test('attached to one that is under way, start waits for it as for its own', async () => {
  const start = () => Promise.resolve({ workflowId: 'transfer/t', runId: 'run', attached: true });
  const world = { penstock: { transfers: { ...transfers, start, status: () => Promise.resolve(status), wait: () => Promise.resolve(result) } } };
  const ran = await penstock(['transfer', 'start', 'warm:a/', 'cold:a/', '--id', 't', '--wait'], world);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stderr, /^attached to transfer\/t\n/);
});

test('a source that may be empty is said to be so; no other request is changed by that', async () => {
  const { ask, asked } = recorder({ workflowId: 'transfer/t', runId: 'run', attached: false });
  const world = { penstock: { transfers: { ...transfers, start: ask } } };
  await penstock(['transfer', 'start', 'warm:a/inbox/', 'cold:a/', '--allow-empty'], world);
  await penstock(['transfer', 'start', 'warm:a/inbox/', 'cold:a/'], world);
  assert.partialDeepStrictEqual(asked[0], { allowEmpty: true });
  assert.ok(!JSON.stringify(asked[1]).includes('allowEmpty'), 'its digest is that of before the option was there');
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

test('a dry run names what cannot be moved, as far as a list can tell', async () => {
  const foreseen = { count: 6, first: failed };
  const { stdout } = await penstock(['transfer', 'start', 'warm:a/', 'cold:a/', '--dry-run'], {
    penstock: { transfers: { ...transfers, plan: () => Promise.resolve({ ...result, state: 'planned' as const, foreseen }) } },
  });
  assert.match(stdout, /cannot be moved +6 of these, as far as a list can tell\n[\s\S]*b\\u001b\[31m +Denied +no right to read it/);
});

test('waiting shows progress on stderr, and an exit code of its own where some entries were not moved', async () => {
  const partial = { ...result, state: 'partial' as const, failedCount: 1, failed };
  const shown = Promise.withResolvers<TransferResult>();
  const show = () => {
    setImmediate(() => shown.resolve(partial));
    return Promise.resolve({ ...status, limit: null });
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

test('left by Ctrl-C while it waits, it says that the transfer goes on and how to end it', async () => {
  let listeners = 0;
  const onInterrupt = (leave: () => void) => {
    listeners += 1;
    setImmediate(leave);
    return () => {
      listeners -= 1;
    };
  };
  const never = new Promise<never>(() => undefined);
  const left = await penstock(['transfer', 'wait', 't'], {
    onInterrupt,
    penstock: { transfers: { ...transfers, status: () => Promise.resolve(status), wait: () => never } },
  });
  assert.deepEqual([left.code, left.stdout, listeners], [130, '', 0]);
  assert.match(left.stderr, /Interrupted: transfer t goes on; `penstock transfer cancel t` ends it, `penstock transfer wait t` waits again\.\n$/);
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
