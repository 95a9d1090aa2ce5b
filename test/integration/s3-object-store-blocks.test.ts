/** Long ranges read block by block: whole, no faster than they are used, and never into a buffer that was given back. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { foreignOf } from '../../datapath/transfer/foreign-checksum.ts';
import type { ObjectStore, ReadAnswer, ReadBlocksOptions } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';
import { eventually } from '../support/wait.ts';
import { closers, wire } from './s3-object-store-wire-servers.ts';

const KIB = 1024;
const BLOCK = 64 * KIB;
let gateway: TestGateway;

before(async () => {
  gateway = await startTestGateway();
  await gateway.store.ensureBucket('data');
});
after(async () => {
  await Promise.all(closers.map((close) => close()));
  await gateway.stop();
});

const storeAt = (endpoint: string): ObjectStore => createS3ObjectStore({ ...gateway.options, endpoint });
/** No two blocks alike, so that one left over from before is seen. */
const content = Buffer.from(Array.from({ length: 10 * BLOCK + 5 }, (_, index) => (index * 31 + (index >> 8) + (index >> 16) * 7) & 0xff));

function blocksOf(store: ObjectStore, key: string, options: ReadBlocksOptions, buffers = [Buffer.alloc(BLOCK), Buffer.alloc(BLOCK)]) {
  if (!store.readBlocks) throw new Error('an S3 store reads blocks');
  return store.readBlocks('data', key, buffers, options);
}

/** @param use called with each block before the next one is asked for */
async function drawn(blocks: AsyncGenerator<Buffer, ReadAnswer>, use: (block: Buffer) => unknown = () => undefined) {
  const pieces: Buffer[] = [];
  for (;;) {
    const { done, value } = await blocks.next();
    if (done) return { bytes: Buffer.concat(pieces), pieces, answer: value };
    await use(value);
    pieces.push(Buffer.from(value));
  }
}

const head = (bytes: number, headers = '') => `HTTP/1.1 200 OK\r\nETag: "e"\r\n${headers}Content-Length: ${bytes}\r\n\r\n`;

