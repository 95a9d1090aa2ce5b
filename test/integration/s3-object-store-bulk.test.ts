/** The bulk path's promises, against a real versitygw: reads into buffers, uploads in parts, copies within the service. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { FOREIGN_ALGORITHMS, foreignOf } from '../../datapath/transfer/foreign-checksum.ts';
import type { CopySource, ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { startGatewayWithBuckets, type TestGateway } from '../support/s3-gateway.ts';
import { closers, wire } from './s3-object-store-wire-servers.ts';

const MIB = 2 ** 20;
const ODD_KEYS = ['a b', 'ümläut/日本', '100%', 'a+b=c&d', '😀/x', `it's "quoted"`, '(a)!*~', '%41', 'a;b,c:d@e$f', 'semi#hash?query'];
const hello = Buffer.from('hello');
let gateway: TestGateway;
let store: ObjectStore;

before(async () => {
  gateway = await startGatewayWithBuckets();
  store = gateway.store;
});
after(async () => {
  await Promise.all(closers.map((close) => close()));
  await gateway.stop();
});

/** Different everywhere, so that no displaced byte goes unseen. */
function content(bytes: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) buffer.writeUInt32LE((at * 2654435761 + seed) >>> 0, at);
  return buffer;
}

async function sourceOf(key: string, body: Buffer, metadata?: Record<string, string>): Promise<CopySource> {
  const { etag } = await store.writeBytes('data', key, body, metadata ? { metadata } : {});
  return { bucket: 'data', key, etag, totalBytes: body.length };
}

describe('readInto', () => {
  it('fills the buffer from any place, and says what the object has', async () => {
    const body = content(3 * MIB + 7);
    const { etag } = await sourceOf('r/large', body, { 'penstock-mtime': 'x' });
    const into = Buffer.alloc(MIB);
    const middle = await store.readInto('data', 'r/large', into, { start: MIB, ifMatch: etag });
    const readCrc32c = crc32cOf(body.subarray(MIB, 2 * MIB));
    assert.deepEqual(middle, { bytes: MIB, totalBytes: body.length, etag, crc32c: undefined, readCrc32c, metadata: { 'penstock-mtime': 'x' } });
    assert.ok(into.equals(body.subarray(MIB, 2 * MIB)));
    const end = await store.readInto('data', 'r/large', into, { start: 3 * MIB });
    assert.deepEqual([end.bytes, into.subarray(0, 7).equals(body.subarray(3 * MIB))], [7, true]);
    const behind = await store.readInto('data', 'r/large', into, { start: body.length });
    assert.deepEqual([behind.bytes, behind.totalBytes], [0, body.length]);
    const whole = Buffer.alloc(body.length);
    assert.equal((await store.readInto('data', 'r/large', whole, { totalBytes: body.length })).crc32c, crc32cOf(body));
    assert.ok(whole.equals(body));
  });

  it('of nothing works: an empty object, a buffer of no bytes', async () => {
    const { etag } = await sourceOf('r/empty', Buffer.alloc(0));
    for (const size of [0, 10]) {
      const answer = await store.readInto('data', 'r/empty', Buffer.alloc(size), { ifMatch: etag, totalBytes: 0 });
      assert.deepEqual([answer.bytes, answer.totalBytes, answer.crc32c], [0, 0, 'AAAAAA==']);
    }
    assert.equal((await store.readInto('data', 'r/empty', Buffer.alloc(10))).bytes, 0);
    await assert.rejects(store.readInto('data', 'r/empty', Buffer.alloc(0), { ifMatch: '"stale"' }), { name: 'SourceChanged' });
    await assert.rejects(store.readInto('data', 'r/none', Buffer.alloc(0)), { name: 'NotFound' });
  });

  it('tells what changed, what is not there, and what has rotted', async () => {
    await sourceOf('r/x', content(5000));
    await assert.rejects(store.readInto('data', 'r/none', Buffer.alloc(10)), { name: 'NotFound' });
    await assert.rejects(store.readInto('nowhere', 'x', Buffer.alloc(10)), { name: 'NotFound' });
    await assert.rejects(store.readInto('data', 'r/x', Buffer.alloc(10), { ifMatch: '"stale"' }), { name: 'SourceChanged' });
    await assert.rejects(store.readInto('data', 'r/x', Buffer.alloc(100), { totalBytes: 100 }), { name: 'SourceChanged' });
    await assert.rejects(store.readInto('data', 'r/x', Buffer.alloc(6000), { totalBytes: 6000 }), { name: 'SourceChanged' });
    const file = join(gateway.root, 'data/r/x');
    const bytes = await readFile(file);
    bytes[2500] = 0xff ^ (bytes[2500] ?? 0);
    await writeFile(file, bytes);
    await assert.rejects(store.readInto('data', 'r/x', Buffer.alloc(5000), { totalBytes: 5000 }), { name: 'ChecksumMismatch' });
  });

  it('and every other method takes any key, to the very character', async () => {
    const into = Buffer.alloc(64);
    for (const key of ODD_KEYS) {
      const body = Buffer.from(key);
      const { etag } = await store.writeBytes('data', `odd/${key}`, body, { ifNoneMatch: true });
      const { bytes } = await store.readInto('data', `odd/${key}`, into, { ifMatch: etag });
      assert.equal(into.toString('utf8', 0, bytes), key);
      await store.copyObject({ bucket: 'data', key: `odd/${key}`, etag, totalBytes: body.length }, 'data', `odd2/${key}`);
      const upload = await store.beginUpload('data', `odd3/${key}`);
      await store.completeUpload(upload, [await store.writePart(upload, 1, body)], { bytes: body.length });
      for (const copy of ['odd2', 'odd3']) assert.equal((await store.readBytes('data', `${copy}/${key}`)).toString(), key);
    }
    const { entries } = await store.list('data', 'odd/');
    assert.deepEqual(entries.map((entry) => entry.key).sort(), ODD_KEYS.map((key) => `odd/${key}`).sort());
  });
});

