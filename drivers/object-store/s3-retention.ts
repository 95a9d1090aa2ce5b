/** Object Lock: a retention is set per object and read back, for a bucket's default rule and a 200 prove nothing. */
import { GetObjectLockConfigurationCommand, GetObjectRetentionCommand, PutObjectRetentionCommand, type S3Client } from '@aws-sdk/client-s3';
import { PenstockError } from '../../model/errors.ts';
import { coversLock, strongerMode } from '../../model/retention.ts';
import type { ObjectRetention } from './port.ts';
import { s3Error, s3ErrorCode } from './s3-errors.ts';
import { sendOptions } from './s3-target.ts';

/** A listing of the codes that mean "no lock here": of the bucket, of the object, or of the whole product. */
const NO_RETENTION_CODES = new Set(['NoSuchObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError', 'InvalidRequest', 'NotImplemented']);

interface Target {
  readonly client: S3Client;
  readonly store: string;
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function readRetention(target: Target): Promise<ObjectRetention | undefined> {
  try {
    const { Retention } = await target.client.send(new GetObjectRetentionCommand(objectOf(target)), sendOptions(target.signal));
    if (!Retention?.RetainUntilDate || (Retention.Mode !== 'COMPLIANCE' && Retention.Mode !== 'GOVERNANCE')) return undefined;
    return { mode: Retention.Mode, retainUntil: Retention.RetainUntilDate.toISOString() };
  } catch (error) {
    if (NO_RETENTION_CODES.has(s3ErrorCode(error))) return undefined;
    throw s3Error(error, target.store, `retention of ${label(target)}`);
  }
}

/** Sets or extends, and believes only what it reads back. Asking for less than there is is refused here too: one release of a product allowed it. */
export async function applyRetention(target: Target, wanted: ObjectRetention): Promise<void> {
  const held = await readRetention(target);
  if (held && coversLock(held, wanted)) {
    if (Date.parse(held.retainUntil) === Date.parse(wanted.retainUntil) || held.mode !== wanted.mode) return;
    throw new PenstockError('Denied', `${label(target)} is held until ${held.retainUntil}; ${wanted.retainUntil} would shorten that.`, { store: target.store });
  }
  try {
    await target.client.send(
      new PutObjectRetentionCommand({
        ...objectOf(target),
        // Extended, never weakened.
        Retention: { Mode: strongerMode(wanted.mode, held?.mode), RetainUntilDate: new Date(wanted.retainUntil) },
      }),
      sendOptions(target.signal),
    );
  } catch (error) {
    if (NO_RETENTION_CODES.has(s3ErrorCode(error))) throw refused(target, wanted, error);
    throw s3Error(error, target.store, `retention of ${label(target)}`);
  }
  if (!(await isHeld(target, wanted))) throw refused(target, wanted, undefined);
}

/** @throws PolicyRefused where the object is held shorter or weaker than wanted */
export async function confirmRetention(target: Target, wanted: ObjectRetention): Promise<void> {
  if (await isHeld(target, wanted)) return;
  // A gateway over a file system drops the lock that is sent with a directory (versitygw 1.8.0). Without content nothing is lost by locking it a moment later.
  if (!target.key.endsWith('/')) throw refused(target, wanted, undefined);
  await applyRetention(target, wanted);
}

async function isHeld(target: Target, wanted: ObjectRetention): Promise<boolean> {
  return coversLock(await readRetention(target), wanted);
}

export async function bucketHasObjectLock(client: S3Client, bucket: string): Promise<boolean> {
  try {
    const { ObjectLockConfiguration } = await client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }));
    return ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
  } catch (error) {
    if (NO_RETENTION_CODES.has(s3ErrorCode(error))) return false;
    throw error;
  }
}

export function noObjectLock(store: string, bucket: string, cause?: unknown): PenstockError {
  return new PenstockError('PolicyRefused', `Nothing in the bucket ${bucket} can be retained: it has no Object Lock.`, {
    store,
    cause,
    nextStep: 'Use a bucket created with Object Lock, on a store that has it.',
  });
}

function refused(target: Target, wanted: ObjectRetention, cause: unknown): PenstockError {
  return new PenstockError('PolicyRefused', `${label(target)} cannot be held in ${wanted.mode} mode until ${wanted.retainUntil}.`, {
    store: target.store,
    nextStep: 'Use a bucket created with Object Lock, on a store that has it.',
    cause,
  });
}

function objectOf(target: Target) {
  return { Bucket: target.bucket, Key: target.key, ...(target.versionId ? { VersionId: target.versionId } : {}) };
}

const label = (target: Target): string => `s3://${target.bucket}/${target.key}`;
