/** The cold tier's contract, driven by the SDK over the wire, against an S3 server whose archive classes are real. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { createArchivedEndpoint } from '../../datapath/packs/archived-endpoint.ts';
import { storePacked } from '../../datapath/packs/store-packed.ts';
import { checkManifest } from '../../datapath/transfer/check.ts';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { seededBytes } from '../../dev/job/job.ts';
import { createS3ColdTier } from '../../drivers/cold-tier/s3.ts';
import { probeColdAbilities } from '../../drivers/probes/cold-abilities.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, startTestColdTier, type TestColdTier } from '../support/cold-tier.ts';

const CONTENT = Buffer.from('written once, read years later\n');
let cold: TestColdTier;
let number = 0;
/** Of each test its own. */
let key: string;

before(async () => {
  cold = await startTestColdTier();
});
after(() => cold.stop());
beforeEach(() => {
  number += 1;
  key = `object-${number}`;
});

const pass = (milliseconds: number): void => {
  cold.clock.now += milliseconds;
};
const archive = () => cold.archive.writeBytes('data', key, CONTENT);
const state = () => cold.tier.state('data', key);
const restore = (tier: 'expedited' | 'standard' | 'bulk', days = 1) => cold.tier.restore('data', key, { tier, days });
/** What S3 answers by itself, status and code. */
const refusalOf = (answer: Promise<unknown>): Promise<[number | undefined, string] | undefined> =>
  answer.then(
    () => undefined,
    (error: unknown) => (error instanceof S3ServiceException ? [error.$metadata.httpStatusCode, error.name] : Promise.reject(error)),
  );

