/** What every S3 store must really do: keep what it is given, refuse what arrived damaged, and let one of two writers win. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { crc32c } from '@node-rs/crc32';
import { isType, messageOf } from '../../model/errors.ts';
import { createProber, expect, type ProbeResult, refusalOf } from './probe.ts';
import { isRefusedByStore, removeEveryVersion, type S3Target, s3Answer } from './s3-target.ts';

/** S3's smallest part but the last. */
const PART_BYTES = 5 << 20;

export async function probeObjectStore(target: S3Target, options: { objectLock: boolean }): Promise<readonly ProbeResult[]> {
  const { store, bucket, prefix } = target;
  const prober = createProber(store.name);
  await prober.needed('reachable', async () => {
    await store.ensureBucket(bucket, options);
    return `bucket ${bucket} is there`;
  });
  if (prober.results.some(({ works }) => works !== 'yes')) return prober.results; // every other probe would say the same
  try {
    await prober.needed('put and get', () => putAndGet(target));
    await prober.needed('wrong checksum refused', () => wrongChecksum(target));
    await prober.needed('conditional put', () => conditionalPut(target));
    await prober.needed('list in key order', () => listInOrder(target));
    await prober.needed('multipart', () => multipart(target));
    await prober.needed('delete', async () => {
      await store.remove(bucket, `${prefix}plain`);
      expect((await store.head(bucket, `${prefix}plain`)) === undefined, 'the object is still there after its delete succeeded');
      return 'gone afterwards';
    });
  } finally {
    await cleanUp(target, options.objectLock);
  }
  return prober.results;
}

async function putAndGet({ store, bucket, prefix }: S3Target): Promise<string> {
  const body = Buffer.from('penstock doctor\n');
  const written = await store.writeBytes(bucket, `${prefix}plain`, body);
  const read = await store.readBytes(bucket, `${prefix}plain`);
  expect(read.equals(body), 'other bytes came back');
  return `${read.length} bytes came back, CRC32C ${written.crc32c}`;
}

async function wrongChecksum({ store, client, bucket, prefix }: S3Target): Promise<string> {
  const key = `${prefix}damaged`;
  const error = await refusalOf(
    () => client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from('damaged'), ChecksumCRC32C: crc32cOf(Buffer.from('whole')) })),
    'a body that does not match its CRC32C was accepted',
  );
  expect(isRefusedByStore(error), `not refused, but failed: ${s3Answer(error)}`);
  expect((await store.head(bucket, key)) === undefined, 'refused, and stored all the same');
  return `${s3Answer(error)}, nothing stored`;
}

async function conditionalPut({ store, bucket, prefix }: S3Target): Promise<string> {
  const key = `${prefix}once`;
  await store.writeBytes(bucket, key, Buffer.from('first'), { ifNoneMatch: true });
  const error = await refusalOf(() => store.writeBytes(bucket, key, Buffer.from('second'), { ifNoneMatch: true }), 'the second If-None-Match put succeeded');
  expect(isType(error, 'Conflict'), `the second put failed otherwise: ${messageOf(error)}`);
  expect((await store.readBytes(bucket, key)).toString() === 'first', 'the second put was refused and replaced the first');
  return 'the second If-None-Match put got 412, the first is kept';
}

async function listInOrder({ store, bucket, prefix }: S3Target): Promise<string> {
  const keys = ['list/a', 'list/b', 'list/c/d'].map((key) => `${prefix}${key}`);
  for (const key of keys.toReversed()) await store.writeBytes(bucket, key, Buffer.from(key));
  const first = await store.list(bucket, `${prefix}list/`, { limit: 2 });
  const rest = first.next === undefined ? [] : (await store.list(bucket, `${prefix}list/`, { after: first.next })).entries;
  const listed = [...first.entries, ...rest].map(({ key }) => key);
  expect(listed.join() === keys.join(), `${keys.length} keys written, listed in two pages: ${listed.length}`);
  return `${keys.length} keys in two pages`;
}

async function multipart({ store, client, bucket, prefix }: S3Target): Promise<string> {
  const name = { Bucket: bucket, Key: `${prefix}parts` };
  const parts = [Buffer.alloc(PART_BYTES, 'p'), Buffer.from('last')];
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...name, ChecksumAlgorithm: 'CRC32C' }));
  try {
    const uploaded = [];
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index + 1;
      const ChecksumCRC32C = crc32cOf(Body);
      const { ETag } = await client.send(new UploadPartCommand({ ...name, UploadId, PartNumber, Body, ChecksumCRC32C }));
      uploaded.push({ PartNumber, ETag, ChecksumCRC32C });
    }
    await client.send(new CompleteMultipartUploadCommand({ ...name, UploadId, MultipartUpload: { Parts: uploaded } }));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...name, UploadId })).catch(() => undefined);
    throw error;
  }
  const read = await store.readBytes(bucket, name.Key);
  expect(read.equals(Buffer.concat(parts)), 'other bytes came back');
  return `${parts.length} parts, ${read.length} bytes came back`;
}

async function cleanUp(target: S3Target, isVersioned: boolean): Promise<void> {
  const { store, bucket, prefix } = target;
  if (isVersioned) return removeEveryVersion(target).catch(() => undefined);
  const page = await store.list(bucket, prefix).catch(() => undefined);
  for (const { key } of page?.entries ?? []) await store.remove(bucket, key).catch(() => undefined);
}

function crc32cOf(body: Buffer): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(body));
  return checksum.toString('base64');
}
