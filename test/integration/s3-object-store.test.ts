/** The object store's promises, against a real versitygw. Where the store itself is the guarantee, a raw client tries to break it. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { createS3Client } from '../../drivers/object-store/s3-client.ts';
import { listenForHttp, stopServer } from '../support/loopback-server.ts';
import { startGatewayWithBuckets, type TestGateway } from '../support/s3-gateway.ts';

const MIB = 2 ** 20;
let gateway: TestGateway;
let store: ObjectStore;

before(async () => {
  gateway = await startGatewayWithBuckets();
  store = gateway.store;
});
after(() => gateway.stop());

const hello = Buffer.from('hello');
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

describe('a bucket', () => {
  it('is made once, and Object Lock is never believed to be there when it is not', async () => {
    await store.ensureBucket('data');
    await store.ensureBucket('locked', { objectLock: true });
    await assert.rejects(store.ensureBucket('data', { objectLock: true }), { name: 'Conflict' });
  });

  it('lists more than a page in order, behind any key', async () => {
    const keys = Array.from({ length: 1203 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
    for (let index = 0; index < keys.length; index += 50) {
      await Promise.all(keys.slice(index, index + 50).map((key) => store.writeBytes('data', key, hello)));
    }
    const first = await store.list('data', 'many/');
    assert.equal(first.entries.length, 1000);
    const second = await store.list('data', 'many/', { after: first.next ?? '' });
    assert.equal(second.next, undefined);
    assert.deepEqual(
      [...first.entries, ...second.entries].map((entry) => entry.key),
      keys,
    );
    const some = await store.list('data', 'many/', { after: 'many/00499x', limit: 2 });
    assert.deepEqual(
      some.entries.map((entry) => entry.key),
      ['many/00500', 'many/00501'],
    );
  });

  it('that is not there is NotFound', async () => {
    await assert.rejects(store.list('nowhere', ''), { name: 'NotFound' });
    await assert.rejects(store.writeBytes('nowhere', 'x', hello), { name: 'NotFound' });
    assert.equal(await store.head('nowhere', 'x'), undefined);
  });
});

describe('a write', () => {
  it('says what it wrote, and so does the store', async () => {
    const written = await store.writeBytes('data', 'w/small', hello, { metadata: { 'penstock-mtime': 'x' }, contentType: 'text/plain' });
    const facts = await store.head('data', 'w/small');
    assert.deepEqual([facts?.bytes, facts?.crc32c, facts?.etag, facts?.metadata], [5, crc32cOf(hello), written.etag, { 'penstock-mtime': 'x' }]);
    assert.equal((await store.readBytes('data', 'w/small')).toString(), 'hello');
    assert.equal((await store.readBytes('data', 'w/small', { range: { start: 1, end: 2 } })).toString(), 'el');
  });

  it('of several parts has one checksum of the whole, which the store verified', async () => {
    const content = Buffer.alloc(19 * MIB + 3, 'penstock');
    for (let index = 0; index + 4 <= content.length; index += 4096) content.writeUInt32LE(index, index);
    const written = await store.writeStream('data', 'w/large', Readable.from([content]), { expected: { bytes: content.length } });
    assert.deepEqual([written.bytes, written.crc32c], [content.length, crc32cOf(content)]);
    assert.equal((await store.head('data', 'w/large'))?.crc32c, crc32cOf(content));
    assert.ok((await store.readBytes('data', 'w/large', { limitBytes: 32 * MIB })).equals(content));
  });

  it('of a length nobody knows has a checksum of each part', async () => {
    const content = Buffer.alloc(19 * MIB + 3, 'penstock');
    const written = await store.writeStream('data', 'w/unknown', Readable.from([content]));
    assert.deepEqual([written.bytes, written.crc32c], [content.length, crc32cOf(content)]);
    assert.equal((await store.head('data', 'w/unknown'))?.crc32c, undefined);
    assert.ok((await store.readBytes('data', 'w/unknown', { limitBytes: 32 * MIB })).equals(content));
  });

  it('that must be the first has one winner of many, small or in parts', async () => {
    for (const size of [10, 9 * MIB]) {
      const rivals = Array.from({ length: 4 }, (_, index) => Buffer.alloc(size, index));
      const outcomes = await Promise.allSettled(rivals.map((body) => store.writeStream('data', `race/${size}`, Readable.from([body]), { ifNoneMatch: true })));
      const won = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
      assert.equal(won.length, 1);
      for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal(outcome.reason.name, 'Conflict');
      assert.ok((await store.readBytes('data', `race/${size}`)).equals(rivals[won[0] ?? -1] ?? Buffer.alloc(0)));
    }
  });

  it('that is to replace one version replaces no other, small or in parts', async () => {
    for (const size of [10, 9 * MIB]) {
      const key = `race/replaced-${size}`;
      const write = (fill: number, options = {}) => store.writeStream('data', key, Readable.from([Buffer.alloc(size, fill)]), options);
      const first = await write(1);
      const second = await write(2, { ifMatch: first.etag });
      await assert.rejects(write(3, { ifMatch: first.etag }), { name: 'Conflict' });
      await assert.rejects(write(3, { ifMatch: first.etag, expected: { bytes: size } }), { name: 'Conflict' });
      assert.deepEqual([(await store.head('data', key))?.etag, (await store.readBytes('data', key))[0]], [second.etag, 2]);
    }
  });

  it('is refused by the store itself where the bytes are not those the checksum is of', async () => {
    const raw = createS3Client(gateway.options);
    await assert.rejects(raw.send(new PutObjectCommand({ Bucket: 'data', Key: 'bad', Body: hello, ChecksumCRC32C: crc32cOf(Buffer.from('jello')) })), {
      name: 'BadDigest',
    });
    raw.destroy();
    assert.equal(await store.head('data', 'bad'), undefined);
  });

  it('leaves nothing, not even an unfinished upload, where content fails, differs or is called off', async () => {
    const failing = () =>
      Readable.from(
        (async function* () {
          yield Buffer.alloc(9 * MIB);
          throw new Error('the source broke');
        })(),
      );
    await assert.rejects(store.writeStream('data', 'f/broken', failing()), /the source broke/);
    const crc32c = crc32cOf(hello);
    await assert.rejects(store.writeStream('data', 'f/other', Readable.from([Buffer.alloc(9 * MIB)]), { expected: { crc32c } }), { name: 'ChecksumMismatch' });
    await assert.rejects(store.writeStream('data', 'f/short', Readable.from([hello]), { expected: { bytes: 6 } }), { name: 'StoreUnavailable' });
    const controller = new AbortController();
    const endless = Readable.from(
      (async function* () {
        for (let n = 0; ; n += 1) {
          if (n === 3) controller.abort();
          yield Buffer.alloc(9 * MIB);
        }
      })(),
    );
    await assert.rejects(store.writeStream('data', 'f/aborted', endless, { signal: controller.signal }), { name: 'AbortError' });
    assert.ok(endless.destroyed);
    const raw = createS3Client(gateway.options);
    assert.deepEqual((await raw.send(new ListMultipartUploadsCommand({ Bucket: 'data' }))).Uploads ?? [], []);
    raw.destroy();
    assert.deepEqual((await store.list('data', 'f/')).entries, []);
  });

  it('under a key that could mean another place is refused before anything is sent', async () => {
    for (const key of ['/abs', 'a//b', '../x', 'a/./b', 'line\nbreak', 'x\u0001']) {
      await assert.rejects(store.writeBytes('data', key, hello), { name: 'InvalidInput' });
      await assert.rejects(store.readBytes('data', key), { name: 'InvalidInput' });
      await assert.rejects(store.remove('data', key), { name: 'InvalidInput' });
    }
  });
});

describe('an upload nobody finished', () => {
  it('is swept once it is old', async () => {
    const raw = createS3Client(gateway.options);
    await raw.send(new CreateMultipartUploadCommand({ Bucket: 'data', Key: 'dead/x' }));
    assert.equal(await store.sweep?.('data', 'dead/', inSeconds(-3600)), 0);
    assert.equal(await store.sweep?.('data', 'other/', inSeconds(60)), 0);
    assert.equal(await store.sweep?.('data', 'dead/', inSeconds(60)), 1);
    assert.equal(await store.sweep?.('data', '', inSeconds(60)), 0);
    raw.destroy();
  });
});

describe('a read', () => {
  it('fails at its end where the bytes at rest are not those that were stored', async () => {
    await store.writeBytes('data', 'r/flipped', Buffer.alloc(100_000, 'x'));
    const file = join(gateway.root, 'data/r/flipped');
    const bytes = await readFile(file);
    bytes[50_000] = 0;
    await writeFile(file, bytes);
    await assert.rejects(store.readBytes('data', 'r/flipped'), { name: 'ChecksumMismatch' });
  });

  it('of what is not there is NotFound, of another version SourceChanged, of too much InvalidInput', async () => {
    await store.writeBytes('data', 'r/x', hello);
    await assert.rejects(store.read('data', 'r/none'), { name: 'NotFound' });
    await assert.rejects(store.read('data', 'r/x', { ifMatch: '"other"' }), { name: 'SourceChanged' });
    await assert.rejects(store.readBytes('data', 'r/x', { limitBytes: 4 }), { name: 'InvalidInput' });
  });

  it('ends within a second of being called off', async () => {
    const controller = new AbortController();
    await store.writeBytes('data', 'r/long', Buffer.alloc(8 * MIB));
    const content = await store.read('data', 'r/long', { signal: controller.signal });
    const end = content.toArray();
    controller.abort();
    await assert.rejects(end, { name: 'AbortError' });
  });
});

describe('a retention', () => {
  const retention = () => ({ mode: 'COMPLIANCE', retainUntil: inSeconds(3600) }) as const;

  it('is there from the first moment, small object or large, and cannot be shortened or deleted away', async () => {
    const held = retention();
    const large = Buffer.alloc(9 * MIB);
    const raw = createS3Client(gateway.options);
    for (const [key, body] of [
      ['small', hello],
      ['large', large],
    ] as const) {
      const { versionId } = await store.writeStream('locked', key, Readable.from([body]), { retention: held, ifNoneMatch: true });
      assert.equal((await store.retention('locked', key))?.mode, 'COMPLIANCE');
      await assert.rejects(store.remove('locked', key), { name: 'Denied' });
      await assert.rejects(store.remove('locked', key, { versionId: versionId ?? '' }), { name: 'Denied' });
      await assert.rejects(raw.send(new DeleteObjectCommand({ Bucket: 'locked', Key: key, VersionId: versionId })), { name: 'AccessDenied' });
      const shorter = { mode: 'COMPLIANCE', retainUntil: inSeconds(60) } as const;
      await assert.rejects(store.retain('locked', key, shorter), { name: 'Denied' });
      const Retention = { Mode: shorter.mode, RetainUntilDate: new Date(shorter.retainUntil) };
      await assert.rejects(raw.send(new PutObjectRetentionCommand({ Bucket: 'locked', Key: key, Retention })), { name: 'AccessDenied' });
      assert.ok((await store.readBytes('locked', key)).equals(body));
    }
    raw.destroy();
  });

  it('is extended, and setting it again changes nothing', async () => {
    await store.writeBytes('locked', 'extended', hello);
    assert.equal(await store.retention('locked', 'extended'), undefined);
    const first = retention();
    await store.retain('locked', 'extended', first);
    await store.retain('locked', 'extended', first);
    const longer = { mode: 'COMPLIANCE', retainUntil: inSeconds(7200) } as const;
    await store.retain('locked', 'extended', longer);
    const held = await store.retention('locked', 'extended');
    assert.equal(Math.floor(Date.parse(held?.retainUntil ?? '') / 1000), Math.floor(Date.parse(longer.retainUntil) / 1000));
  });

  it('is refused where the bucket cannot keep it, and nothing is written', async () => {
    await assert.rejects(store.writeBytes('data', 'unlockable', hello, { retention: retention() }), { name: 'PolicyRefused' });
    assert.equal(await store.head('data', 'unlockable'), undefined);
    await store.writeBytes('data', 'plain', hello);
    await assert.rejects(store.retain('data', 'plain', retention()), { name: 'PolicyRefused' });
    assert.equal(await store.retention('data', 'plain'), undefined);
  });

  it('that has none lets the object go', async () => {
    await store.writeBytes('locked', 'free', hello);
    await store.remove('locked', 'free');
    await store.remove('locked', 'free');
    assert.equal(await store.head('locked', 'free'), undefined);
  });
});

describe('a store that fails', () => {
  it('is throttled, away, or refuses us: each by its name, none by luck', async () => {
    const answers: Record<string, readonly [number, string]> = {
      slow: [503, 'SlowDown'],
      broken: [500, 'InternalError'],
      full: [507, 'XMinioStorageFull'],
      closed: [403, 'AccessDenied'],
    };
    const server = createServer((request, response) => {
      const [status, code] = answers[request.url?.split('/')[2]?.split('?')[0] ?? ''] ?? [400, 'BadRequest'];
      request
        .resume()
        .once('end', () => response.writeHead(status, { 'content-type': 'application/xml' }).end(`<Error><Code>${code}</Code><Message>no</Message></Error>`));
    });
    const failing = createS3ObjectStore({ ...gateway.options, name: 'cold', endpoint: await listenForHttp(server) });
    await assert.rejects(failing.writeBytes('b', 'slow', hello), { name: 'StoreThrottled', store: 'cold' });
    await assert.rejects(failing.writeBytes('b', 'broken', hello), { name: 'StoreUnavailable' });
    await assert.rejects(failing.writeBytes('b', 'full', hello), { name: 'OutOfSpace' });
    await assert.rejects(failing.writeBytes('b', 'closed', hello), { name: 'Denied' });
    await stopServer(server);
    await assert.rejects(failing.writeBytes('b', 'gone', hello), { name: 'StoreUnavailable' });
  });

  it('and cuts an answer short is not taken for one that is complete', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('only so much', () => response.destroy());
    });
    const cutting = createS3ObjectStore({ ...gateway.options, endpoint: await listenForHttp(server) });
    await assert.rejects(cutting.readBytes('b', 'x'), { name: 'StoreUnavailable' });
    await stopServer(server);
  });

  it('and refuses our key is Denied', async () => {
    const wrong = createS3ObjectStore({ ...gateway.options, credentials: { accessKeyId: 'penstock', secretAccessKey: 'wrong' } });
    await assert.rejects(wrong.list('data', ''), { name: 'Denied' });
  });
});

it('leaves no files of its own beside the objects', async () => {
  const names = await readdir(join(gateway.root, 'data'));
  assert.deepEqual(
    names.filter((name) => !['many', 'w', 'race', 'r', 'f', 'plain', 'dead', '.sgwtmp'].includes(name)),
    [],
  );
});
