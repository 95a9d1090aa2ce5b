/** Objects that others wrote, with a checksum of their own choice on record instead of a CRC32C: what rotted since then is found by that one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ChecksumType, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { checkManifest } from '../../datapath/transfer/check.ts';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import type { ForeignAlgorithm } from '../../datapath/transfer/foreign-checksum.ts';
import { parseLines, toLines } from '../../datapath/transfer/manifest-format.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import type { FaultRule } from '../support/fault-proxy-plan.ts';
import { contentOf } from '../support/transfer-content.ts';
import { copy, fill, kinds, listPages, type Place, type Places, startPlaces } from '../support/transfer-places.ts';

let places: Places;
const proxies: FaultProxy[] = [];

before(async () => {
  places = await startPlaces();
});
after(async () => {
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await places.stop();
});

const MIB = 2 ** 20;
/** One buffer; one request of many blocks; parts. */
const SIZES = [1000, 9 * MIB, 66 * MIB];
const ALGORITHMS = ['CRC32', 'SHA256', 'SHA1', 'CRC64NVME'] as const satisfies readonly ForeignAlgorithm[];

describe('an object with another checksum than CRC32C on record', () => {
  for (const bytes of SIZES) {
    // The two that parts make differ in nothing but their width, the two hashes in nothing but their name.
    for (const algorithm of ALGORITHMS.slice(0, bytes > 10 * MIB ? 2 : 4)) {
      it(`of ${bytes} bytes with ${algorithm} arrives everywhere, and nowhere once a byte of it has flipped`, async () => {
        const source = places.place('object');
        const content = randomBytes(bytes);
        for (const name of ['good', 'rotten']) await putAs(source, name, content, algorithm);
        await flip(join(source.onDisk, 'rotten'), bytes - 7);
        const entries = await listPages(source.endpoint);
        for (const kind of kinds) {
          const target = places.place(kind);
          const { done, failed } = await copy(source, target, entries);
          assert.deepEqual([done.map(({ path }) => path), failed.map(({ path, type }) => [path, type])], [['good'], [['rotten', 'CorruptSource']]], kind);
          const [arrived, ...others] = await listPages(target.endpoint);
          assert.ok(arrived && others.length === 0);
          assert.ok((await contentOf(target.endpoint, arrived)).equals(content));
        }
      });
    }
  }

  it('is not taken for rotten where the record is one of its parts’ checksums, and is where it is of the whole', async () => {
    const source = places.place('object');
    const content = randomBytes(11 * MIB);
    const names = ['parts', 'whole'];
    await putAs(source, 'parts', content, 'CRC32', 'COMPOSITE');
    await putAs(source, 'whole', content, 'CRC32', 'FULL_OBJECT');
    assert.ok(source.objects);
    const { store, bucket, prefix } = source.objects;
    const recorded = await Promise.all(names.map(async (name) => (await store.head(bucket, `${prefix}${name}`))?.foreign?.algorithm));
    assert.deepEqual(recorded, [undefined, 'CRC32']);
    const entries = await listPages(source.endpoint);
    for (const kind of kinds) {
      const target = places.place(kind);
      const { done, failed } = await copy(source, target, entries);
      assert.deepEqual([done.map(({ path }) => path), failed], [names, []]);
      for (const entry of await listPages(target.endpoint)) assert.ok((await contentOf(target.endpoint, entry)).equals(content));
    }
    await flip(join(source.onDisk, 'whole'), 77);
    for (const kind of kinds) {
      const { failed } = await copy(source, places.place(kind), entries);
      assert.deepEqual(
        failed.map(({ path, type }) => [path, type]),
        [['whole', 'CorruptSource']],
      );
    }
  });

  it('does not arrive cut', async () => {
    const [source, target] = [places.place('object'), places.place('file')];
    const contents = ALGORITHMS.map((algorithm) => ({ name: algorithm, algorithm, bytes: 9 * MIB }));
    for (const { name, algorithm, bytes } of [...contents, { name: 'LARGE', algorithm: 'CRC32', bytes: 66 * MIB } as const]) {
      await putAs(source, name, randomBytes(bytes), algorithm);
      await truncate(join(source.onDisk, name), bytes - 4096);
    }
    const { done, failed } = await copy(source, target, await listPages(source.endpoint));
    assert.deepEqual([done, failed.map(({ path, type }) => [path, type])], [[], [...ALGORITHMS, 'LARGE'].toSorted().map((name) => [name, 'CorruptSource'])]);
    assert.deepEqual(await listPages(target.endpoint).catch(() => []), []);
  });

  it('differs by a check that reads, though the manifest knows only its size', async () => {
    const target = places.place('object');
    for (const algorithm of ALGORITHMS) await putAs(target, algorithm, randomBytes(9 * MIB), algorithm);
    await fill(target.endpoint, { CRC32C: randomBytes(9 * MIB) });
    const entries: ManifestEntry[] = await listPages(target.endpoint);
    assert.equal((await checkManifest({ entries, target: target.endpoint, read: 'always' })).differing.count, 0);
    for (const { path } of entries) await flip(join(target.onDisk, path), 5);
    const { differing } = await checkManifest({ entries, target: target.endpoint, read: 'always' });
    assert.equal(differing.count, entries.length);
    for (const { path } of entries)
      assert.ok(
        differing.examples.some((example) => example.includes(`was read with ${path} `)),
        path,
      );
  });

  it('costs the objects that have a CRC32C on record no question more', async () => {
    const [source, target] = [places.place('object'), places.place('elsewhere')];
    assert.ok(source.objects);
    const { store, bucket, prefix } = source.objects;
    await fill(source.endpoint, { small: 'small', medium: randomBytes(9 * MIB), large: randomBytes(66 * MIB) });
    const asked: string[] = [];
    const counting = createObjectEndpoint(
      {
        ...store,
        head(ofBucket, key, options) {
          asked.push(key.slice(prefix.length));
          return store.head(ofBucket, key, options);
        },
      },
      bucket,
      prefix,
    );
    const entries = await listPages(counting);
    const { done } = await copyEntries({ source: counting, target: target.endpoint, entries, attempt: '1', concurrency: 1 });
    assert.equal(done.length, 3);
    assert.deepEqual(asked, ['large']);
  });
});