describe('readBlocks', () => {
  it('gives a whole object and any range of it, with the checksum of what was read', async () => {
    await gateway.store.writeBytes('data', 'whole', content, { crc32c: crc32cOf(content) });
    const whole = await drawn(blocksOf(gateway.store, 'whole', { bytes: content.length, totalBytes: content.length }));
    assert.ok(whole.bytes.equals(content));
    assert.deepEqual(
      whole.pieces.map(({ length }) => length),
      [...Array.from({ length: 10 }, () => BLOCK), 5],
    );
    assert.equal(whole.answer.readCrc32c, crc32cOf(content));
    assert.equal(whole.answer.crc32c, crc32cOf(content));
    for (const [start, bytes] of [
      [1, 3 * BLOCK],
      [BLOCK - 1, 5],
      [5 * BLOCK, 5 * BLOCK + 5],
    ] as const) {
      const range = await drawn(blocksOf(gateway.store, 'whole', { start, bytes, totalBytes: content.length, ifMatch: whole.answer.etag }));
      assert.ok(range.bytes.equals(content.subarray(start, start + bytes)));
      assert.deepEqual([range.answer.bytes, range.answer.totalBytes], [bytes, content.length]);
      assert.equal(range.answer.readCrc32c, crc32cOf(range.bytes));
    }
  });

  it('receives no faster than the blocks are used: while one is held, only the other is filled', async () => {
    const large = Buffer.alloc(32 * 2 ** 20, content);
    let isTaken = false;
    const server = await wire((_head, socket) => {
      socket.write(head(large.length));
      socket.write(large, () => {
        isTaken = true;
      });
    });
    let held = 0;
    const all = await drawn(blocksOf(storeAt(server.endpoint), 'x', { bytes: large.length, totalBytes: large.length }), async (block) => {
      const copy = Buffer.from(block);
      if (held++ > 3) return;
      for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(copy.equals(block), 'a block in use was written over');
      assert.equal(isTaken, false);
    });
    assert.ok(all.bytes.equals(large));
  });

  it('is read span by span where only the SDK understands the answers', async () => {
    const server = await wire((request, socket) => {
      const [start = 0, end = 0] = (/^range: bytes=(\d+)-(\d+)/im.exec(request)?.slice(1) ?? ['0', `${content.length - 1}`]).map(Number);
      const body = content.toString('latin1', start, end + 1);
      const range = `Content-Range: bytes ${start}-${end}/${content.length}\r\n`;
      socket.write(
        `HTTP/1.1 206 Partial\r\nETag: "e"\r\n${range}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
        'latin1',
      );
    });
    const { answer, bytes } = await drawn(blocksOf(storeAt(server.endpoint), 'x', { start: 3, bytes: 3 * BLOCK, totalBytes: content.length }));
    assert.ok(bytes.equals(content.subarray(3, 3 + 3 * BLOCK)));
    assert.equal(answer.readCrc32c, crc32cOf(bytes));
    assert.deepEqual([answer.bytes, answer.totalBytes], [3 * BLOCK, content.length]);
  });

  it('is held to what the store has on record of the whole, be it read by either path', async () => {
    let isByRawPath = true;
    let recorded = '';
    const server = await wire((request, socket) => {
      const facts = `ETag: "e"\r\nx-amz-checksum-crc32: ${recorded}\r\nx-amz-checksum-type: FULL_OBJECT\r\n`;
      if (isByRawPath || request.startsWith('HEAD')) {
        socket.write(`HTTP/1.1 200 OK\r\n${facts}Content-Length: ${content.length}\r\n\r\n`, 'latin1');
        if (!request.startsWith('HEAD')) socket.write(content);
        return;
      }
      const [start = 0, end = 0] = (/^range: bytes=(\d+)-(\d+)/im.exec(request)?.slice(1) ?? ['0', `${content.length - 1}`]).map(Number);
      const body = content.subarray(start, end + 1);
      const range = `Content-Range: bytes ${start}-${end}/${content.length}\r\n`;
      socket.write(`HTTP/1.1 206 Partial\r\nETag: "e"\r\n${range}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`, 'latin1');
      socket.write(body);
      socket.write('\r\n0\r\n\r\n', 'latin1');
    });
    const options = { bytes: content.length, totalBytes: content.length };
    for (isByRawPath of [true, false]) {
      recorded = await foreignOf('CRC32', content);
      assert.ok((await drawn(blocksOf(storeAt(server.endpoint), 'x', options))).bytes.equals(content));
      recorded = await foreignOf('CRC32', Buffer.from('other'));
      await assert.rejects(drawn(blocksOf(storeAt(server.endpoint), 'x', options)), { name: 'ChecksumMismatch' });
    }
  });
});

describe('a fault in the middle', () => {
  const options = { bytes: content.length, totalBytes: content.length };

  it('a body cut short is StoreUnavailable, behind the blocks that came', async () => {
    const server = await wire((_head, socket) => {
      socket.write(head(content.length));
      socket.end(content.subarray(0, 3 * BLOCK + 7));
    });
    const blocks = blocksOf(storeAt(server.endpoint), 'x', options);
    let count = 0;
    await assert.rejects(
      drawn(blocks, () => (count += 1)),
      { name: 'StoreUnavailable' },
    );
    assert.equal(count, 3);
  });

  it('a flipped bit is found by the store’s checksum of the whole', async () => {
    const damaged = Buffer.from(content);
    damaged[7 * BLOCK] = 0xff ^ (damaged[7 * BLOCK] ?? 0);
    const server = await wire((_head, socket) => {
      socket.write(head(content.length, `x-amz-checksum-crc32c: ${crc32cOf(content)}\r\nx-amz-checksum-type: FULL_OBJECT\r\n`));
      socket.write(damaged);
    });
    await assert.rejects(drawn(blocksOf(storeAt(server.endpoint), 'x', options)), { name: 'ChecksumMismatch' });
  });

  it('another version, another size or another range is never taken for what was asked', async () => {
    const { etag } = await gateway.store.writeBytes('data', 'other', content);
    const of = (changed: Partial<ReadBlocksOptions>) => drawn(blocksOf(gateway.store, 'other', { ...options, ifMatch: etag, ...changed }));
    await assert.rejects(of({ ifMatch: '"stale"' }), { name: 'SourceChanged' });
    await assert.rejects(of({ totalBytes: content.length + 1, bytes: content.length + 1 }), { name: 'SourceChanged' });
    await assert.rejects(of({ start: content.length + 5, bytes: BLOCK }), { name: 'SourceChanged' });
    await assert.rejects(drawn(blocksOf(gateway.store, 'none', options)), { name: 'NotFound' });
    const server = await wire((_head, socket) => socket.write(`${head(content.length)}${content.toString('latin1')}`, 'latin1'));
    await assert.rejects(drawn(blocksOf(storeAt(server.endpoint), 'x', { start: BLOCK, bytes: BLOCK })), { name: 'PolicyRefused' });
  });
});

describe('called off', () => {
  const options = { bytes: 64 * 2 ** 20, totalBytes: 64 * 2 ** 20 };
  const endless = () =>
    wire((_head, socket) => {
      const more = () => {
        while (!socket.destroyed && socket.write(content));
      };
      socket.write(head(options.bytes));
      socket.on('drain', more);
      more();
    });

  it('by its signal, be it waiting for the store or for its user, it ends within a second and leaves no connection', async () => {
    const silent = await wire((_head, socket) => socket.write(head(options.bytes)));
    for (const server of [silent, await endless()]) {
      const controller = new AbortController();
      let startedAt = performance.now();
      const reading = drawn(blocksOf(storeAt(server.endpoint), 'x', { ...options, signal: controller.signal }), () => {
        startedAt = performance.now();
        controller.abort(new Error('enough'));
      });
      const outcome = assert.rejects(reading, { name: 'AbortError' });
      await eventually('the request to arrive', () => (server.sockets.size === 1 ? true : undefined));
      if (server === silent) controller.abort(new Error('enough'));
      await outcome;
      assert.ok(performance.now() - startedAt < 1000);
      for (const socket of server.sockets) await eventually('the connection to end', () => (socket.destroyed ? true : undefined));
    }
  });

  it('ended by its user, nothing is received into the buffers any more', async () => {
    const server = await endless();
    const buffers = [Buffer.alloc(BLOCK), Buffer.alloc(BLOCK)];
    const blocks = blocksOf(storeAt(server.endpoint), 'x', options, buffers);
    await blocks.next();
    await blocks.next();
    await blocks.return({ bytes: 0, totalBytes: 0, etag: '', crc32c: undefined, readCrc32c: '', metadata: {} });
    for (const buffer of buffers) buffer.fill(0);
    for (const socket of server.sockets) await eventually('the connection to end', () => (socket.destroyed ? true : undefined));
    for (const buffer of buffers) assert.ok(buffer.every((byte) => byte === 0));
  });
});
