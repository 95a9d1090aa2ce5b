/** Writing to S3: small content as one PUT, large as a multipart upload, both with a CRC32C that the store verifies before it publishes. */

import type { Readable } from 'node:stream';
import { PutObjectCommand, type PutObjectCommandInput, type S3Client } from '@aws-sdk/client-s3';
import { contentFault, crc32cOf, createCrc32cMeter } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';
import type { WriteOptions, WrittenObject } from './port.ts';
import { s3Error, s3ErrorCode } from './s3-errors.ts';
import { uploadParts } from './s3-multipart.ts';
import { MAX_PARTS, partsOf, SMALLEST_PART_BYTES } from './s3-parts.ts';
import { confirmRetention, noObjectLock } from './s3-retention.ts';
import { uploadStream } from './s3-upload.ts';

export interface WriteTarget {
  readonly client: S3Client;
  readonly store: string;
  readonly bucket: string;
  readonly key: string;
}

export async function writeObject(target: WriteTarget, body: Buffer, options: WriteOptions): Promise<WrittenObject> {
  const meter = createCrc32cMeter();
  meter.add(body);
  const fault = contentFault({ ...options.expected, subject: label(target), store: target.store }, meter);
  if (fault) throw fault;
  return putWhole(target, body, options);
}

export async function writeObjectStream(target: WriteTarget, body: Readable, options: WriteOptions): Promise<WrittenObject> {
  const expected = { ...options.expected, subject: label(target), store: target.store };
  try {
    const parts = partsOf(body, options.expected?.bytes, target.store);
    const first = await parts.next();
    if (first.done) return await writeObject(target, Buffer.alloc(0), options);
    if (first.value.last) return await writeObject(target, first.value.content, options);
    // Parts of lib-storage have one size: beyond its 10,000 of them, and where the whole's checksum is known, our own upload serves.
    const fitsUpload = (options.expected?.bytes ?? 0) <= SMALLEST_PART_BYTES * MAX_PARTS;
    const send = options.expected?.bytes !== undefined && options.expected.crc32c === undefined && fitsUpload ? uploadStream : uploadParts;
    const written = await send(target, first.value.content, parts, expected, options);
    return await withRetention(target, written, options);
  } catch (error) {
    body.destroy();
    throw explained(error, target);
  }
}

async function putWhole(target: WriteTarget, body: Buffer, options: WriteOptions): Promise<WrittenObject> {
  const crc32c = crc32cOf(body);
  try {
    const answer = await target.client.send(
      new PutObjectCommand({ ...objectFields(target, options), ...condition(options), Body: body, ContentLength: body.length, ChecksumCRC32C: crc32c }),
      options.signal ? { abortSignal: options.signal } : {},
    );
    const written = { etag: answer.ETag ?? '', versionId: answer.VersionId, bytes: body.length, crc32c };
    return await withRetention(target, written, options);
  } catch (error) {
    throw explained(error, target);
  }
}

async function withRetention(target: WriteTarget, written: WrittenObject, { retention }: WriteOptions): Promise<WrittenObject> {
  if (retention) await confirmRetention({ ...target, versionId: written.versionId }, retention);
  return written;
}

/** What PutObject and CreateMultipartUpload have in common. */
export function objectFields(target: WriteTarget, options: WriteOptions) {
  return {
    Bucket: target.bucket,
    Key: target.key,
    ContentType: options.contentType ?? 'application/octet-stream',
    ...(options.metadata ? { Metadata: { ...options.metadata } } : {}),
    ...(options.retention ? { ObjectLockMode: options.retention.mode, ObjectLockRetainUntilDate: new Date(options.retention.retainUntil) } : {}),
  } satisfies Partial<PutObjectCommandInput>;
}

export const condition = (options: WriteOptions) => (options.ifNoneMatch ? { IfNoneMatch: '*' } : {});

/** A store on a file system cannot hold `a` and `a/b` at once; the error names both. */
function explained(error: unknown, target: WriteTarget): Error {
  const code = s3ErrorCode(error);
  if (code === 'ObjectParentIsFile') {
    return collision(target, `"${target.key}" needs "${parentOf(target.key)}" to be a directory, but an object of that name or above it exists.`, error);
  }
  if (code === 'ExistingObjectIsDirectory') {
    return collision(target, `"${target.key}" is a directory there, for objects "${target.key}/..." exist.`, error);
  }
  if (code === 'InvalidRequest' && /object ?lock/i.test(error instanceof Error ? error.message : '')) {
    return noObjectLock(target.store, target.bucket, error);
  }
  return s3Error(error, target.store, label(target));
}

function collision(target: WriteTarget, message: string, cause: unknown): PenstockError {
  return new PenstockError('Conflict', `${label(target)}: ${message}`, { store: target.store, cause, nextStep: 'Rename one of them.' });
}

const parentOf = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf('/')));
export const label = (target: WriteTarget): string => `s3://${target.bucket}/${target.key}`;