describe('a write of one buffer', () => {
  it('believes the checksum it is given, and the store does not', async () => {
    const written = await store.writeBytes('data', 'w/x', hello, { crc32c: crc32cOf(hello), contentType: 'text/plain' });
    assert.equal(written.crc32c, crc32cOf(hello));
    await assert.rejects(store.writeBytes('data', 'w/bad', hello, { crc32c: 'AAAAAA==' }), { name: 'ChecksumMismatch' });
    assert.equal(await store.head('data', 'w/bad'), undefined);
    await assert.rejects(store.writeBytes('data', 'w/bad', hello, { metadata: { name: 'line\r\nx-amz-acl: public-read' } }), { name: 'InvalidInput' });
  });

  it('that must be the first has one winner of many', async () => {
    const rivals = Array.from({ length: 8 }, (_, index) => Buffer.alloc(100, index));
    const outcomes = await Promise.allSettled(rivals.map((body) => store.writeBytes('data', 'w/race', body, { ifNoneMatch: true })));
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal(outcome.reason.name, 'Conflict');
  });
});

describe('a directory’s marker', () => {
  it('is written, found, listed, copied and removed, and holds nothing', async () => {
    const nothing = Buffer.alloc(0);
    const { etag } = await store.writeBytes('data', 'm/dir/', nothing, { metadata: { mode: '755' }, ifNoneMatch: true });
    await assert.rejects(store.writeBytes('data', 'm/dir/', nothing, { ifNoneMatch: true }), { name: 'Conflict' });
    await assert.rejects(store.writeBytes('data', 'm/dir/', hello), { name: 'InvalidInput' });
    await assert.rejects(store.beginUpload('data', 'm/dir/'), { name: 'InvalidInput' });
    assert.equal(await store.head('data', 'm/dir'), undefined);
    assert.deepEqual((await store.head('data', 'm/dir/'))?.metadata, { mode: '755' });
    assert.equal((await store.readInto('data', 'm/dir/', nothing, { ifMatch: etag })).totalBytes, 0);
    await store.copyObject({ bucket: 'data', key: 'm/dir/', etag, totalBytes: 0 }, 'data', 'm/dir2/', { metadata: { mode: '700' } });
    const { entries } = await store.list('data', 'm/');
    assert.deepEqual(
      entries.map(({ key, bytes }) => [key, bytes]),
      [
        ['m/dir/', 0],
        ['m/dir2/', 0],
      ],
    );
    await store.remove('data', 'm/dir/');
    assert.equal(await store.head('data', 'm/dir/'), undefined);
  });
});

