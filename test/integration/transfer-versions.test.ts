/** What must not happen when the source, the store or the network changes its mind in the middle: a mix of versions, other bytes, a success taken for a conflict. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createBlockPool } from '../../datapath/transfer/block-pool.ts';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import { BLOCK_BYTES, type EntryReader, type EntryWriter } from '../../datapath/transfer/endpoint.ts';
import { moveParts } from '../../datapath/transfer/move-parts.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPatience } from '../../datapath/transfer/patience.ts';
import { createRateLimiter, type RateLimiter } from '../../datapath/transfer/rate-limiter.ts';
import { readCrc32c } from '../../datapath/transfer/read-crc32c.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { memoryEndpoint } from '../support/memory-endpoint.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';
import { copy, fill, listPages, type Places, startPlaces } from '../support/transfer-places.ts';

let places: Places;
let gateway: TestGateway;

before(async () => {
  [places, gateway] = await Promise.all([startPlaces(), startTestGateway()]);
  await gateway.store.ensureBucket('data');
});
after(async () => {
  await places.stop();
  await gateway.stop();
});

const MIB = 2 ** 20;

describe('a file rewritten in place while it is moved', () => {
  for (const to of ['file', 'object'] as const) {
    it(`arrives at ${to} in one version, or not at all`, async () => {
      const [source, target] = [places.place('file'), places.place(to)];
      await mkdir(source.onDisk, { recursive: true });
      const [older, newer] = [Buffer.alloc(70 * MIB, 'older '), Buffer.alloc(70 * MIB, 'newer ')];
      await writeFile(join(source.onDisk, 'x'), older);
      const entries = await listPages(source.endpoint);
      let taken = 0;
      const limiter: RateLimiter = {
        ...createRateLimiter(Number.POSITIVE_INFINITY),
        async take() {
          taken += 1;
          if (taken !== 6) return;
          const file = await open(join(source.onDisk, 'x'), 'r+');
          await file.write(newer, 0, newer.length, 0);
          await file.close();
        },
      };
      const { done, failed } = await copy(source, target, entries, { limiter, concurrency: 1 });
      assert.equal(done.length + failed.length, 1);
      if (done.length > 0) assert.ok((await readFile(join(target.onDisk, 'x'))).equals(newer));
    });
  }
});

describe('a buffer', () => {
  it('is nobody else’s before the read into it has ended, however early the store answers', async () => {
    const entry = { path: 'x', bytes: 3 * BLOCK_BYTES, modifiedAt: '2026-01-01T00:00:00.000Z', etag: 'e' };
    const [memory] = [memoryEndpoint({ x: Buffer.alloc(entry.bytes) })];
    const [listed] = (await memory.list()).entries;
    assert.ok(listed);
    const base = await memory.open(listed);
    let letRead = (): void => undefined;
    let isReading = false;
    const reader: EntryReader = {
      ...base,
      read: async () => {
        isReading = true;
        await new Promise<void>((resolve) => {
          letRead = resolve;
        });
        isReading = false;
        return undefined;
      },
    };
    const writer: EntryWriter = {
      ...(await memory.create(entry, { attempt: '1' })),
      partBytes: entry.bytes,
      async writePart(_number, content) {
        if ('blocks' in content)
          void content.blocks[Symbol.asyncIterator]()
            .next()
            .catch(() => undefined);
        await new Promise(setImmediate);
        throw new PenstockError('Denied', 'answered early');
      },
    };
    const pool = createBlockPool(16 * MIB);
    const moving = moveParts({ pool, patience: createPatience({ maxWindow: 1 }), onBytes: () => undefined }, reader, writer, { from: 0, to: 1 });
    const ended = assert.rejects(moving).then(() => assert.equal(isReading, false));
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    assert.equal(isReading, true);
    letRead();
    await ended;
  });

  it('is not held by a transfer that is stopped', async () => {
    const memory = memoryEndpoint({ x: randomBytes(64 * MIB), y: 'small' });
    const [x, y] = (await memory.list()).entries;
    assert.ok(x && y);
    const stopped = createRateLimiter(0);
    const controller = new AbortController();
    const held = readCrc32c(await memory.open(x), { limiter: stopped, signal: controller.signal });
    await readCrc32c(await memory.open(y));
    controller.abort();
    await assert.rejects(held, { name: 'AbortError' });
  });
});

describe('a store', () => {
  const through = (changes: Partial<ObjectStore>): ObjectStore => ({ ...gateway.store, ...changes });

  it('that copies other bytes than are on record is not believed, and what it copied is gone', async () => {
    const source = createObjectEndpoint(gateway.store, 'data', 'rotten');
    const entries = await fill(source, { x: 'content', y: randomBytes(MIB) });
    const store = through({ copyObject: async (...call) => ({ ...(await gateway.store.copyObject(...call)), etag: '"CRC32C-AAAAAA=="', crc32c: 'AAAAAA==' }) });
    const target = createObjectEndpoint(store, 'data', 'copied');
    const { done, failed } = await copyEntries({ source, target, entries, attempt: '1', concurrency: 2 });
    assert.deepEqual([done, failed.map(({ type }) => type)], [[], ['CorruptSource', 'CorruptSource']]);
    assert.deepEqual(await listPages(target), []);
  });

  for (const bytes of [1000, 6 * MIB, 70 * MIB]) {
    it(`whose answer to ${bytes} bytes was lost has them once, and that is no conflict`, async () => {
      const source = places.place('file');
      const content = randomBytes(bytes);
      await mkdir(source.onDisk, { recursive: true });
      await writeFile(join(source.onDisk, 'x'), content);
      let lost = 0;
      const losing = async <T>(answer: Promise<T>): Promise<T> => {
        const found = await answer;
        lost += 1;
        if (lost === 1) throw new PenstockError('StoreUnavailable', 'the answer was lost');
        return found;
      };
      const store = through({
        writeBytes: (...call) => losing(gateway.store.writeBytes(...call)),
        completeUpload: (...call) => losing(gateway.store.completeUpload(...call)),
      });
      const target = createObjectEndpoint(store, 'data', `lost-${bytes}`);
      const { done, failed } = await copyEntries({ source: source.endpoint, target, entries: await listPages(source.endpoint), attempt: '1', concurrency: 1 });
      assert.deepEqual([done.length, failed], [1, []]);
      assert.ok((await gateway.store.readBytes('data', `lost-${bytes}/x`, { limitBytes: 128 * MIB })).equals(content));
    });
  }
});
