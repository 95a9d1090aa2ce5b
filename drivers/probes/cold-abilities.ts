/** What a cold store may have: an archive class with restore, and encryption with the caller's key. Products accept and ignore these. */
import { createHash, randomBytes } from 'node:crypto';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, RestoreObjectCommand } from '@aws-sdk/client-s3';
import { s3ErrorCode } from '../object-store/s3-errors.ts';
import { CannotTell, createProber, expect, type ProbeResult, refusalOf } from './probe.ts';
import { isRefusedByStore, removeEveryVersion, type S3Target, s3Answer } from './s3-target.ts';

/** @param isArchiving the site file has `stores.cold.archive`, which cannot be kept where the class or the restore is missing */
export async function probeColdAbilities(target: S3Target, isArchiving: boolean): Promise<readonly ProbeResult[]> {
  const prober = createProber(target.store.name);
  const ofArchive = isArchiving ? prober.needed : prober.optional;
  let isArchived = false;
  await ofArchive('storage class GLACIER', async () => {
    await storageClass(target);
    isArchived = true;
    return 'read back as GLACIER, and a read is refused until it is restored';
  });
  await ofArchive('RestoreObject', () => restore(target, isArchived));
  await prober.optional('SSE-C encrypts', () => customerKey(target));
  await removeEveryVersion(target).catch(() => undefined);
  return prober.results;
}

async function storageClass({ client, bucket, prefix }: S3Target): Promise<void> {
  const name = { Bucket: bucket, Key: `${prefix}archived` };
  await client.send(new PutObjectCommand({ ...name, Body: Buffer.from('cold\n'), StorageClass: 'GLACIER' })).catch(refusedWords);
  const { StorageClass } = await client.send(new HeadObjectCommand(name));
  expect(StorageClass === 'GLACIER', `the put succeeded, and the class was silently ignored: it is ${StorageClass ?? 'STANDARD'}`);
  const error = await refusalOf(
    () => client.send(new GetObjectCommand(name)),
    'the class reads back as GLACIER, and the object is readable at once: nothing was archived',
  );
  expect(s3ErrorCode(error) === 'InvalidObjectState', `a read failed otherwise: ${s3Answer(error)}`);
}

async function restore({ client, bucket, prefix }: S3Target, isArchived: boolean): Promise<string> {
  try {
    await client.send(
      new RestoreObjectCommand({ Bucket: bucket, Key: `${prefix}archived`, RestoreRequest: { Days: 1, GlacierJobParameters: { Tier: 'Standard' } } }),
    );
    expect(isArchived, 'the request succeeded for an object that is not archived: nothing is restored');
    return 'the request was accepted; hours pass until it is done';
  } catch (error) {
    if (s3ErrorCode(error) === 'InvalidObjectState') throw new CannotTell('there, but nothing could be archived to try it on');
    return refusedWords(error);
  }
}

async function customerKey({ client, bucket, prefix }: S3Target): Promise<string> {
  const name = { Bucket: bucket, Key: `${prefix}encrypted` };
  const key = randomBytes(32);
  const encryption = {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: key.toString('base64'),
    SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
  };
  await client.send(new PutObjectCommand({ ...name, Body: Buffer.from('secret\n'), ...encryption })).catch(refusedWords);
  const error = await refusalOf(
    () => client.send(new GetObjectCommand(name)),
    'the put succeeded, and the object is readable without the key: SSE-C was silently ignored',
  );
  expect(isRefusedByStore(error), `a read without the key failed otherwise: ${s3Answer(error)}`);
  return `a read without the key got ${s3Answer(error)}`;
}

/** The SDK's errors in the store's words, rather than in its own. */
function refusedWords(error: unknown): never {
  if (error instanceof Error && s3Answer(error) === 'no answer') throw error;
  throw error instanceof Error && isPlainFailure(error) ? error : new Error(`refused: ${s3Answer(error)}`, { cause: error });
}

const isPlainFailure = (error: Error): boolean => error.name === 'Error';
