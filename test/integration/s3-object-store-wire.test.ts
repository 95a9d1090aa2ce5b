/** The bulk path where the wire misbehaves: cut, silent, restarted, odd, encrypted, an hour out of time. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, mock } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import type { S3StoreOptions } from '../../drivers/object-store/s3-client.ts';
import { listenForHttp, stopServer } from '../support/loopback-server.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';
import { eventually } from '../support/wait.ts';
import { closers, proxy, wire } from './s3-object-store-wire-servers.ts';

const MIB = 2 ** 20;
const hello = Buffer.from('hello');
let gateway: TestGateway;

before(async () => {
  gateway = await startTestGateway();
  await gateway.store.ensureBucket('data');
});
after(async () => {
  await Promise.all(closers.map((close) => close()));
  await gateway.stop();
});

const storeAt = (endpoint: string, options: Partial<S3StoreOptions> = {}): ObjectStore => createS3ObjectStore({ ...gateway.options, ...options, endpoint });

const ok = (body: string, headers = '') => `HTTP/1.1 200 OK\r\nETag: "e"\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
const into = () => Buffer.alloc(100);

describe('the pool', () => {
  it('keeps to its bound with many requests waiting, and uses connections again', async () => {
    const way = await proxy(new URL(gateway.options.endpoint));
    const store = storeAt(way.endpoint, { maxSockets: 4 });
    await Promise.all(Array.from({ length: 100 }, (_, index) => store.writeBytes('data', `pool/${index}`, Buffer.from(`body ${index}`))));
    const bodies = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const buffer = into();
        const { bytes } = await store.readInto('data', `pool/${index}`, buffer);
        return buffer.toString('utf8', 0, bytes);
      }),
    );
    assert.deepEqual(
      bodies,
      Array.from({ length: 100 }, (_, index) => `body ${index}`),
    );
    assert.equal(way.most(), 4);
    assert.equal(way.seen(), 4);
  });

  it('closes what rests, and a process may end before that', async () => {
    const way = await proxy(new URL(gateway.options.endpoint));
    await storeAt(way.endpoint).writeBytes('data', 'rest', hello);
    assert.equal(way.open(), 1);
    const script = `
      import { createS3ObjectStore } from ${JSON.stringify(new URL('../../drivers/object-store/s3.ts', import.meta.url).href)};
      await createS3ObjectStore(${JSON.stringify({ ...gateway.options, endpoint: way.endpoint })}).writeBytes('data', 'child', Buffer.from('x'));
      const writtenAt = performance.now();
      process.on('exit', () => console.log(performance.now() - writtenAt));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    assert.ok(Number(stdout) < 2_000, `the child lived on for ${stdout} ms`);
    await eventually('the resting connection to be closed', () => (way.open() === 0 ? true : undefined), 8_000);
  });

  it('survives a restart of the server: resting connections reset, none seen to be', async () => {
    const way = await proxy(new URL(gateway.options.endpoint));
    const store = storeAt(way.endpoint);
    await Promise.all([1, 2, 3].map((index) => store.writeBytes('data', `restart/${index}`, hello)));
    await way.stop();
    await assert.rejects(store.writeBytes('data', 'restart/4', hello), { name: 'StoreUnavailable' });
    await way.restart();
    await store.writeBytes('data', 'restart/4', hello);
  });

  it('asks once more over a fresh connection where one that rested dies without a word, and only then', async () => {
    let asked = 0;
    const server = await wire((head, socket, nth, heard) => {
      asked += 1;
      if (nth > 1 || head.includes('/never')) socket.resetAndDestroy();
      else void heard.then(() => socket.write(ok('0123456789')));
    });
    const store = storeAt(server.endpoint);
    for (let round = 1; round <= 3; round += 1) assert.equal((await store.readInto('b', 'x', into(), { totalBytes: 10 })).bytes, 10);
    assert.equal(asked, 5); // three answered, two repeated
    const large = Buffer.alloc(8 * MIB);
    const blocks = (async function* () {
      yield large;
      yield hello;
    })();
    const upload = { bucket: 'b', key: 'x', uploadId: 'u' };
    assert.equal((await store.writePart(upload, 1, { bytes: large.length + 5, blocks })).etag, '"e"');
    asked = 0;
    await assert.rejects(storeAt(server.endpoint).readInto('b', 'never', into()), { name: 'StoreUnavailable' });
    assert.equal(asked, 1);
  });
});

describe('an abort', () => {
  it('ends reads, writes and those waiting within a second, and the pool is as before', async () => {
    const server = await wire((head, socket) => {
      if (!head.includes('/stall')) socket.write(ok('0123456789'));
    });
    const store = storeAt(server.endpoint, { maxSockets: 2 });
    const controller = new AbortController();
    const { signal } = controller;
    let drawn = 0;
    let ended = false;
    const blocks = (async function* () {
      try {
        for (; drawn < 8; drawn += 1) yield Buffer.alloc(8 * MIB);
      } finally {
        ended = true;
      }
    })();
    const calls = [
      store.readInto('b', 'stall', into(), { signal }),
      store.writePart({ bucket: 'b', key: 'stall', uploadId: 'u' }, 1, { bytes: 64 * MIB, blocks }, { signal }),
      store.readInto('b', 'stall', into(), { signal }),
      store.writeBytes('b', 'stall', hello, { signal }),
    ];
    const outcomes = Promise.allSettled(calls);
    await eventually('both connections to be busy', () => (server.sockets.size === 2 ? true : undefined));
    const startedAt = performance.now();
    controller.abort(new Error('enough'));
    for (const outcome of await outcomes) assert.equal(outcome.status === 'rejected' && outcome.reason.name, 'AbortError');
    assert.ok(performance.now() - startedAt < 1000);
    await eventually('the blocks to be let go', () => (ended ? true : undefined));
    for (let round = 0; round < 4; round += 1) assert.equal((await store.readInto('b', 'x', into())).bytes, 10);
    await assert.rejects(store.readInto('b', 'x', into(), { signal }), { name: 'AbortError' });
  });

  it('is not needed to hold blocks back: a server that takes nothing is given little', async () => {
    const server = await wire((_head, socket) => socket.pause());
    const store = storeAt(server.endpoint);
    const controller = new AbortController();
    let drawn = 0;
    let asked = performance.now();
    const blocks = (async function* () {
      for (; drawn < 64; asked = performance.now()) {
        drawn += 1;
        yield Buffer.alloc(MIB);
      }
    })();
    const part = store.writePart({ bucket: 'b', key: 'x', uploadId: 'u' }, 1, { bytes: 64 * MIB, blocks }, { signal: controller.signal });
    const outcome = Promise.allSettled([part]);
    await eventually('the connection to be full', () => (drawn > 0 && performance.now() - asked > 300 ? true : undefined));
    assert.ok(drawn < 24, `${drawn} blocks of 1 MiB were drawn`);
    controller.abort();
    await outcome;
  });
});

describe('an answer', () => {
  it('that is cut short, or longer than it says, is not believed', async () => {
    const server = await wire((head, socket) => {
      if (head.includes('/short')) socket.end('HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 100\r\n\r\nonly so much');
      else if (head.includes('/head')) socket.end('HTTP/1.1 200 OK\r\nETag:');
      else socket.resetAndDestroy();
    });
    const store = storeAt(server.endpoint);
    for (const key of ['short', 'head', 'nothing'])
      await assert.rejects(store.readInto('b', key, into(), { totalBytes: 100 }), { name: 'StoreUnavailable' }, key);
    for (const key of ['head', 'nothing']) await assert.rejects(store.writeBytes('b', key, hello), { name: 'StoreUnavailable' }, key);
  });

  it('that refuses, in one piece or in chunks, before the body was heard or after, has its meaning', async () => {
    const xml = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please &amp; thank you</Message></Error>';
    const chunked = `HTTP/1.1 503 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n${xml.slice(0, 16)}\r\n${(xml.length - 16).toString(16)}\r\n${xml.slice(16)}\r\n0\r\n\r\n`;
    const server = await wire((head, socket) => {
      if (head.includes('/chunked')) for (const byte of chunked) socket.write(byte);
      else socket.write(`HTTP/1.1 503 Slow Down\r\nContent-Length: ${xml.length}\r\n\r\n${xml}`);
    });
    const store = storeAt(server.endpoint);
    const upload = { bucket: 'b', key: 'early', uploadId: 'u' };
    const blocks = async function* () {
      for (let index = 0; index < 8; index += 1) yield Buffer.alloc(MIB);
    };
    await assert.rejects(store.readInto('b', 'chunked', into()), { name: 'StoreThrottled', message: /Please & thank you/ });
    await assert.rejects(store.readInto('b', 'plain', into()), { name: 'StoreThrottled' });
    await assert.rejects(store.writePart(upload, 1, Buffer.alloc(8 * MIB)), { name: /StoreThrottled|StoreUnavailable/ });
    await assert.rejects(store.writePart(upload, 1, { bytes: 8 * MIB, blocks: blocks() }), { name: /StoreThrottled|StoreUnavailable/ });
    await assert.rejects(store.copyObject({ bucket: 'b', key: 'x', etag: '"e"', totalBytes: 1 }, 'b', 'y'), { name: 'StoreThrottled' });
  });

  it('to a body that nobody can have heard is not believed', async () => {
    const server = await wire((_head, socket) => socket.write(ok('')));
    const blocks = (async function* () {
      for (let index = 0; index < 4; index += 1) yield Buffer.alloc(8 * MIB);
    })();
    await assert.rejects(storeAt(server.endpoint).writePart({ bucket: 'b', key: 'x', uploadId: 'u' }, 1, { bytes: 32 * MIB, blocks }), {
      name: 'StoreUnavailable',
    });
  });

  it('of a copy that failed behind its 200 is a failure', async () => {
    const xml = '<Error><Code>InternalError</Code><Message>no</Message></Error>';
    const server = await wire((_head, socket) => socket.write(ok(xml)));
    await assert.rejects(storeAt(server.endpoint).copyObject({ bucket: 'b', key: 'x', etag: '"e"', totalBytes: 1 }, 'b', 'y'), { name: 'StoreUnavailable' });
  });

  it('that this path does not know is asked of the SDK, and after three in a row everything is', async () => {
    const raw: string[] = [];
    const bySdk: string[] = [];
    const odd = (request: IncomingMessage, response: ServerResponse): void => {
      (request.headers['user-agent']?.includes('aws-sdk') ? bySdk : raw).push(request.method ?? '');
      request.resume().once('end', () => {
        response.setHeader('etag', '"e"');
        if (request.method === 'PUT') response.writeProcessing();
        // Without a length: chunked, which a bulk answer never is.
        response.write('01234');
        response.end('56789');
      });
    };
    const server = createServer(odd);
    closers.push(() => stopServer(server));
    const store = storeAt(await listenForHttp(server));
    const upload = { bucket: 'b', key: 'x', uploadId: 'u' };
    const buffer = into();
    const answer = await store.readInto('b', 'x', buffer, { totalBytes: 10 });
    assert.deepEqual([answer.bytes, answer.etag, buffer.toString('utf8', 0, 10)], [10, '"e"', '0123456789']);
    assert.equal((await store.writePart(upload, 1, hello)).etag, '"e"');
    assert.equal((await store.writeBytes('b', 'x', hello)).etag, '"e"');
    assert.deepEqual(
      [raw, bySdk],
      [
        ['GET', 'PUT', 'PUT'],
        ['GET', 'PUT', 'PUT'],
      ],
    );
    const blocks = (async function* () {
      yield hello;
    })();
    assert.equal((await store.writePart(upload, 2, { bytes: 5, blocks }, { crc32c: crc32cOf(hello) })).etag, '"e"');
    assert.deepEqual([raw.length, bySdk.length], [3, 4]);
  });
});

describe('over TLS', () => {
  it('bytes come into the buffer and go out of it as over TCP, under an authority of the site’s own and no other', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'penstock-tls-'));
    closers.push(() => rm(directory, { recursive: true }));
    const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile, '-out', certFile, ...subject],
      {
        stdio: 'ignore',
      },
    );
    const [key, cert] = await Promise.all([readFile(keyFile), readFile(certFile, 'utf8')]);
    const way = await proxy(new URL(gateway.options.endpoint), (onSocket) => createTlsServer({ key, cert }, onSocket).on('tlsClientError', () => undefined));
    const endpoint = `https://localhost:${way.port}`;
    await assert.rejects(storeAt(endpoint).writeBytes('data', 'tls/x', hello), { name: 'StoreUnavailable', message: /certificate/ });
    const store = storeAt(endpoint, { ca: cert });
    const body = Buffer.alloc(9 * MIB + 1, 'encrypted, by no power of two');
    const crc32c = crc32cOf(body);
    await store.writeBytes('data', 'tls/x', body, { crc32c });
    const buffer = Buffer.alloc(body.length);
    for (let round = 0; round < 2; round += 1) {
      buffer.fill(0);
      assert.equal((await store.readInto('data', 'tls/x', buffer, { totalBytes: body.length })).crc32c, crc32c);
      assert.ok(buffer.equals(body));
    }
    assert.equal(way.seen(), 1);
    // TLS goes on handing over what it has decrypted while nothing more is to be received.
    const unhurried = async () => {
      for (let turn = 0; turn < 300; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    for (const block of [64 * 1024, 256 * 1024, MIB + 1]) {
      const pieces: Buffer[] = [];
      const blocks = store.readBlocks?.('data', 'tls/x', [Buffer.alloc(block), Buffer.alloc(block)], { bytes: body.length, totalBytes: body.length });
      for await (const piece of blocks ?? []) {
        pieces.push(Buffer.from(piece));
        await unhurried();
      }
      assert.ok(Buffer.concat(pieces).equals(body));
    }
    assert.equal(way.seen(), 1);
    assert.equal((await store.head('data', 'tls/x'))?.bytes, body.length); // by the SDK’s agent or not, the same trust
    assert.equal((await store.list('data', 'tls/')).entries.length, 1);
  });
});

describe('a clock an hour ahead', () => {
  it('is set right by the store’s own, for this path and the SDK alike', async () => {
    const store = storeAt(gateway.options.endpoint);
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 });
    try {
      await store.writeBytes('data', 'clock', hello);
      assert.equal((await store.readInto('data', 'clock', into())).bytes, 5);
      assert.equal((await store.list('data', 'clock')).entries.length, 1);
      const stranger = storeAt(gateway.options.endpoint, { credentials: { accessKeyId: 'penstock', secretAccessKey: 'wrong' } });
      await assert.rejects(stranger.readInto('data', 'clock', into()), { name: 'Denied' });
    } finally {
      mock.timers.reset();
    }
  });
});