describe('an archived object', () => {
  test('is not read before it is restored, and reads as it was written while it is', async () => {
    await archive();
    assert.deepEqual(await state(), { kind: 'archived', storageClass: 'GLACIER' });
    await assert.rejects(cold.objects.readBytes('data', key), { name: 'RestorePending', message: /penstock recall/ });
    assert.equal(await restore('standard', 2), 'asked');
    assert.deepEqual(await state(), { kind: 'restoring', storageClass: 'GLACIER' });
    await assert.rejects(cold.objects.readBytes('data', key), { name: 'RestorePending' });
    pass(5 * HOUR_MS);
    const restored = await state();
    assert.equal(restored?.kind, 'restored');
    assert.deepEqual(await cold.objects.readBytes('data', key), CONTENT);
    assert.deepEqual(await cold.objects.readBytes('data', key, { range: { start: 8, end: 11 } }), CONTENT.subarray(8, 12));
  });

  test('is archived again when its copy expires, and is asked for again', async () => {
    await archive();
    await restore('expedited');
    pass(5 * MINUTE_MS);
    const first = await state();
    assert.ok(first?.kind === 'restored');
    assert.equal(new Date(first.until).getUTCHours(), 0, 'copies end at a midnight');
    pass(Date.parse(first.until) - cold.clock.now);
    assert.deepEqual(await state(), { kind: 'archived', storageClass: 'GLACIER' });
    await assert.rejects(cold.objects.readBytes('data', key), { name: 'RestorePending' });
    assert.equal(await restore('expedited'), 'asked');
  });

  test('asked for while it is being restored is no error, and by a faster tier it comes sooner', async () => {
    await archive();
    assert.equal(await restore('bulk'), 'asked');
    assert.equal(await restore('bulk'), 'under-way');
    assert.equal(await restore('standard'), 'asked');
    assert.equal(await restore('bulk'), 'under-way');
    pass(5 * HOUR_MS);
    assert.equal((await state())?.kind, 'restored');
  });

  test('asked for while its copy is there keeps it for longer', async () => {
    await archive();
    await restore('expedited');
    pass(5 * MINUTE_MS);
    const before = await state();
    assert.equal(await restore('bulk', 5), 'extended');
    const later = await state();
    assert.ok(before?.kind === 'restored' && later?.kind === 'restored');
    assert.equal(Date.parse(later.until) - Date.parse(before.until), 4 * DAY_MS);
  });

  test('that was never archived is read at once, and asking for it is no error', async () => {
    await cold.objects.writeBytes('data', key, CONTENT);
    assert.deepEqual(await state(), { kind: 'readable' });
    assert.equal(await restore('standard'), 'readable');
    assert.deepEqual(await cold.objects.readBytes('data', key), CONTENT);
  });

  test('that is not there is told as such', async () => {
    assert.equal(await state(), undefined);
    await assert.rejects(restore('standard'), { name: 'NotFound' });
  });

  test('of the deep class has no expedited tier, and takes longer', async () => {
    await cold.objects.writeBytes('data', key, CONTENT, { storageClass: 'DEEP_ARCHIVE' });
    await assert.rejects(restore('expedited'), { name: 'InvalidInput', message: /not supported by this storage class/ });
    assert.equal(await restore('standard'), 'asked');
    pass(12 * HOUR_MS - 1);
    assert.deepEqual(await state(), { kind: 'restoring', storageClass: 'DEEP_ARCHIVE' });
    pass(1);
    assert.equal((await state())?.kind, 'restored');
  });

  test('waits where the store has no capacity for its tier now, and is taken by another', async () => {
    await archive();
    for (const other of ['full-a', 'full-b']) {
      await cold.archive.writeBytes('data', other, CONTENT);
      await cold.tier.restore('data', other, { tier: 'expedited', days: 1 });
    }
    await assert.rejects(restore('expedited'), { name: 'RestorePending', message: /expedited retrievals are currently not available.*another --tier/ });
    assert.equal(await restore('standard'), 'asked');
    pass(HOUR_MS);
  });

  test('written in parts, under a lock, or over another version is archived the same, across a restart of its store', async () => {
    const upload = await cold.archive.beginUpload('data', key);
    const part = await cold.objects.writePart(upload, 1, CONTENT);
    await cold.objects.completeUpload(upload, [part], { bytes: CONTENT.length });
    const retention = { mode: 'COMPLIANCE', retainUntil: new Date(Date.now() + 3600_000).toISOString() } as const;
    await cold.archive.writeBytes('locked', key, CONTENT, { retention });
    await cold.restart();
    assert.equal((await state())?.kind, 'archived');
    assert.equal((await cold.tier.state('locked', key))?.kind, 'archived');
    assert.equal((await cold.objects.retention('locked', key))?.mode, 'COMPLIANCE');
    await cold.objects.writeBytes('data', key, CONTENT);
    assert.equal((await state())?.kind, 'readable');
  });

  test('is no source of a copy', async () => {
    await archive();
    const facts = await cold.objects.head('data', key);
    assert.ok(facts);
    const source = { bucket: 'data', key, etag: facts.etag, totalBytes: facts.bytes };
    await assert.rejects(cold.objects.copyObject(source, 'data', `${key}-copy`), { name: 'RestorePending' });
  });

  test('is not asked for by a stranger', async () => {
    await archive();
    const stranger = createS3ColdTier({
      ...cold.gateway.options,
      endpoint: String(await cold.sdk.config.endpoint?.().then(urlOf)),
      credentials: { accessKeyId: 'eve', secretAccessKey: 'x' },
    });
    await assert.rejects(stranger.restore('data', key, { tier: 'standard', days: 1 }), { name: 'Denied' });
  });
});

const urlOf = ({ protocol, hostname, port }: { protocol: string; hostname: string; port?: number | undefined }): string => `${protocol}//${hostname}:${port}`;

test('the emulator answers in the words of the documentation of RestoreObject and HeadObject', async () => {
  const object = { Bucket: 'data', Key: key };
  const ask = (Tier: 'Standard' | 'Bulk', Days = 1) =>
    cold.sdk.send(new RestoreObjectCommand({ ...object, RestoreRequest: { Days, GlacierJobParameters: { Tier } } }));
  const head = () => cold.sdk.send(new HeadObjectCommand(object));
  await cold.sdk.send(new PutObjectCommand({ ...object, Body: 'cold', StorageClass: 'GLACIER' }));
  assert.deepEqual([(await head()).StorageClass, (await head()).Restore], ['GLACIER', undefined]);
  assert.deepEqual(await refusalOf(cold.sdk.send(new GetObjectCommand(object))), [403, 'InvalidObjectState']);
  assert.deepEqual(await refusalOf(cold.sdk.send(new CopyObjectCommand({ ...object, Key: 'copy', CopySource: `data/${key}` }))), [
    403,
    'ObjectNotInActiveTierError',
  ]);
  assert.equal((await ask('Standard')).$metadata.httpStatusCode, 202);
  assert.equal((await head()).Restore, 'ongoing-request="true"');
  assert.deepEqual(await refusalOf(ask('Bulk')), [409, 'RestoreAlreadyInProgress']);
  pass(5 * HOUR_MS);
  assert.match((await head()).Restore ?? '', /^ongoing-request="false", expiry-date="\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT"$/);
  assert.equal((await ask('Bulk', 3)).$metadata.httpStatusCode, 200);
  assert.equal(await (await cold.sdk.send(new GetObjectCommand(object))).Body?.transformToString(), 'cold');
  assert.deepEqual(await refusalOf(ask('Standard', 0)), [400, 'InvalidArgument']);
  assert.deepEqual(await refusalOf(cold.sdk.send(new RestoreObjectCommand({ ...object, RestoreRequest: { Description: 'no days' } }))), [400, 'MalformedXML']);
  await cold.sdk.send(new PutObjectCommand({ ...object, Key: 'warm', Body: 'warm' }));
  assert.deepEqual(await refusalOf(cold.sdk.send(new RestoreObjectCommand({ Bucket: 'data', Key: 'warm', RestoreRequest: { Days: 1 } }))), [
    403,
    'InvalidObjectState',
  ]);
  assert.deepEqual(await refusalOf(cold.sdk.send(new RestoreObjectCommand({ Bucket: 'data', Key: 'nobody', RestoreRequest: { Days: 1 } }))), [
    404,
    'NoSuchKey',
  ]);
});

