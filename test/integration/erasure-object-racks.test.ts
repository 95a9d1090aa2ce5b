/** The erasure set on buckets of a real S3 gateway: the rack contract, and objects with four buckets gone. */
import assert from 'node:assert/strict';
import { rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { listErasureObjects, removeErasureObject, verifyErasureObject } from '../../datapath/erasure/index.ts';
import { shardKey } from '../../datapath/erasure/layout.ts';
import { locateErasureObject } from '../../datapath/erasure/locate.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3Client } from '../../drivers/object-store/s3-client.ts';
import { s3Error } from '../../drivers/object-store/s3-errors.ts';
import { type ConditionalRemoval, createObjectRack } from '../../drivers/rack-store/object-rack.ts';
import { writeInParts } from '../../drivers/rack-store/object-rack-parts.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';
import { conditionalRemovalContract } from '../unit/datapath/erasure/conditional-removal-contract.ts';
import { noise, read, streamOf, write } from '../unit/datapath/erasure/support.ts';
import { rackContract } from '../unit/drivers/rack-store/contract.ts';

const PATIENT = { requestMilliseconds: 20_000, stallMilliseconds: 20_000 };
let gateway: TestGateway;
let serial = 0;
before(async () => {
  gateway = await startTestGateway('racks');
});
after(() => gateway.stop());

async function newBucket(): Promise<string> {
  const bucket = `rack-${++serial}`;
  await gateway.store.ensureBucket(bucket);
  return bucket;
}

/** @param between runs behind its look at what it is about to remove */
function comparing(bucket: string, between: () => Promise<void>): RackStore {
  const client = createS3Client(gateway.options);
  const store: ObjectStore & ConditionalRemoval = {
    ...gateway.store,
    async readInto(...request) {
      const answer = await gateway.store.readInto(...request);
      await between();
      return answer;
    },
    async removeIfMatch(name, key, etag) {
      await client.send(new DeleteObjectCommand({ Bucket: name, Key: key, IfMatch: etag })).catch((error: unknown) => {
        throw s3Error(error, 'racks', `removing ${key}`);
      });
    },
  };
  return createObjectRack({ id: 'r01', room: 'room-a', bucket, store });
}

async function newRack(id: string, room: string): Promise<{ rack: RackStore; bucket: string }> {
  const bucket = await newBucket();
  return { rack: createObjectRack({ id, room, bucket, store: gateway.store }), bucket };
}

describe('a rack in a bucket', () => {
  rackContract(async () => {
    const { rack, bucket } = await newRack('r01', 'room-a');
    return { rack, takeAway: () => rm(join(gateway.root, bucket), { recursive: true }) };
  });
});

describe('a rack in a bucket of a store that can compare before it removes', () => {
  conditionalRemovalContract(async () => comparing(await newBucket(), async () => undefined));

  it('leaves what came between its look and its removal', async () => {
    const name = 'ec/v1/manifests/a/@manifest.jsonl';
    const bucket = await newBucket();
    const rack = comparing(bucket, async () => {
      await gateway.store.remove(bucket, name);
      await gateway.store.writeBytes(bucket, name, Buffer.from('the other\n'));
    });
    await rack.writeManifest(name, Buffer.from('the first\n'));
    assert.equal(await rack.removeIf?.(name, Buffer.from('the first\n')), 'changed');
    assert.equal((await rack.readManifest(name))?.toString(), 'the other\n');
  });

  it('that says it cannot is read just before', async () => {
    const name = 'ec/v1/manifests/a/@manifest.jsonl';
    const bucket = await newBucket();
    const refuse = async () => {
      throw new PenstockError('PolicyRefused', 'not implemented.');
    };
    const rack = createObjectRack({ id: 'r01', room: 'room-a', bucket, store: { ...gateway.store, removeIfMatch: refuse } });
    await rack.writeManifest(name, Buffer.from('the first\n'));
    assert.equal(await rack.removeIf?.(name, Buffer.from('the other\n')), 'changed');
    assert.equal(await rack.removeIf?.(name, Buffer.from('the first\n')), 'gone');
    assert.equal(await rack.readManifest(name), undefined);
  });
});

describe('a shard too large for one request', () => {
  const KEY = 'ec/v1/shards/large/@0123456789abcdef0123456789abcdef.00';
  const PART_BYTES = 5 * 2 ** 20;
  const data = noise(12_000_000);

  it('goes in parts, and is checked as a whole', async () => {
    const { bucket, rack } = await newRack('r01', 'room-a');
    const body = { bytes: data.length, blocks: streamOf(data), crc32c: async () => crc32cOf(data) };
    await writeInParts(gateway.store, bucket, KEY, body, undefined, PART_BYTES);
    const back = Buffer.alloc(data.length);
    const { totalBytes } = await rack.readInto(KEY, back);
    assert.equal(totalBytes, data.length);
    assert.ok(back.equals(data));
    assert.equal((await gateway.store.head(bucket, KEY))?.crc32c, crc32cOf(data));
  });

  it('is refused, and leaves nothing, where it is short, long, or of another checksum', async () => {
    const { bucket, rack } = await newRack('r01', 'room-a');
    for (const body of [
      { bytes: data.length + 1, blocks: streamOf(data) },
      { bytes: data.length - 1, blocks: streamOf(data) },
      { bytes: data.length, blocks: streamOf(data), crc32c: async () => 'AAAAAA==' },
    ]) {
      await assert.rejects(writeInParts(gateway.store, bucket, KEY, body, undefined, PART_BYTES));
      assert.equal(await rack.shardBytes(KEY), undefined);
    }
  });
});

describe('an erasure object in twenty buckets', () => {
  let places: { rack: RackStore; bucket: string }[] = [];
  let racks: RackStore[] = [];
  before(async () => {
    places = await Promise.all(Array.from({ length: 20 }, (_, index) => newRack(`r${index + 1}`, `room-${index % 4}`)));
    racks = places.map(({ rack }) => rack);
  });

  for (const bytes of [0, 1, 100_000, 200_000_000]) {
    it(`of ${bytes} bytes comes back and is verified`, async () => {
      const key = `tenant/project/a1/checkpoints/c1/${bytes} bytes.bin`;
      const data = noise(bytes);
      const { outcome } = await write(racks, key, data, { patience: PATIENT });
      assert.equal(outcome, 'written');
      assert.ok((await read(racks, key, PATIENT)).equals(data));
      const facts = await verifyErasureObject({ racks, key });
      assert.deepEqual([facts.ok, facts.margin, facts.manifestCopies], [true, 4, 5]);
    });
  }

  it('of two writers at once is one object', async () => {
    const results = await Promise.all([1, 2].map(() => write(racks, 'twice', noise(50_000), { patience: PATIENT })));
    assert.deepEqual(results.map(({ outcome }) => outcome).sort(), ['existed', 'written']);
    assert.ok((await verifyErasureObject({ racks, key: 'twice' })).ok);
  });

  it('many at once neither wait for each other nor take each other for lost', async () => {
    const keys = Array.from({ length: 8 }, (_, index) => `many/${index}`);
    await Promise.all(keys.map((key, index) => write(racks, key, noise(30_000_000, index), { patience: PATIENT })));
    const facts = await Promise.all(keys.map((key) => verifyErasureObject({ racks, key })));
    assert.ok(facts.every(({ ok }) => ok));
  });

  it('survives a truncated shard and four buckets deleted, and says which', async () => {
    const key = 'tenant/project/a1/checkpoints/c2/model.bin';
    const data = noise(20_000_000);
    const { manifest } = await write(racks, key, data, { patience: PATIENT });
    const bucketOf = (rackId: string | undefined) => join(gateway.root, places.find(({ rack }) => rack.id === rackId)?.bucket ?? '');
    const first = manifest.shards[0];
    await truncate(join(bucketOf(first?.rack), shardKey(key, manifest.writeId, 0)), 50_000);
    assert.ok((await read(racks, key, PATIENT)).equals(data));
    const facts = await verifyErasureObject({ racks, key });
    assert.deepEqual(
      facts.shards.filter(({ state }) => state !== 'sound').map(({ rack, state }) => [rack, state]),
      [[first?.rack, 'lost']],
    );

    for (const { rack } of manifest.shards.slice(0, 4)) await rm(bucketOf(rack), { recursive: true });
    assert.ok((await read(racks, key, PATIENT)).equals(data));
    assert.ok((await listErasureObjects({ racks, prefix: 'tenant/' })).keys.includes(key));
    await assert.rejects(removeErasureObject({ racks, key }), { name: 'StoreUnavailable' });
  });

  it('with four of its buckets missing and another shard lost has racks that are away: nobody takes its place, and it is there when they are back', async () => {
    // With four away, more are left than a write needs.
    const others = await Promise.all(Array.from({ length: 24 }, (_, index) => newRack(`s${index + 1}`, `room-${index % 4}`)));
    const enough = others.map(({ rack }) => rack);
    const key = 'tenant/project/a1/checkpoints/c3/model.bin';
    const data = noise(50_000);
    const { manifest } = await write(enough, key, data, { patience: PATIENT });
    const bucketOf = (rackId: string) => others.find(({ rack }) => rack.id === rackId)?.bucket ?? '';
    const lost = manifest.shards[4];
    await others.find(({ rack }) => rack.id === lost?.rack)?.rack.remove(shardKey(key, manifest.writeId, 4));
    const away = manifest.shards.slice(0, 4).map(({ rack }) => join(gateway.root, bucketOf(rack)));
    for (const path of away) await rename(path, `${path}.away`);
    await assert.rejects(write(enough, key, noise(50_000, 2), { patience: PATIENT }), { name: 'StoreUnavailable' });
    const { shards, margin } = await locateErasureObject({ racks: enough, key });
    const states = shards.flatMap(({ state }) => (state === 'there' ? [] : [state]));
    assert.deepEqual([margin, states], [-1, ['unreachable', 'unreachable', 'unreachable', 'unreachable', 'gone']]);
    await assert.rejects(read(enough, key, PATIENT), { name: 'NotEnoughShards', message: /Bring back at least 1 of the racks named/ });
    for (const path of away) await rename(`${path}.away`, path);
    assert.ok((await read(enough, key, PATIENT)).equals(data));
  });
});
