/** Versions, legal holds, and what a bucket's lock rests on; by the SDK, for they are control calls. */
import {
  GetBucketVersioningCommand,
  GetObjectLegalHoldCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutObjectLegalHoldCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { absent, PenstockError } from '../../model/errors.ts';
import type { BucketState, LockEvidence, ObjectVersion, VersionName } from './lock-evidence.ts';
import { assertObjectKey } from './object-key.ts';
import { s3Error, s3ErrorCode } from './s3-errors.ts';
import { bucketHasObjectLock } from './s3-retention.ts';
import { label, location, type S3Store, sendOptions } from './s3-target.ts';

/** S3's own limit of a page; more versions of one key are nobody's doing but an attacker's. */
const MAX_VERSIONS = 1000;
const NO_HOLD_CODES = new Set(['NoSuchObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError']);

export function createLockEvidence(access: S3Store): LockEvidence {
  return {
    versions: (bucket, key, signal) => versions(access, bucket, key, signal),
    setLegalHold: (object, isOn, signal) => setLegalHold(access, object, isOn, signal),
    bucketState: (bucket, signal) => bucketState(access, bucket, signal),
  };
}

async function versions({ client, store }: S3Store, bucket: string, key: string, signal: AbortSignal | undefined): Promise<readonly ObjectVersion[]> {
  assertObjectKey(key, store);
  const answer = await client
    .send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key, MaxKeys: MAX_VERSIONS }), sendOptions(signal))
    .catch((error: unknown) => absent(s3Error(error, store, `versions of ${label({ bucket, key })}`)));
  const listed = answer ? versionsIn(answer, key) : [];
  if (!key.endsWith('/')) return listed;
  // A gateway over a file system lists versions of a directory that nobody can ask for (versitygw 1.8.0).
  const known = await Promise.all(
    listed.map(async (version) => version.isDeleteMarker || (await hasVersion(client, store, { bucket, key, ...version }, signal))),
  );
  return listed.filter((_, index) => known[index]);
}

async function hasVersion(client: S3Client, store: string, { versionId, ...name }: VersionName, signal: AbortSignal | undefined): Promise<boolean> {
  const head = client.send(new HeadObjectCommand({ ...location(name), VersionId: versionId }), sendOptions(signal));
  return (await head.catch((error: unknown) => absent(s3Error(error, store, label(name))))) !== undefined;
}

/** By time and not by the order of the answer: versions and delete markers come in lists of their own. */
function versionsIn({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput, key: string): readonly ObjectVersion[] {
  const content = Versions.map((version) => ({ ...version, isDeleteMarker: false, bytes: version.Size ?? 0, etag: version.ETag ?? '' }));
  const markers = DeleteMarkers.map((marker) => ({ ...marker, isDeleteMarker: true, bytes: 0, etag: '' }));
  return [...content, ...markers]
    .filter((version) => version.Key === key)
    .sort((one, other) => Number(other.IsLatest ?? false) - Number(one.IsLatest ?? false) || timeOf(other.LastModified) - timeOf(one.LastModified))
    .map(({ VersionId, isDeleteMarker, bytes, etag, LastModified }) => ({
      versionId: VersionId ?? 'null',
      isDeleteMarker,
      bytes,
      etag,
      modifiedAt: new Date(timeOf(LastModified)).toISOString(),
    }));
}
const timeOf = (date: Date | undefined): number => date?.getTime() ?? 0;

async function setLegalHold({ client, store }: S3Store, { versionId, ...name }: VersionName, isOn: boolean, signal: AbortSignal | undefined): Promise<void> {
  assertObjectKey(name.key, store);
  const object = { ...location(name), ...(versionId === undefined ? {} : { VersionId: versionId }) };
  const wanted = isOn ? 'ON' : 'OFF';
  const read = async () => {
    try {
      return (await client.send(new GetObjectLegalHoldCommand(object), sendOptions(signal))).LegalHold?.Status ?? 'OFF';
    } catch (error) {
      if (NO_HOLD_CODES.has(s3ErrorCode(error))) return 'OFF';
      throw s3Error(error, store, `legal hold of ${label(name)}`);
    }
  };
  if ((await read()) === wanted) return;
  await client.send(new PutObjectLegalHoldCommand({ ...object, LegalHold: { Status: wanted } }), sendOptions(signal)).catch((error: unknown) => {
    throw s3Error(error, store, `legal hold of ${label(name)}`);
  });
  if ((await read()) === wanted) return;
  throw new PenstockError('PolicyRefused', `The legal hold of ${label(name)} was to be ${wanted} and is not.`, {
    store,
    nextStep: 'Use a bucket created with Object Lock, on a store that has it.',
  });
}

async function bucketState({ client, store }: S3Store, bucket: string, signal: AbortSignal | undefined): Promise<BucketState> {
  let storeTime: string | undefined;
  const command = new GetBucketVersioningCommand({ Bucket: bucket });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      storeTime = dateIn(result.response);
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'readDate' },
  );
  try {
    const { Status } = await client.send(command, sendOptions(signal));
    const versioning = Status === 'Enabled' ? 'enabled' : Status === 'Suspended' ? 'suspended' : 'none';
    return { exists: true, hasObjectLock: await bucketHasObjectLock(client, bucket), versioning, storeTime };
  } catch (error) {
    absent(s3Error(error, store, `bucket ${bucket}`));
    return { exists: false, hasObjectLock: false, versioning: 'none', storeTime };
  }
}

function dateIn(response: unknown): string | undefined {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return undefined;
  const { headers } = response;
  const text = typeof headers === 'object' && headers !== null ? Reflect.get(headers, 'date') : undefined;
  const at = new Date(typeof text === 'string' ? text : Number.NaN);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