test('doctor finds by effect that a store archives and restores, which is needed where the site file says so', async () => {
  const ofArchive = async (endpoint: TestColdTier['sdk'], isArchiving: boolean) => {
    const results = await probeColdAbilities({ store: cold.objects, client: endpoint, bucket: 'locked', prefix: 'probe/' }, isArchiving);
    return results.filter(({ ability }) => ability !== 'SSE-C encrypts').map(({ works, isNeeded }) => [works, isNeeded]);
  };
  assert.deepEqual(await ofArchive(cold.sdk, true), [
    ['yes', true],
    ['yes', true],
  ]);
  const { endpoint, region, credentials } = cold.gateway.options;
  const gateway = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  assert.deepEqual(await ofArchive(gateway, false), [
    ['no', false],
    ['no', false],
  ]);
  gateway.destroy();
});

test('many small files lie in one pack, a large one by itself; a repeat stores nothing twice, and one file is read by its range alone', async () => {
  const files = new Map([
    ...Array.from({ length: 40 }, (_, index) => [`run/${index}.bin`, seededBytes(`small/${index}`, 1000 + index)] as const),
    ['weights.bin', seededBytes('large', 17 * 2 ** 20)],
  ]);
  for (const [path, content] of files) await cold.gateway.store.writeBytes('data', `from/${path}`, content);
  const source = createObjectEndpoint(cold.gateway.store, 'data', 'from');
  const { entries } = await source.list();
  const target = createObjectEndpoint(cold.archive, 'data', 'packed');
  const place = { store: cold.archive, bucket: 'data', base: 'packed/' };
  const store = (attempt: string, at = place) => storePacked({ source, target, place: at, entries, attempt, concurrency: 4 });
  const { done, failed } = await store('1');
  assert.deepEqual(failed, []);
  const silent = { ...cold.archive, writeStream: () => Promise.reject(new Error('nothing is to be sent again')) };
  assert.deepEqual(await store('2', { ...place, store: silent }), { done, failed });
  const { entries: objects } = await cold.objects.list('data', 'packed/');
  assert.deepEqual([objects.length, done.length], [2, 41]);
  const wanted = done.find(({ path }) => path === 'run/7.bin');
  assert.ok(wanted?.packed);
  const packKey = `packed/${wanted.packed.key}`;
  assert.equal((await cold.tier.state('data', packKey))?.kind, 'archived');
  await cold.tier.restore('data', packKey, { tier: 'bulk', days: 1 });
  pass(12 * HOUR_MS);
  const home = createObjectEndpoint(cold.gateway.store, 'data', 'home');
  const recalled = await copyEntries({
    source: createArchivedEndpoint({ ...place, store: cold.objects }, [wanted]),
    target: home,
    entries: [wanted],
    attempt: '1',
    concurrency: 1,
  });
  assert.deepEqual(recalled.failed, []);
  assert.deepEqual(await cold.gateway.store.readBytes('data', 'home/run/7.bin'), files.get('run/7.bin'));
  const reads = (await cold.accesses()).filter(({ operation, key: read }) => operation === 'read' && read === packKey);
  const { offset, bytes } = wanted.packed;
  assert.deepEqual(
    reads.map(({ range }) => range),
    [`bytes ${offset}-${offset + wanted.bytes - 1}/${bytes}`],
  );
});

