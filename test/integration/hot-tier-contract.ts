/**
 * The hot tier's contract, executed: every driver of the port passes this against its product or an emulator of it. A
 * driver's own test is the wiring: how to start a tier, and how to write files as its clients and its origin would.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { HotTier } from '../../drivers/hot-tier/port.ts';
import { type ErrorType, PenstockError } from '../../model/errors.ts';

/** The tier under test holds this much and no more, so that a test can fill it. */
export const TEST_TIER = { capacityBytes: 8_000_000, readBytesPerSecond: 2000, writeBytesPerSecond: 1000 } as const;

export interface HotTierHarness {
  readonly tier: HotTier;
  /** As a client of the tier would. */
  writeHot(path: string, content: Buffer | string): Promise<void>;
  /** Undefined where the file is not on the tier. */
  readHot(path: string): Promise<string | undefined>;
  /** At the tier's remote dataspace. */
  writeOrigin(path: string, content: Buffer | string): Promise<void>;
  linkHot(path: string, target: string): Promise<void>;
  /** A file of a snapshot, as a mover reads it; undefined where there is none. */
  readContent(contentPath: string, name: string): Promise<string | undefined>;
  close(): Promise<void>;
}

const NO_QOS = { floorBytesPerSecond: 0, ceilingBytesPerSecond: 0 };
const OWNER = 'allocation/tenant-a/project/one';

export function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

export async function eventually(what: string, holds: () => Promise<boolean>, withinMilliseconds = 10_000): Promise<void> {
  for (const deadline = Date.now() + withinMilliseconds; Date.now() < deadline; await delay(20)) {
    if (await holds()) return;
  }
  assert.fail(`${what}: not within ${withinMilliseconds} ms`);
}

export async function refusesWith(type: ErrorType, call: Promise<unknown>): Promise<PenstockError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PenstockError, `a PenstockError was expected, not ${String(error)}`);
  assert.equal(error.type, type, error.message);
  assert.ok(error.store && error.message.startsWith(`${error.store}: `), `the error names its store: ${error.message}`);
  assert.ok(error.nextStep, 'the error says what to do next');
  return error;
}

const spaceOf = (tier: HotTier) => tier.capacity().then(({ usedBytes, reservedBytes }) => [usedBytes, reservedBytes]);

