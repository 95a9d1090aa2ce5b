/** One allocation from queue to archive, asserted on the stores. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { reportRetention } from '../../activities/retention-report.ts';
import type { MountPlan } from '../../client/index.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { RetentionReportSchema } from '../../model/retention-report.ts';
import { digestsOf, exists, objectDigests, objectKeys, sorted, treeDigests } from '../support/facts.ts';
import {
  allocationInput,
  CHECKPOINT_FILES,
  datasetFiles,
  keyOf,
  NODE,
  OUTPUT_FILES,
  PLAIN_NODE,
  runJob,
  seedDataset,
  untilPhase,
} from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const RETAIN_UNTIL = '2033-11-22T00:00:00Z';

describe('an allocation, from queue to archive', { concurrency: false }, () => {
  const key = keyOf('train-1');
  const owner = allocationWorkflowId(key);
  const dataset = datasetFiles(300, 2000);
  let site: TestSite;
  let plan: MountPlan;
  const hotTree = (...path: string[]) => join(site.stores.hotFiles.root, ...path);

  before(async () => {
    site = await startTestSite();
    await seedDataset(site.stores.warm, dataset);
  });
  after(() => site.stop());

  test('queued data is staged byte for byte, pinned and reserved', async () => {
    const submission = await site.penstock.submit(allocationInput('train-1', { retention: { retainUntil: RETAIN_UNTIL } }));
    assert.deepEqual([submission.workflowId, submission.attached], [owner, false]);
    const status = await untilPhase(site, key, 'ready');
    assert.equal(status.readiness.readiness, 1);
    assert.deepEqual(sorted(await treeDigests(hotTree('training-data', 'imagenet'))), sorted(digestsOf(dataset)));
    const { reservations } = await site.stores.hot.holdings(owner);
    assert.deepEqual(
      reservations.map(({ path, expiresAt }) => [path, expiresAt]),
      [['/training-data/imagenet', status.readiness.pinnedUntil]],
    );
  });

  test('submitting the same again attaches; other input under the same name is refused', async () => {
    assert.equal((await site.penstock.submit(allocationInput('train-1', { retention: { retainUntil: RETAIN_UNTIL } }))).attached, true);
    await assert.rejects(site.penstock.submit(allocationInput('train-1')), { type: 'Conflict' });
  });

  test('assignNodes answers with the mount plan: exports, floors, snapshot, scratch and its fallback', async () => {
    plan = await site.penstock.assignNodes(key, { nodes: [NODE, PLAIN_NODE] });
    assert.deepEqual(
      plan.mounts.map(({ target, access, floorBytesPerSecond }) => [target, access, floorBytesPerSecond]),
      [
        ['/data/input', 'read-only', 100_000_000],
        ['/home/ada', 'read-write', 0],
      ],
    );
    const held = await site.stores.hot.holdings(owner);
    assert.deepEqual(held.exports.map(({ path, qos }) => [path, qos.floorBytesPerSecond]).sort(), [
      ['/home/ada', 0],
      ['/training-data/imagenet', 100_000_000],
    ]);
    assert.deepEqual(
      held.snapshots.map(({ snapshotId }) => snapshotId),
      [plan.mounts[0]?.snapshotId],
    );
    assert.deepEqual(
      plan.scratch.map(({ nodeId, kind }) => [nodeId, kind]),
      [
        ['n001', 'nvme'],
        ['n002', 'network'],
      ],
    );
    for (const { path } of plan.scratch) assert.ok(await exists(path), path);
    assert.ok(await exists(hotTree('home', 'ada')));
  });

  test('the snapshot is not touched by later writes', async () => {
    const [first] = dataset.keys();
    const [snapshot] = (await site.stores.hot.holdings(owner)).snapshots;
    assert.ok(first && snapshot);
    await writeFile(hotTree('training-data', 'imagenet', first), 'overwritten while the job runs');
    assert.deepEqual(sorted(await treeDigests(snapshot.contentPath)), sorted(digestsOf(dataset)));
  });

  test('a commit of unequal copies is refused and nothing is acknowledged', async () => {
    const reservation = await site.penstock.reserveCheckpoint(key, { checkpointId: 'torn', bytes: 1000 });
    await mkdir(reservation.localPath, { recursive: true });
    await writeFile(join(reservation.localPath, 'a.bin'), 'the whole');
    await writeFile(join(reservation.rackPath, 'a.bin'), 'the who');
    await assert.rejects(site.penstock.commitCheckpoint(key, { checkpointId: 'torn' }), {
      type: 'CheckpointIncomplete',
      message: /a\.bin has 9 bytes on the node and 7 in the rack/,
    });
  });

  test('the job runs: logs, output, scratch, a committed checkpoint', async () => {
    await runJob(site, key, plan);
    await mkdir(hotTree('acme', 'vision/train-1', 'left/empty'), { recursive: true });
    execFileSync('mkfifo', [hotTree('acme', 'vision/train-1', 'left/pipe')]);
  });

  test('finish hands the nodes back clean', async () => {
    const answer = await site.penstock.finish(key, { outcome: 'succeeded', exitCode: 0 });
    assert.deepEqual(answer.uncleanNodes, []);
    const status = await site.penstock.status(key);
    assert.equal(status.holdsNodes, false);
    assert.deepEqual((await site.stores.hot.holdings(owner)).exports, []);
    for (const { path, logSpool } of plan.scratch) assert.deepEqual([await exists(path), await exists(logSpool)], [false, false]);
  });

  test('released: the output is locked in the cold tier and nowhere else', async () => {
    const status = await site.penstock.wait(key);
    assert.equal(status.phase, 'released');
    const prefix = 'vision/train-1/';
    const cold = await objectDigests(site.stores.cold, 'acme', prefix);
    assert.ok(cold.delete('.penstock/output.json'), 'the record that says the output is whole');
    assert.ok(cold.delete('left/empty/'), 'an empty directory');
    assert.equal((await site.stores.cold.retention('acme', `${prefix}left/empty/`))?.mode, 'COMPLIANCE');
    assert.deepEqual(sorted(cold), sorted(digestsOf(OUTPUT_FILES)));
    for (const path of OUTPUT_FILES.keys()) {
      assert.equal(await site.stores.warm.head('acme', `${prefix}${path}`), undefined);
      assert.equal(await exists(hotTree('acme', prefix, path)), false);
      const held = await site.stores.cold.retention('acme', `${prefix}${path}`);
      assert.deepEqual([held?.mode, held && Date.parse(held.retainUntil)], ['COMPLIANCE', Date.parse(RETAIN_UNTIL)]);
    }
  });

  test('the store itself refuses to delete or shorten what is retained', async () => {
    const object = 'vision/train-1/results/weights.bin';
    const facts = await site.stores.cold.head('acme', object);
    assert.ok(facts?.versionId);
    await assert.rejects(site.stores.cold.remove('acme', object, { versionId: facts.versionId }), { type: 'Denied' });
    await assert.rejects(site.stores.cold.retain('acme', object, { mode: 'COMPLIANCE', retainUntil: '2027-01-01T00:00:00Z' }), { type: 'Denied' });
    assert.ok(await site.stores.cold.head('acme', object));
  });

  test('retention is extended after the release, on the store, and never shortened', async () => {
    const later = '2034-01-01T00:00:00Z';
    assert.equal((await site.penstock.extendRetention(key, { retainUntil: later })).retainUntil, later);
    for (const path of [...OUTPUT_FILES.keys(), '.penstock/output.json']) {
      const held = await site.stores.cold.retention('acme', `vision/train-1/${path}`);
      assert.equal(held && Date.parse(held.retainUntil), Date.parse(later), path);
    }
    await assert.rejects(site.penstock.extendRetention(key, { retainUntil: RETAIN_UNTIL }), { message: /never shortened/ });
  });

  test('a legal hold reaches every object, an empty directory too; the evidence says what is there, and who held it', async () => {
    const { retentions } = site.penstock;
    await retentions.placeHold(key, { matter: 'case-1', reason: 'subpoena', actor: 'ada' });
    const weights = await site.stores.cold.hold('acme', 'vision/train-1/results/weights.bin');
    assert.equal(weights?.onLegalHold, true);
    const options = { readShare: 1, signal: new AbortController().signal, onProgress: () => undefined };
    const evidence = await reportRetention(site.stores, await retentions.status(key), options);
    const report = { formatVersion: 1, site: 'embedded', madeAt: new Date().toISOString(), subject: 'train-1', retentions: [evidence] };
    const [reported] = RetentionReportSchema.parse(report).retentions;
    assert.deepEqual([reported?.look?.findings, reported?.look?.objects, reported?.look?.read], [[], OUTPUT_FILES.size + 2, OUTPUT_FILES.size + 2]);
    for (const { mode, retainUntil, path } of reported?.objects ?? []) assert.deepEqual([mode, retainUntil], ['COMPLIANCE', '2034-01-01T00:00:00.000Z'], path);
    await retentions.releaseHold(key, { matter: 'case-1', reason: 'closed', actor: 'bob' });
    assert.equal((await site.stores.cold.hold('acme', 'vision/train-1/results/weights.bin'))?.onLegalHold, false);
    const [row] = await eventually('the retention to be listed', async () => {
      const listed = await retentions.ofTenant('acme');
      return listed.length > 0 ? listed : undefined;
    });
    assert.deepEqual([row?.allocationId, row?.holds[0]?.released?.actor], ['train-1', 'bob']);
  });

  test('the logs lie in the specified layout and decompress to what the nodes wrote', async () => {
    const prefix = 'vision/train-1/logs/';
    const keys = await objectKeys(site.stores.warm, 'acme', prefix);
    for (const name of ['metadata.json', 'stdout/n001/chunk_000.log.zst', 'stderr/n001/chunk_000.log.zst', 'stdout/n002/chunk_000.log.zst'])
      assert.ok(keys.includes(`${prefix}${name}`), name);
    const chunk = zstdDecompressSync(await site.stores.warm.readBytes('acme', `${prefix}stdout/n001/chunk_000.log.zst`)).toString('utf8');
    assert.equal(chunk.split('\n').length, 201);
    assert.match(chunk, /^2026-01-01T00:00:00\.000Z n001 stdout step 0 of 200\n/);
  });

  test('the drained checkpoint left the rack and is restored byte for byte with any four racks gone', async () => {
    assert.deepEqual([...(await treeDigests(join(site.running.site.rackRoot, 'r01'))).keys()], []);
    const racks = join(site.directory, 's3', 'racks');
    const gone = ['rack-r01', 'rack-r07', 'rack-r12', 'rack-r18'];
    for (const rack of gone) await rename(join(racks, rack), join(racks, `../${rack}.gone`));
    try {
      const [file = ''] = [...CHECKPOINT_FILES.keys()];
      const alone = await site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100', file });
      assert.deepEqual([...(await treeDigests(hotTree(alone.path))).keys()], [file]);
      await assert.rejects(site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100', file: 'nowhere' }), { type: 'NotFound' });
      const restored = await site.penstock.restoreCheckpoint({ ...key, checkpointId: 'step-100' });
      assert.equal(restored.files, CHECKPOINT_FILES.size);
      assert.deepEqual(sorted(await treeDigests(hotTree(restored.path))), sorted(digestsOf(CHECKPOINT_FILES)));
    } finally {
      for (const rack of gone) await rename(join(racks, `../${rack}.gone`), join(racks, rack));
    }
  });

  test('nothing is held any more, and the uncommitted checkpoint was never offered', async () => {
    const held = await site.stores.hot.holdings(owner);
    assert.deepEqual([held.exports, held.reservations], [[], []]);
    await assert.rejects(site.penstock.restoreCheckpoint({ ...key, checkpointId: 'torn' }), { type: 'NotFound' });
  });

  test('the access log tells who took and gave back what', async () => {
    const operations = (await site.stores.hot.auditLog('/training-data/imagenet')).map((entry) => entry.operation);
    for (const operation of ['export', 'snapshot', 'qos'])
      assert.ok(
        operations.some((each) => each.includes(operation)),
        `${operation} in ${operations.join(', ')}`,
      );
  });
});
