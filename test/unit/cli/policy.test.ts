import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { recordingStores } from './recording-stores.ts';
import { penstock, siteFile } from './support.ts';

const site = await loadSiteFile(siteFile);
const unprepared = () => Promise.reject(new Error('the test did not prepare it'));
const demotion = { allocationsUnderWay: () => Promise.resolve([]), schedule: unprepared, run: unprepared };

test('policy show prints the rules in force, defaults included', async () => {
  const { code, stdout } = await penstock(['policy', 'show']);
  assert.equal(code, 0);
  assert.match(stdout, /idle-on-hot +hot +warm +was not used for 30 days/);
  assert.match(stdout, /idle-on-warm +warm +cold +was not used for 90 days/);
});

test('policy plan names what would move with rule, age and size, counts what stays, and writes nothing', async () => {
  const bucket = site.policies.sharedBuckets[0] ?? 'training-data';
  const shared = { ...site, policies: { ...site.policies, sharedBuckets: [bucket] } };
  const { stores, calls } = recordingStores(shared, { warm: { [bucket]: { 'imagenet/a': 1000, 'team/run/logs/x': 5 } } });
  const { code, stdout, stderr } = await penstock(['policy', 'plan', '--all', '-o', 'json'], { stores, penstock: { demotion } });
  assert.equal(code, 0, stderr);
  const { now: _now, ...plan } = JSON.parse(stdout);
  const moves = { files: 1, bytes: 1000 };
  assert.deepEqual(plan, {
    files: [
      { tier: 'warm', path: `${bucket}/imagenet/a`, bytes: 1000, ageDays: 324.3, ageBy: 'change', verdict: 'moves', rule: 'idle-on-warm', to: 'cold' },
      { tier: 'warm', path: `${bucket}/team/run/logs/x`, bytes: 5, ageDays: 324.3, ageBy: 'change', verdict: 'stays', reason: 'own' },
    ],
    notListed: 0,
    looked: { files: 2, bytes: 1005 },
    moves,
    byRule: { 'idle-on-hot': { files: 0, bytes: 0 }, 'idle-on-warm': moves },
    staysBy: { own: { files: 1, bytes: 5 } },
  });
  assert.deepEqual(
    calls.filter((call) => !/^\w+\.list /.test(call)),
    [],
  );
  const text = await penstock(['policy', 'plan', '--limit', '0'], { stores, penstock: { demotion } });
  assert.match(text.stdout, /would move +1 files, 1\.0 kB/);
  assert.match(text.stdout, /stays, own +1 files, 5 B: Penstock's own records and logs/);
  assert.match(text.stdout, /not listed +1 files; --limit lists more/);
});

test('policy status says how the last run ended and when the next one begins', async () => {
  const { stores } = recordingStores(site);
  const last = {
    startedAt: '2026-11-20T01:00:00.000Z',
    endedAt: '2026-11-20T01:05:00.000Z',
    looked: { files: 9, bytes: 900 },
    moved: { files: 2, bytes: 200 },
    stayed: { young: 6 },
    keptCount: 1,
    kept: [{ file: 'hot:training-data/a\u001b[31m', reason: 'it was changed after it had been copied' }],
  };
  const warm = { ...stores.warm, readBytes: () => Promise.resolve(Buffer.from(JSON.stringify(last))) };
  const schedule = () => Promise.resolve({ paused: false, nextRunAt: '2026-11-22T01:12:00.000Z' });
  const { code, stdout } = await penstock(['policy', 'status'], { stores: { ...stores, warm }, penstock: { demotion: { ...demotion, schedule } } });
  assert.equal(code, 0);
  assert.match(stdout, /last run +2026-11-20T01:00:00\.000Z\nmoved +2 files, 200 B of 9 looked at\ndue, but stayed +1\nnext run +2026-11-22T01:12:00\.000Z/);
  assert.ok(stdout.includes('it was changed after it had been copied') && !stdout.includes('\u001b'));
});