export function hotTierContract(name: string, open: () => Promise<HotTierHarness>): void {
  describe(`${name} keeps the hot tier's contract`, () => {
    let harness: HotTierHarness;
    let tier: HotTier;
    beforeEach(async () => {
      harness = await open();
      tier = harness.tier;
    });
    afterEach(() => harness.close());

    const exportRequest = (key: string, floorBytesPerSecond: number, access: 'read-only' | 'read-write' = 'read-write') => ({
      owner: OWNER,
      key,
      path: `/home/${key}`,
      expiresAt: inSeconds(600),
      access,
      clients: ['n001'],
      qos: { floorBytesPerSecond, ceilingBytesPerSecond: 0 },
    });
    const finishedJob = async (jobId: string) => {
      await eventually('the prefetch ends', async () => (await tier.prefetchJob(jobId)).state !== 'running');
      return tier.prefetchJob(jobId);
    };

    test('a missing path has zero of everything', async () => {
      const path = '/nowhere/at/all';
      assert.deepEqual(await tier.locate(path), { path, files: 0, bytes: 0, hotFiles: 0, hotBytes: 0, remoteFiles: 0, remoteBytes: 0 });
    });

    test('the catalog tells hot from remote, and each file counts once', async () => {
      await harness.writeHot('/training-data/set/both', 'same size');
      await harness.writeOrigin('/training-data/set/both', 'SAME SIZE');
      await harness.writeHot('/training-data/set/only-hot', 'abc');
      await harness.writeOrigin('/training-data/set/deep/only-remote', 'abcdef');
      await harness.writeHot('/training-data/settlement', 'a neighbour whose name begins alike');
      assert.deepEqual(await tier.locate('/training-data/set'), {
        path: '/training-data/set',
        files: 3,
        bytes: 18,
        hotFiles: 2,
        hotBytes: 12,
        remoteFiles: 1,
        remoteBytes: 6,
      });
      assert.equal((await tier.locate('/training-data/set/only-hot')).hotBytes, 3);
      assert.equal((await tier.locate('/training-data/set/deep/only-remote')).remoteBytes, 6);
    });

    test('an export says where clients reach it, and its key answers it again', async () => {
      const request = { ...exportRequest('u', 100), path: '/home/u/work' };
      const made = await tier.createExport(request);
      assert.deepEqual({ bucket: made.s3.bucket, prefix: made.s3.prefix }, { bucket: 'home', prefix: 'u/work' });
      assert.deepEqual(await tier.createExport({ ...request, expiresAt: inSeconds(900) }), made);
      await refusesWith('Conflict', tier.createExport({ ...request, clients: ['n002'] }));
      assert.equal((await tier.capacity()).floorsBytesPerSecond, 100);
    });

    test('floors never exceed the bandwidth: what does not fit waits, what is revoked is free again', async () => {
      await tier.createExport(exportRequest('a', 700));
      const refused = await refusesWith('FloorUnavailable', tier.createExport(exportRequest('b', 301)));
      assert.match(refused.message, /300 of 1000 are free/);
      await tier.createExport(exportRequest('b', 300));
      await harness.writeHot('/home/reader/file', 'x');
      await tier.createExport(exportRequest('reader', 2000, 'read-only'));
      await tier.releaseHoldings(OWNER, ['exports']);
      await tier.createExport(exportRequest('c', 1000));
    });

    test('floors never exceed the bandwidth when many ask at once', async () => {
      const answers = await Promise.allSettled(Array.from({ length: 40 }, (_, index) => tier.createExport(exportRequest(`at-once-${index}`, 70))));
      const granted = answers.filter(({ status }) => status === 'fulfilled').length;
      assert.equal(granted, 14, '14 floors of 70 fit into 1000');
      assert.equal((await tier.capacity()).floorsBytesPerSecond, 980);
    });

    test('a floor that does not fit leaves the old policy in force', async () => {
      const first = await tier.createExport(exportRequest('a', 400));
      await tier.createExport(exportRequest('b', 500));
      await refusesWith('FloorUnavailable', tier.setQos(first.exportId, { floorBytesPerSecond: 501, ceilingBytesPerSecond: 0 }));
      assert.deepEqual((await tier.holdings(OWNER)).exports[0]?.qos, first.qos);
      const policy = { floorBytesPerSecond: 500, ceilingBytesPerSecond: 800 };
      assert.deepEqual((await tier.setQos(first.exportId, policy)).qos, policy);
      await refusesWith('NotFound', tier.setQos('exp-unknown', NO_QOS));
    });

    test('an export of what nobody knows is refused rather than shown empty', async () => {
      await refusesWith('NotFound', tier.createExport(exportRequest('misspelt', 0, 'read-only')));
    });

    test('expiry needs no caller: export, floor, reservation and snapshot are gone', async () => {
      await harness.writeHot('/home/short/file', 'x');
      const soon = { owner: OWNER, path: '/home/short', expiresAt: inSeconds(1) };
      const short = await tier.createExport({ ...exportRequest('short', 1000), ...soon });
      await tier.reserve({ ...soon, key: 'r', bytes: 1000 });
      const snapshot = await tier.createSnapshot({ ...soon, key: 's' });
      await eventually('the snapshot is removed', async () => (await harness.readContent(snapshot.contentPath, 'file')) === undefined);
      assert.deepEqual(await tier.holdings(OWNER), { exports: [], snapshots: [], reservations: [] });
      await refusesWith('NotFound', tier.setQos(short.exportId, NO_QOS));
      assert.equal((await tier.capacity()).floorsBytesPerSecond, 0);
      assert.deepEqual(await spaceOf(tier), [1, 0]);
    });

    test('renewal moves the expiry of all reservations of the owner, and never shortens one', async () => {
      const [until, middle, later] = [inSeconds(300), inSeconds(450), inSeconds(600)];
      await tier.reserve({ owner: OWNER, key: 'short', path: '/a/1', bytes: 1, expiresAt: until });
      await tier.reserve({ owner: OWNER, key: 'long', path: '/a/2', bytes: 1, expiresAt: later });
      await tier.reserve({ owner: 'another', key: 'x', path: '/a/3', bytes: 1, expiresAt: until });
      await tier.renewReservations(OWNER, middle);
      const expiries = (await tier.holdings(OWNER)).reservations.map((each) => each.expiresAt);
      assert.deepEqual(expiries, [middle, later]);
      assert.equal((await tier.holdings('another')).reservations[0]?.expiresAt, until);
      await tier.renewReservations('nobody', middle);
    });

    test('a snapshot is a point in time: later writes, removals and additions do not show', async () => {
      await harness.writeHot('/ckpt/model', 'epoch 1');
      await harness.writeHot('/ckpt/deep/optimizer', 'state 1');
      await harness.linkHot('/ckpt/link', '/etc/hostname');
      const request = { owner: OWNER, key: 'snap', path: '/ckpt', expiresAt: inSeconds(600) };
      const snapshot = await tier.createSnapshot(request);
      assert.deepEqual({ files: snapshot.files, bytes: snapshot.bytes }, { files: 2, bytes: 14 });
      await harness.writeHot('/ckpt/model', 'epoch 2');
      await harness.writeHot('/ckpt/added', 'later');
      assert.equal(await harness.readContent(snapshot.contentPath, 'model'), 'epoch 1');
      assert.equal(await harness.readContent(snapshot.contentPath, 'deep/optimizer'), 'state 1');
      assert.equal(await harness.readContent(snapshot.contentPath, 'added'), undefined);
      assert.equal(await harness.readContent(snapshot.contentPath, 'link'), undefined);
      assert.deepEqual(await tier.createSnapshot(request), snapshot);
      await refusesWith('NotFound', tier.createSnapshot({ ...request, key: 'other', path: '/not-there' }));
    });

    test('a prefetch recalls what is remote, and its key answers the same job', async () => {
      for (let index = 0; index < 20; index++) await harness.writeOrigin(`/training-data/cold/${index}`, Buffer.alloc(1000, index));
      await harness.writeHot('/training-data/cold/0', Buffer.alloc(1000, 0));
      const request = { owner: OWNER, key: 'p', path: '/training-data/cold', bytesPerSecond: 10_000_000 };
      const job = await tier.prefetch(request);
      assert.equal((await tier.prefetch(request)).jobId, job.jobId);
      await refusesWith('Conflict', tier.prefetch({ ...request, bytesPerSecond: 1 }));
      assert.deepEqual(await finishedJob(job.jobId), { ...job, state: 'completed', files: 20, bytes: 20_000, doneFiles: 20, doneBytes: 20_000 });
      assert.equal((await tier.locate('/training-data/cold')).remoteFiles, 0);
      assert.equal(await harness.readHot('/training-data/cold/7'), Buffer.alloc(1000, 7).toString());
      await refusesWith('NotFound', tier.prefetchJob('job-unknown'));
      await refusesWith('NotFound', tier.prefetch({ ...request, key: 'q', path: '/training-data/unknown' }));
    });

    test('a prefetch keeps to its rate', async () => {
      await harness.writeOrigin('/training-data/slow/file', Buffer.alloc(40_000));
      const begun = performance.now();
      const job = await tier.prefetch({ owner: OWNER, key: 'p', path: '/training-data/slow', bytesPerSecond: 40_000 });
      assert.equal((await finishedJob(job.jobId)).state, 'completed');
      assert.ok(performance.now() - begun > 800, 'a second of data took about a second');
    });

    test('a prefetch never replaces what a job wrote; it fails and says which file', async () => {
      await harness.writeOrigin('/training-data/clash/results', 'older and longer');
      await harness.writeHot('/training-data/clash/results', 'newer');
      const request = { owner: OWNER, key: 'p', path: '/training-data/clash', bytesPerSecond: 1_000_000 };
      const failed = await finishedJob((await tier.prefetch(request)).jobId);
      assert.equal(failed.state, 'failed');
      assert.match(failed.error ?? '', /\/training-data\/clash\/results/);
      assert.equal(await harness.readHot('/training-data/clash/results'), 'newer');
    });

    test('space set aside is not given twice, and counts down as the path fills', async () => {
      const half = TEST_TIER.capacityBytes / 2;
      const mine = { owner: OWNER, key: 'r', path: '/stage/a', bytes: half, expiresAt: inSeconds(600) };
      const reservation = await tier.reserve(mine);
      assert.deepEqual(await tier.reserve(mine), reservation);
      await refusesWith('Conflict', tier.reserve({ ...mine, bytes: 1 }));
      await refusesWith('OutOfSpace', tier.reserve({ ...mine, key: 's', path: '/stage/b', bytes: half + 1 }));
      await harness.writeHot('/stage/a/part', Buffer.alloc(1_000_000));
      assert.deepEqual(await spaceOf(tier), [1_000_000, half - 1_000_000]);
      await tier.releaseHoldings(OWNER, ['reservations']);
      await tier.reserve({ ...mine, key: 's', path: '/stage/b', bytes: TEST_TIER.capacityBytes - 1_000_000 });
    });

    test('eviction takes the least recently used copy, never a pinned file and never the only copy', async () => {
      const megabyte = (fill: number) => Buffer.alloc(1_000_000, fill);
      await harness.writeHot('/training-data/old/copy', megabyte(1));
      await harness.writeOrigin('/training-data/old/copy', megabyte(1));
      await harness.writeHot('/training-data/pinned/copy', megabyte(2));
      await harness.writeOrigin('/training-data/pinned/copy', megabyte(2));
      await harness.writeHot('/training-data/exported/copy', megabyte(3));
      await harness.writeOrigin('/training-data/exported/copy', megabyte(3));
      await harness.writeHot('/results/only-copy', megabyte(4));
      await harness.writeHot('/training-data/changed/same-size', megabyte(5));
      await harness.writeOrigin('/training-data/changed/same-size', megabyte(6));
      await harness.writeHot('/training-data/young/copy', megabyte(7));
      await harness.writeOrigin('/training-data/young/copy', megabyte(7));
      await tier.reserve({ owner: OWNER, key: 'pin', path: '/training-data/pinned', bytes: 0, expiresAt: inSeconds(600) });
      await tier.createExport({ ...exportRequest('e', 0, 'read-only'), path: '/training-data/exported' });
      const reserve = (key: string, bytes: number) => tier.reserve({ owner: OWNER, key, path: `/stage/${key}`, bytes, expiresAt: inSeconds(600) });

      await reserve('one', 3_000_000);
      assert.equal(await harness.readHot('/training-data/old/copy'), undefined);
      assert.notEqual(await harness.readHot('/training-data/young/copy'), undefined);
      const refused = await refusesWith('OutOfSpace', reserve('two', 2_000_000));
      assert.match(refused.message, /capacity 8000000/);
      for (const kept of ['/training-data/pinned/copy', '/training-data/exported/copy', '/results/only-copy', '/training-data/changed/same-size']) {
        assert.equal((await harness.readHot(kept))?.length, 1_000_000, `${kept} stays`);
      }
    });

    test('holdings are given back by kind, again and again', async () => {
      await harness.writeHot('/home/h/file', 'x');
      const held = { owner: OWNER, path: '/home/h', expiresAt: inSeconds(600) };
      const made = await tier.createExport({ ...exportRequest('h', 10), ...held });
      const snapshot = await tier.createSnapshot({ ...held, key: 's' });
      const reservation = await tier.reserve({ ...held, key: 'r', bytes: 5 });
      assert.deepEqual(await tier.holdings(OWNER), { exports: [made], snapshots: [snapshot], reservations: [reservation] });
      assert.deepEqual(await tier.holdings('another'), { exports: [], snapshots: [], reservations: [] });
      for (let repeat = 0; repeat < 2; repeat++) {
        assert.deepEqual(await tier.releaseHoldings(OWNER, ['exports', 'reservations']), { exports: [], snapshots: [snapshot], reservations: [] });
      }
      await tier.releaseHoldings(OWNER, ['snapshots']);
      assert.equal(await harness.readContent(snapshot.contentPath, 'file'), undefined);
    });

    test('no path leads out of the tier: not by dots, not by doubled slashes, not by a link', async () => {
      await harness.linkHot('/home/trap', '/etc');
      for (const path of ['/home/../etc', 'home/u', '/home//u', '/home/./u', '/home/u\u0000', '/home/u\n', '/home/trap', '/home/trap/passwd']) {
        await refusesWith('Denied', tier.locate(path));
        await refusesWith('Denied', tier.createExport({ ...exportRequest('x', 0), path }));
        await refusesWith('Denied', tier.createSnapshot({ owner: OWNER, key: 'x', path, expiresAt: inSeconds(600) }));
        await refusesWith('Denied', tier.reserve({ owner: OWNER, key: 'x', path, bytes: 1, expiresAt: inSeconds(600) }));
        await refusesWith('Denied', tier.prefetch({ owner: OWNER, key: 'x', path, bytesPerSecond: 1 }));
      }
      assert.equal((await tier.locate('/home')).files, 0, 'nothing behind the link counts');
    });

    test('what cannot be meant is refused with the name of its field', async () => {
      const floorAboveCeiling = { ...exportRequest('u', 0), qos: { floorBytesPerSecond: 2, ceilingBytesPerSecond: 1 } };
      assert.match((await refusesWith('InvalidInput', tier.createExport(floorAboveCeiling))).message, /qos\.floorBytesPerSecond/);
      assert.match((await refusesWith('InvalidInput', tier.createExport({ ...exportRequest('u', 0), expiresAt: inSeconds(-1) }))).message, /expiresAt/);
      assert.match((await refusesWith('InvalidInput', tier.createExport({ ...exportRequest('u', 0), clients: [] }))).message, /clients/);
      assert.match((await refusesWith('InvalidInput', tier.reserve({ owner: '', key: 'k', path: '/a', bytes: -1, expiresAt: inSeconds(1) }))).message, /bytes/);
    });

    test('the audit log says who did what below a path, refusals too, page by page', async () => {
      await tier.createExport(exportRequest('audited', 600));
      await refusesWith('FloorUnavailable', tier.createExport({ ...exportRequest('greedy', 600), owner: 'another', path: '/home/audited/deep' }));
      await tier.locate('/home/audited-not');
      await tier.releaseHoldings(OWNER, ['exports']);
      const entries = await tier.auditLog('/home/audited');
      const seen = entries.map(({ actor, operation, outcome }) => `${actor} ${operation} ${outcome}`);
      assert.deepEqual(seen, [`${OWNER} exports.create allowed`, 'another exports.create refused', `${OWNER} holdings.release allowed`]);
      const [first, ...rest] = entries;
      assert.deepEqual(await tier.auditLog('/home/audited', { after: first?.sequence ?? 0, limit: 1 }), rest.slice(0, 1));
      assert.deepEqual(await tier.auditLog('/home/audited', { after: entries.at(-1)?.sequence ?? 0 }), []);
    });

    test('no name can forge an entry of the audit log', async () => {
      await refusesWith('Denied', tier.locate('/home/x\r\n{"sequence":1}\u001b[2Jforged'));
      const [entry] = (await tier.auditLog('/home')).filter(({ outcome }) => outcome === 'refused');
      assert.match(entry?.path ?? '', /^\/home\/x\\u000d\\u000a.*\\u001b\[2Jforged$/);
    });
  });
}