describe('a copy by its own service of an object with another checksum than CRC32C on record', () => {
  const good = randomBytes(9 * MIB);
  const contents = [...ALGORITHMS, 'whole'] as const;

  /** Two objects of each kind, one of them rotten since. */
  async function filled(): Promise<Place> {
    const source = places.place('object');
    for (const name of contents) {
      for (const state of ['good', 'rotten']) {
        const path = `${name}-${state}`;
        await (name === 'whole' ? putAs(source, path, good, 'CRC32', 'FULL_OBJECT') : putAs(source, path, good, name));
        if (state === 'rotten') await flip(join(source.onDisk, path), 9 * MIB - 7);
      }
    }
    return source;
  }
  const names = (state: string): string[] => contents.map((name) => `${name}-${state}`).toSorted();
  const seen = ({ done, failed }: Awaited<ReturnType<typeof copy>>) => [done.map(({ path }) => path), failed.map(({ path, type }) => [path, type])];
  const expected = [names('good'), names('rotten').map((path) => [path, 'CorruptSource'])];

  it('reads none of it, finds the flipped byte, and leaves what checks and later moves believe', async () => {
    const [source, target] = [await filled(), places.place('object')];
    const { proxy, endpoints } = await watched(source, target);
    const entries = await listPages(source.endpoint);
    const first = await copyEntries({ ...endpoints, entries, attempt: '1', concurrency: 4 });
    assert.deepEqual(seen(first), expected);
    assert.deepEqual(contentReads(proxy), []);
    assert.deepEqual(
      (await listPages(target.endpoint)).map(({ path }) => path),
      names('good'),
    );

    const before = proxy.journal.length;
    const sound = entries.filter(({ path }) => path.endsWith('good'));
    const { done, failed } = await copyEntries({ ...endpoints, entries: sound, attempt: '2', concurrency: 4 });
    assert.deepEqual([done.map(({ path }) => path), failed], [names('good'), []]);
    assert.deepEqual(
      proxy.journal.slice(before).filter(({ identity }) => identity.startsWith('PUT')),
      [],
    );
    assert.deepEqual(contentReads(proxy), []);

    const moved = parseLines(toLines(first.done), (reason) => new Error(reason));
    for (const read of ['where-needed', 'always'] as const) {
      assert.equal((await checkManifest({ entries: moved, target: target.endpoint, read })).same.count, contents.length);
    }
    const onward = places.place('file');
    assert.deepEqual(seen(await copy(target, onward, await listPages(target.endpoint))), [names('good'), []]);
    for (const entry of await listPages(onward.endpoint)) assert.ok((await contentOf(onward.endpoint, entry)).equals(good));
    for (const path of names('good')) await flip(join(target.onDisk, path), 3);
    assert.equal((await checkManifest({ entries: moved, target: target.endpoint, read: 'always' })).differing.count, contents.length);
    await Promise.all(contents.map((name) => putAs(target, `${name}-good`, randomBytes(9 * MIB), name === 'whole' ? 'CRC32' : name)));
    assert.equal((await checkManifest({ entries: moved, target: target.endpoint })).differing.count, contents.length);
  });

  it('knows its own work again where the answer was lost, and other content by the checksum alone', async () => {
    const [source, target] = [places.place('object'), places.place('object')];
    await putAs(source, 'x', good, 'SHA256');
    await putAs(source, 'y', good, 'CRC32');
    await putAs(target, 'y', randomBytes(9 * MIB), 'CRC32');
    const { proxy, endpoints } = await watched(source, target, [{ fault: 'resetAfter', method: 'PUT', nth: 1 }]);
    const { done, failed } = await copyEntries({ ...endpoints, entries: await listPages(source.endpoint), attempt: '1', concurrency: 1 });
    assert.deepEqual(
      done.map(({ path }) => path),
      ['x'],
    );
    assert.deepEqual(
      failed.map(({ path, type }) => [path, type]),
      [['y', 'Conflict']],
    );
    assert.ok(failed[0]?.message.includes(`both ${9 * MIB} bytes, other CRC32`));
    assert.deepEqual(contentReads(proxy), []);
  });

  it('is held to a reading where the store tells no such checksum', async () => {
    const [source, target] = [await filled(), places.place('object')];
    assert.ok(target.objects);
    const { store, bucket, prefix } = target.objects;
    const silent = {
      ...store,
      copyObject: async (...call: Parameters<ObjectStore['copyObject']>) => {
        const { foreign: _kept, ...told } = await store.copyObject(...call);
        return told;
      },
    };
    const endpoint = createObjectEndpoint(silent, bucket, prefix);
    const entries = await listPages(source.endpoint);
    assert.deepEqual(seen(await copyEntries({ source: source.endpoint, target: endpoint, entries, attempt: '1', concurrency: 4 })), expected);
    assert.deepEqual(
      (await listPages(target.endpoint)).map(({ path }) => path),
      names('good'),
    );
  });

  it('that is rotten does not cost the content that it was to replace', async () => {
    const [source, target] = [await filled(), places.place('object')];
    await fill(target.endpoint, Object.fromEntries(names('rotten').map((path) => [path, 'older'])));
    assert.deepEqual(seen(await copy(source, target, await listPages(source.endpoint), { replace: true })), expected);
    for (const entry of await listPages(target.endpoint)) {
      assert.ok((await contentOf(target.endpoint, entry)).equals(entry.path.endsWith('good') ? good : Buffer.from('older')), entry.path);
    }
  });
});

