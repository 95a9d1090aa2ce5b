/** A large object that others wrote, moved by shares: each worker's parts make the checksum that its store has on record. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createTransferActivities } from '../../activities/transfer.ts';
import type { ForeignAlgorithm } from '../../datapath/transfer/foreign-checksum.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { resolveS3Credentials } from '../../drivers/site-file.ts';
import type { MoveAnswer, MoveRequest } from '../../model/transfer.ts';
import { runActivity } from '../support/run-activity.ts';
import { startTestSite, type TestSite } from '../support/site.ts';

const MIB = 2 ** 20;
let site: TestSite;
let client: S3Client;

before(async () => {
  site = await startTestSite({ services: ['temporal', 's3', 'hot-tier'], policies: { largeFile: '16MiB' } });
  await site.stores.warm.ensureBucket('data');
  const { warm } = site.running.site.stores;
  client = new S3Client({ endpoint: warm.endpoint, region: warm.region, credentials: await resolveS3Credentials(warm), forcePathStyle: true });
});
after(async () => {
  client.destroy();
  await site.stop();
});

async function moved(prefix: string): Promise<{ readonly answer: MoveAnswer; readonly readBytes: number }> {
  let readBytes = 0;
  const { warm } = site.stores;
  const counting: ObjectStore = {
    ...warm,
    readInto(bucket, key, into, options) {
      if (bucket === 'data') readBytes += into.length;
      return warm.readInto(bucket, key, into, options);
    },
    readBlocks(bucket, key, buffers, options) {
      if (bucket === 'data') readBytes += options.bytes;
      assert.ok(warm.readBlocks);
      return warm.readBlocks(bucket, key, buffers, options);
    },
  };
  const activities = createTransferActivities({ ...site.stores, warm: counting });
  const source = { store: 'warm', bucket: 'data', prefix };
  const target = { store: 'hot', bucket: 'out', prefix };
  const manifest = await runActivity(activities.listTransfer, { name: `transfers/${crypto.randomUUID()}`, source, exclude: [] });
  const request: MoveRequest = { manifest, source, target, replace: false };
  for (let unit = 0; unit < (manifest.units ?? 0); unit += 1) await runActivity(activities.moveUnit, { ...request, unit });
  return { answer: await runActivity(activities.finishMove, request), readBytes };
}

describe('a large object with another checksum than CRC32C on record', () => {
  const readings: readonly (readonly [ForeignAlgorithm, number])[] = [
    ['CRC32', 1],
    ['CRC64NVME', 1],
    ['SHA256', 2],
  ];
  for (const [algorithm, times] of readings) {
    it(`arrives in shares, read ${times} times for ${algorithm}, and not at all once a byte of it has flipped`, async () => {
      const content = randomBytes(66 * MIB + 5);
      const prefix = `${algorithm}/`;
      await client.send(new PutObjectCommand({ Bucket: 'data', Key: `${prefix}x`, Body: content, ChecksumAlgorithm: algorithm }));
      const { answer, readBytes } = await moved(prefix);
      assert.deepEqual([answer.files, answer.failed, readBytes], [1, [], times * content.length]);
      const out = join(site.stores.hotFiles.root, 'out', prefix, 'x');
      assert.ok((await readFile(out)).equals(content));
      await site.stores.hotFiles.remove(`out/${prefix}x`);
      const file = await open(join(site.directory, 's3/warm/data', prefix, 'x'), 'r+');
      await file.write(Buffer.from([(content[9] ?? 0) ^ 1]), 0, 1, 9);
      await file.close();
      const rotten = (await moved(prefix)).answer;
      assert.deepEqual([rotten.files, rotten.failed.map(({ path, type }) => [path, type])], [0, [['x', 'CorruptSource']]]);
      await assert.rejects(readFile(out), { code: 'ENOENT' });
    });
  }
});