test('a check of packs asks the store for each pack once; what is archived cannot be read, and a pack that was replaced or removed is found in all its files', async () => {
  const files = new Map(Array.from({ length: 9 }, (_, index) => [`run/${index}.bin`, seededBytes(`checked/${index}`, 1000 + index)] as const));
  for (const [path, content] of files) await cold.gateway.store.writeBytes('data', `unchecked/${path}`, content);
  const source = createObjectEndpoint(cold.gateway.store, 'data', 'unchecked');
  const { entries } = await source.list();
  const asked: string[] = [];
  const head = (...args: Parameters<typeof cold.archive.head>) => {
    asked.push(args[1]);
    return cold.archive.head(...args);
  };
  const place = { store: { ...cold.archive, head }, bucket: 'data', base: 'checked/' };
  const { done } = await storePacked({ source, target: createObjectEndpoint(cold.archive, 'data', 'checked'), place, entries, attempt: '1', concurrency: 4 });
  const packKey = `checked/${done[0]?.packed?.key}`;
  const check = async (read: 'where-needed' | 'always') => {
    const target = createArchivedEndpoint(place, done);
    const found = await checkManifest({ entries: done, target, read, extra: {} });
    return { counts: [found.same.count, found.missing.count, found.differing.count, found.unreadable.count, found.extra.count], found };
  };
  asked.length = 0;
  assert.deepEqual((await check('where-needed')).counts, [9, 0, 0, 0, 0]);
  assert.deepEqual(asked, [packKey]);
  assert.deepEqual((await check('always')).counts, [0, 0, 0, 9, 0]);
  await cold.tier.restore('data', packKey, { tier: 'bulk', days: 1 });
  pass(12 * HOUR_MS);
  assert.deepEqual((await check('always')).counts, [9, 0, 0, 0, 0]);
  await cold.objects.writeBytes('data', packKey, Buffer.from('another one'));
  const replaced = await check('where-needed');
  assert.deepEqual(replaced.counts, [0, 0, 9, 0, 0]);
  assert.match(replaced.found.differing.examples[0] ?? '', /its pack .penstock\/packs\/\S+ is another one: 11 bytes of version/);
  await cold.objects.remove('data', packKey);
  assert.deepEqual((await check('where-needed')).counts, [0, 9, 0, 0, 0]);
});

test('a pack of which the store has no checksum on record, or another, is not taken for stored', async () => {
  for (const path of ['a', 'b']) await cold.gateway.store.writeBytes('data', `proven/${path}`, Buffer.from(path));
  const source = createObjectEndpoint(cold.gateway.store, 'data', 'proven');
  const { entries } = await source.list();
  for (const [base, crc32c] of [
    ['silent/', undefined],
    ['other/', 'AAAAAA=='],
  ] as const) {
    const told = { ...cold.archive, head: async (...asked: Parameters<typeof cold.archive.head>) => withCrc32c(await cold.archive.head(...asked), crc32c) };
    const place = { store: told, bucket: 'data', base };
    const stored = storePacked({ source, target: createObjectEndpoint(told, 'data', base), place, entries, attempt: '1', concurrency: 4 });
    await assert.rejects(stored, { name: 'PolicyRefused', message: new RegExp(`the store has ${crc32c ?? 'none'} on record.*The sources are kept`) });
  }
});

const withCrc32c = <Facts extends object>(facts: Facts | undefined, crc32c: string | undefined) => facts && { ...facts, crc32c };

test('a source that changed keeps its pack from being stored, and is named', async () => {
  for (const path of ['a', 'b']) await cold.gateway.store.writeBytes('data', `changing/${path}`, Buffer.from(path));
  const source = createObjectEndpoint(cold.gateway.store, 'data', 'changing');
  const { entries } = await source.list();
  await cold.gateway.store.writeBytes('data', 'changing/b', Buffer.from('B'));
  const place = { store: cold.archive, bucket: 'data', base: 'unpacked/' };
  const { done, failed } = await storePacked({
    source,
    target: createObjectEndpoint(cold.archive, 'data', 'unpacked'),
    place,
    entries,
    attempt: '1',
    concurrency: 4,
  });
  assert.deepEqual([done, failed.map(({ path, type }) => [path, type])], [[], [['b', 'SourceChanged']]]);
  assert.deepEqual((await cold.objects.list('data', 'unpacked/')).entries, []);
});