describe('an upload in parts', () => {
  it('is shared by its id alone, lists what came, and is there when it is completed', async () => {
    const other = createS3ObjectStore(gateway.options);
    assert.equal(other.service, store.service);
    const pieces = [content(5 * MIB, 1), content(5 * MIB, 2), content(3, 3)];
    const whole = Buffer.concat(pieces);
    const upload = await store.beginUpload('data', 'u/x', { metadata: { name: 'value' } });
    const parts = await Promise.all(pieces.map((piece, index) => (index % 2 ? store : other).writePart({ ...upload }, index + 1, piece)));
    await store.writePart(upload, 1, pieces[0] ?? hello, { crc32c: parts[0]?.crc32c ?? '' });
    assert.deepEqual(await other.listParts(upload), parts);
    assert.equal(await store.head('data', 'u/x'), undefined);
    await assert.rejects(store.completeUpload(upload, parts, { bytes: whole.length, crc32c: 'AAAAAA==' }), { name: 'ChecksumMismatch' });
    const done = await other.completeUpload(upload, parts, { bytes: whole.length, crc32c: crc32cOf(whole), ifNoneMatch: true });
    assert.equal(done.crc32c, crc32cOf(whole));
    const facts = await store.head('data', 'u/x');
    assert.deepEqual([facts?.bytes, facts?.crc32c, facts?.etag, facts?.metadata], [whole.length, crc32cOf(whole), done.etag, { name: 'value' }]);
    const into = Buffer.alloc(whole.length);
    await store.readInto('data', 'u/x', into, { totalBytes: whole.length });
    assert.ok(into.equals(whole));
  });

  it('has one winner where it must be the first', async () => {
    const uploads = await Promise.all([1, 2, 3].map(() => store.beginUpload('data', 'u/race')));
    const parts = await Promise.all(uploads.map((upload, index) => store.writePart(upload, 1, Buffer.alloc(100, index))));
    const ends = uploads.map((upload, index) => store.completeUpload(upload, parts.slice(index, index + 1), { bytes: 100, ifNoneMatch: true }));
    const outcomes = await Promise.allSettled(ends);
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal(outcome.reason.name, 'Conflict');
  });

  it('refuses a part that is not its checksum, and is SessionLost once it is ended', async () => {
    const upload = await store.beginUpload('data', 'u/refused');
    await assert.rejects(store.writePart(upload, 1, hello, { crc32c: 'AAAAAA==' }), { name: 'ChecksumMismatch' });
    assert.deepEqual(await store.listParts(upload), []);
    await store.abandonUpload(upload);
    await store.abandonUpload(upload);
    await assert.rejects(store.writePart(upload, 1, hello), { name: 'SessionLost' });
    await assert.rejects(store.listParts(upload), { name: 'SessionLost' });
  });

  it('takes a part in blocks out of one buffer, its checksum before or behind', async () => {
    const blocks = [content(MIB + 5, 1), content(2 * MIB - 1, 2), content(3 * MIB, 3)];
    const whole = Buffer.concat(blocks);
    const buffer = Buffer.alloc(3 * MIB);
    const reused = async function* () {
      for (const block of blocks) {
        block.copy(buffer);
        yield buffer.subarray(0, block.length);
        buffer.fill(0xee);
      }
    };
    for (const options of [{}, { crc32c: crc32cOf(whole) }]) {
      const upload = await store.beginUpload('data', 'u/blocks');
      const part = await store.writePart(upload, 1, { bytes: whole.length, blocks: reused() }, options);
      assert.deepEqual([part.bytes, part.crc32c], [whole.length, crc32cOf(whole)]);
      assert.deepEqual(await store.listParts(upload), [part]);
      await store.completeUpload(upload, [part], { bytes: whole.length, crc32c: crc32cOf(whole) });
      assert.ok((await store.readBytes('data', 'u/blocks')).equals(whole));
    }
    const upload = await store.beginUpload('data', 'u/blocks');
    const wrong = { bytes: whole.length, blocks: reused() };
    await assert.rejects(store.writePart(upload, 1, wrong, { crc32c: 'AAAAAA==' }), { name: 'ChecksumMismatch' });
    const broken = (async function* (): AsyncGenerator<Buffer> {
      yield hello;
      throw new Error('the source broke');
    })();
    await assert.rejects(store.writePart(upload, 1, { bytes: 100, blocks: broken }), /the source broke/);
    await assert.rejects(
      store.writePart(upload, 1, {
        bytes: 100,
        blocks: (async function* () {
          yield hello;
        })(),
      }),
      { name: 'StoreUnavailable' },
    );
    await store.abandonUpload(upload);
  });

  it('is retained from its first moment where that is asked for', async () => {
    const retention = { mode: 'COMPLIANCE', retainUntil: new Date(Date.now() + 3_600_000).toISOString() } as const;
    await assert.rejects(store.beginUpload('data', 'u/kept', { retention }), { name: 'PolicyRefused' });
    const upload = await store.beginUpload('locked', 'u/kept', { retention });
    await store.completeUpload(upload, [await store.writePart(upload, 1, hello)], { bytes: 5, retention });
    const source = await sourceOf('u/source', hello);
    await store.copyObject(source, 'locked', 'u/copied', { retention });
    for (const key of ['u/kept', 'u/copied']) {
      assert.equal((await store.retention('locked', key))?.mode, 'COMPLIANCE');
      await assert.rejects(store.remove('locked', key), { name: 'Denied' });
    }
  });
});