/** Both ends through one proxy, so that they are one service and every request is known. */
async function watched(source: Place, target: Place, rules: readonly FaultRule[] = []) {
  assert.ok(source.objects && target.objects);
  const { options, bucket } = source.objects;
  const proxy = await startFaultProxy({ target: options.endpoint, seed: 1, plan: { rules } });
  proxies.push(proxy);
  const store = createS3ObjectStore({ ...options, endpoint: proxy.endpoint });
  const endpointOf = (prefix: string) => createObjectEndpoint(store, bucket, prefix);
  return { proxy, endpoints: { source: endpointOf(source.objects.prefix), target: endpointOf(target.objects.prefix) } };
}

/** Of objects; a listing is of the bucket. */
const contentReads = ({ journal }: FaultProxy): string[] => journal.map(({ identity }) => identity).filter((identity) => /^GET \/data\/[^?]/.test(identity));

/** @param type of an upload in parts; in one piece where it is not given */
async function putAs(place: Place, name: string, content: Buffer, algorithm: ForeignAlgorithm, type?: ChecksumType): Promise<void> {
  assert.ok(place.objects);
  const { options, bucket, prefix } = place.objects;
  const client = new S3Client({ ...options, forcePathStyle: true });
  const params = { Bucket: bucket, Key: `${prefix}${name}`, Body: content, ChecksumAlgorithm: algorithm };
  if (type === undefined) await client.send(new PutObjectCommand(params));
  else await new Upload({ client, params: { ...params, ChecksumType: type }, partSize: 5 * MIB }).done();
  client.destroy();
}

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, offset);
  await file.close();
}
