/** Staging: where data comes from, how fast it may come, who may start early, and what happens when the tier is full. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { findTool } from '../../dev/toolchain/find-tool.ts';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { digestsOf, exists, sorted, treeDigests } from '../support/facts.ts';
import { allocationInput, datasetFiles, keyOf, NODE, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const run = promisify(execFile);
const inCi = process.env['CI'] === 'true';
const nfsNeeded = { skip: inCi || (await findTool('ganesha')) ? false : 'ganesha.nfsd is not installed; in CI this fails' };

/** 0.5 MB/s for staging: 0.3 of the write bandwidth, rounded. */
const SLOW = { bandwidth: { read: '2GB/s', write: '1667kB/s' }, capacity: '6MB' };
const SHARE_BYTES_PER_SECOND = 500_100;

describe('staging', { concurrency: false }, () => {
  let site: TestSite;
  const hot = (...path: string[]) => join(site.stores.hotFiles.root, ...path);
  const input = (allocationId: string, source: string) => allocationInput(allocationId, { data: { mounts: [{ source, target: '/data' }] } });

  before(async () => {
    site = await startTestSite({ hot: SLOW });
  });
  after(() => site.stop());

  test('a start is refused below 0.8, granted above, and the rest follows while the job runs', async () => {
    const dataset = datasetFiles(100, 50_000, 'early');
    await seedDataset(site.stores.warm, dataset, 'training-data', 'early/');
    const key = keyOf('early');
    await site.penstock.submit(input('early', 's3://training-data/early'));
    await assert.rejects(site.penstock.assignNodes(key, { nodes: [NODE] }), { type: 'NotReady' }, 'before anything is known, nothing is ready');
    const low = await eventually('some readiness, and an end in sight', async () => {
      const readiness = await site.penstock.readiness(key);
      return readiness.state === 'staging' && readiness.readiness > 0 && (readiness.etaSeconds ?? 0) > 0 ? readiness : undefined;
    });
    assert.ok(low.readiness < 0.8, 'it is told while data moves');
    assert.equal(low.files, 100);
    await assert.rejects(site.penstock.assignNodes(key, { nodes: [NODE] }), { type: 'NotReady', message: /readiness is 0\.\d\d, a start needs 0\.8/ });

    const plan = await eventually('0.8', () => site.penstock.assignNodes(key, { nodes: [NODE] }));
    const started = await site.penstock.status(key);
    assert.equal(started.phase, 'running');
    assert.ok(started.readiness.readiness >= 0.8 && started.readiness.readiness < 1, `started at ${started.readiness.readiness}`);
    assert.equal(plan.mounts[0]?.snapshotId, undefined, 'what is not whole is not snapshotted');
    await eventually('the rest', async () => ((await site.penstock.readiness(key)).readiness === 1 ? true : undefined));
    assert.deepEqual(sorted(await treeDigests(hot('training-data', 'early'))), sorted(digestsOf(dataset)));
    const { snapshots } = await eventually('the late snapshot', async () => {
      const held = await site.stores.hot.holdings(allocationWorkflowId(key));
      return held.snapshots.length === 1 ? held : undefined;
    });
    assert.equal(snapshots[0]?.files, 100);
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
  });

  test('staging takes at most 0.3 of the write bandwidth', async () => {
    const dataset = datasetFiles(30, 100_000, 'share');
    await seedDataset(site.stores.warm, dataset, 'training-data', 'share/');
    const key = keyOf('share');
    await site.penstock.submit(input('share', 's3://training-data/share'));
    await untilPhase(site, key, 'ready');
    const history = await site.temporal.workflow.getHandle('prestage/acme/vision/share/1').fetchHistory();
    const moved = history.events?.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'moveWhole');
    const done = history.events?.find((event) => event.activityTaskCompletedEventAttributes?.scheduledEventId?.toString() === moved?.eventId?.toString());
    const seconds =
      (Number(done?.eventTime?.seconds) * 1e9 + Number(done?.eventTime?.nanos) - Number(moved?.eventTime?.seconds) * 1e9 - Number(moved?.eventTime?.nanos)) /
      1e9;
    // One second's burst is what a bucket holds; beyond it the share is kept on the bytes.
    assert.ok(3_000_000 / SHARE_BYTES_PER_SECOND - 1 <= seconds, `3 MB in ${seconds} s`);
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'measured' });
    await assert.rejects(site.penstock.wait(key), { type: 'Cancelled' });
  });

  test('a full tier stalls with its reason, never takes what is pinned, and goes on by itself', async () => {
    for (const name of ['full-a', 'full-b']) await seedDataset(site.stores.warm, datasetFiles(32, 100_000, name), 'training-data', `${name}/`);
    const [first, second] = [keyOf('full-a'), keyOf('full-b')];
    await site.penstock.submit(input('full-a', 's3://training-data/full-a'));
    await untilPhase(site, first, 'ready'); // 3.2 of 6 MB; what earlier jobs had staged has given way
    await site.penstock.submit(input('full-b', 's3://training-data/full-b'));
    const stalled = await eventually('the stall', async () => {
      const readiness = await site.penstock.readiness(second);
      return readiness.state === 'stalled' ? readiness : undefined;
    });
    assert.deepEqual([stalled.reason?.code, /goes on by itself/.test(stalled.reason?.message ?? '')], ['HOT_TIER_FULL', true]);
    assert.equal((await site.penstock.status(second)).phase, 'queued');
    assert.deepEqual(sorted(await treeDigests(hot('training-data', 'full-a'))), sorted(digestsOf(datasetFiles(32, 100_000, 'full-a'))), 'pinned data stays');

    await site.penstock.cancel(first, { mode: 'abandon', reason: 'makes room' });
    await untilPhase(site, second, 'ready');
    assert.deepEqual(sorted(await treeDigests(hot('training-data', 'full-b'))), sorted(digestsOf(datasetFiles(32, 100_000, 'full-b'))));
    assert.equal(await exists(hot('training-data', 'full-a')), false, 'staged data that nobody holds gave way');
    assert.equal((await site.stores.warm.list('training-data', 'full-a/')).entries.length, 32, 'and still lies at its source');
    await site.penstock.cancel(second, { mode: 'abandon', reason: 'done' });
    await assert.rejects(site.penstock.wait(second), { type: 'Cancelled' });
  });

  test('what can never fit is refused at once', async () => {
    await seedDataset(site.stores.warm, datasetFiles(13, 500_000, 'huge'), 'training-data', 'huge/');
    await site.penstock.submit(input('huge', 's3://training-data/huge'));
    await assert.rejects(site.penstock.wait(keyOf('huge')), { type: 'PolicyRefused', message: /6\.5 MB.*6\.0 MB.*tier_hint: warm/ });
  });

  test('data that lies only in the cold tier is staged from there; a home directory is recalled from its origin', async () => {
    const dataset = datasetFiles(5, 1000, 'cold');
    await seedDataset(site.stores.cold, dataset, 'training-data', 'cold-only/');
    const origin = join(site.directory, 'hot-origin', 'home', 'ada');
    await mkdir(origin, { recursive: true });
    await writeFile(join(origin, 'notes.txt'), 'written years ago');
    const key = keyOf('cold-only');
    await site.penstock.submit(input('cold-only', 's3://training-data/cold-only'));
    const ready = await untilPhase(site, key, 'ready');
    assert.equal(ready.readiness.files, 6);
    assert.deepEqual(sorted(await treeDigests(hot('training-data', 'cold-only'))), sorted(digestsOf(dataset)));
    assert.equal(await readFile(hot('home', 'ada', 'notes.txt'), 'utf8'), 'written years ago');
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'done' });
  });

  test('a job reaches its mount over NFS while it runs, and not afterwards', nfsNeeded, async () => {
    const dataset = datasetFiles(3, 1000, 'nfs');
    await seedDataset(site.stores.warm, dataset, 'training-data', 'nfs/');
    const key = keyOf('nfs');
    await site.penstock.submit(input('nfs', 's3://training-data/nfs'));
    await untilPhase(site, key, 'ready');
    const { nfs } = (await site.penstock.assignNodes(key, { nodes: [NODE] })).mounts[0] ?? {};
    assert.ok(nfs);
    const { path: list } = await resolveTool('nfs-ls');
    const names = () =>
      run(list, ['-R', `nfs://${nfs.address}${nfs.path}?nfsport=${nfs.port}&version=4`]).then(
        ({ stdout }) => stdout,
        () => undefined,
      );
    const seen = await eventually('the export', names);
    for (const name of dataset.keys()) assert.ok(seen.includes(name.split('/').at(-1) ?? name), `${name} in ${seen}`);
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await eventually('the export to be gone', async () => ((await names()) === undefined ? true : undefined));
    await site.penstock.wait(key);
  });
});