describe('a copy within the service', () => {
  it('is the content under the new name with the new metadata, and of the version that was meant', async () => {
    const body = content(100_000);
    const source = await sourceOf('c/source', body, { old: 'x' });
    const copied = await store.copyObject(source, 'data', 'c/target', { metadata: { fresh: 'y' }, contentType: 'text/plain', ifNoneMatch: true });
    assert.deepEqual([copied.bytes, copied.crc32c], [body.length, crc32cOf(body)]);
    const facts = await store.head('data', 'c/target');
    assert.deepEqual([facts?.etag, facts?.crc32c, facts?.metadata], [copied.etag, crc32cOf(body), { fresh: 'y' }]);
    await assert.rejects(store.copyObject(source, 'data', 'c/target', { ifNoneMatch: true }), { name: 'Conflict' });
    await assert.rejects(store.copyObject({ ...source, etag: '"stale"' }, 'data', 'c/other'), { name: 'SourceChanged' });
    await assert.rejects(store.copyObject({ ...source, key: 'c/none' }, 'data', 'c/other'), { name: 'NotFound' });
    assert.equal(await store.head('data', 'c/other'), undefined);
  });

  it('tells the checksum that was asked for, by either path, and none of parts', async () => {
    const source = await sourceOf('c/asked', hello);
    for (const algorithm of FOREIGN_ALGORITHMS) {
      const foreign = { algorithm, value: await foreignOf(algorithm, hello) };
      const copied = await store.copyObject(source, 'data', 'c/told', { algorithm });
      assert.deepEqual([copied.crc32c, copied.foreign, (await store.head('data', 'c/told'))?.foreign], [undefined, foreign, foreign]);
    }
    let type = '';
    const requests: string[] = [];
    const server = await wire((head, socket) => {
      requests.push(`${/^x-amz-checksum-algorithm: (.*)$/im.exec(head)?.[1]} ${/aws-sdk/.test(head) ? 'by the SDK' : ''}`);
      const xml = `<CopyObjectResult><ETag>"e"</ETag><ChecksumSHA1>c2hhMQ==</ChecksumSHA1><ChecksumType>${type}</ChecksumType></CopyObjectResult>`;
      // Only the SDK understands what is told twice.
      if (type === 'FULL_OBJECT' && !head.includes('aws-sdk')) socket.write('HTTP/1.1 102 Processing\r\n\r\n');
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${xml.length}\r\n\r\n${xml}`);
    });
    const told = createS3ObjectStore({ ...gateway.options, endpoint: server.endpoint });
    for (type of ['COMPOSITE', 'FULL_OBJECT']) {
      const { foreign } = await told.copyObject(source, 'data', 'x', { algorithm: 'SHA1' });
      assert.deepEqual(foreign, type === 'COMPOSITE' ? undefined : { algorithm: 'SHA1', value: 'c2hhMQ==' });
    }
    assert.deepEqual(requests, ['SHA1 ', 'SHA1 ', 'SHA1 by the SDK']);
  });

  it('in parts is whole, and no checksum is believed that the store did not compute', async () => {
    const body = content(11 * MIB);
    const source = await sourceOf('c/large', body);
    const upload = await store.beginUpload('data', 'c/parts', { isCopied: true });
    await assert.rejects(store.copyPart(upload, 1, { ...source, etag: '"stale"', start: 0, bytes: 6 * MIB }), { name: 'SourceChanged' });
    const parts = [
      await store.copyPart(upload, 1, { ...source, start: 0, bytes: 6 * MIB }),
      await store.copyPart(upload, 2, { ...source, start: 6 * MIB, bytes: 5 * MIB }),
    ];
    assert.deepEqual(await store.listParts(upload), parts);
    const done = await store.completeUpload(upload, parts, { bytes: body.length, crc32c: crc32cOf(body) });
    assert.ok(done.crc32c === undefined || done.crc32c === crc32cOf(body));
    assert.ok((await store.readBytes('data', 'c/parts')).equals(body));
    const compared = await store.beginUpload('data', 'c/compared');
    await assert.rejects(store.copyPart(compared, 1, { ...source, start: 0, bytes: 6 * MIB }), { name: 'PolicyRefused' });
    await store.abandonUpload(compared);
  });
});

describe('names below a prefix', () => {
  it('are those that have keys below them', async () => {
    for (const key of ['n/b/1', 'n/a/1', 'n/a/2/3', 'n/file', 'n/ü+ b/1']) await store.writeBytes('data', key, hello);
    assert.deepEqual(await store.listPrefixes('data', 'n/'), ['n/a/', 'n/b/', 'n/ü+ b/']);
    assert.deepEqual(await store.listPrefixes('data', 'n/a/'), ['n/a/2/']);
    assert.deepEqual(await store.listPrefixes('data', 'none/'), []);
    await assert.rejects(store.listPrefixes('nowhere', ''), { name: 'NotFound' });
  });
});
