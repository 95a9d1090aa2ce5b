/** What a store knows of one object. */
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { PenstockError } from '../../model/errors.ts';
import type { ObjectFacts } from './port.ts';
import { crc32cIn, etagIn, foreignIn, foreignInAnswer, metadataOf, ofWhole, versionIn } from './s3-answers.ts';
import { httpStatus, s3Error } from './s3-errors.ts';
import { servedInAnswer, servedInHeaders } from './s3-fields.ts';
import { label, location, type S3Target, sendOptions } from './s3-target.ts';

export interface HeadFacts extends ObjectFacts {
  /** ISO instant. */
  readonly retainedUntil: string | undefined;
  readonly onLegalHold: boolean;
}

/** Undefined where there is no such object. `ifMatch`: SourceChanged where the etag differs. */
export async function headObject(target: S3Target, options: { ifMatch?: string; signal?: AbortSignal } = {}): Promise<HeadFacts | undefined> {
  try {
    return await target.raw.orElse(
      () => rawHead(target, options),
      () => sdkHead(target, options),
    );
  } catch (error) {
    if (httpStatus(error) === 404) return undefined;
    if (httpStatus(error) !== 412) throw s3Error(error, target.store, label(target));
    throw changedSource(target, options.ifMatch, error);
  }
}

export function changedSource(target: Pick<S3Target, 'bucket' | 'key' | 'store'>, etag: string | undefined, cause: unknown): PenstockError {
  return new PenstockError('SourceChanged', `${label(target)} is no longer the version ${etag}.`, { store: target.store, cause });
}

async function rawHead(target: S3Target, { ifMatch, signal }: { ifMatch?: string; signal?: AbortSignal }): Promise<HeadFacts> {
  const { headers } = await target.raw.send({
    method: 'HEAD',
    bucket: target.bucket,
    key: target.key,
    headers: [['x-amz-checksum-mode', 'ENABLED'], ...(ifMatch ? [['if-match', ifMatch] as const] : [])],
    signal,
  });
  return {
    key: target.key,
    bytes: Number(headers.get('content-length') ?? 0),
    etag: etagIn(headers),
    modifiedAt: instantOf(headers.get('last-modified')),
    versionId: versionIn(headers),
    crc32c: crc32cIn(headers),
    ...foreignIn(headers),
    metadata: metadataOf(headers),
    servedAs: servedInHeaders(headers),
    retainedUntil: headers.get('x-amz-object-lock-retain-until-date'),
    onLegalHold: headers.get('x-amz-object-lock-legal-hold') === 'ON',
  };
}

async function sdkHead(target: S3Target, { ifMatch, signal }: { ifMatch?: string; signal?: AbortSignal }): Promise<HeadFacts> {
  const answer = await target.client.send(
    new HeadObjectCommand({ ...location(target), ChecksumMode: 'ENABLED', ...(ifMatch ? { IfMatch: ifMatch } : {}) }),
    sendOptions(signal),
  );
  return {
    key: target.key,
    bytes: answer.ContentLength ?? 0,
    etag: answer.ETag ?? '',
    modifiedAt: instantOf(answer.LastModified),
    versionId: answer.VersionId,
    crc32c: ofWhole(answer.ChecksumCRC32C, answer.ChecksumType),
    ...foreignInAnswer(answer),
    metadata: answer.Metadata ?? {},
    servedAs: servedInAnswer(answer),
    retainedUntil: answer.ObjectLockRetainUntilDate?.toISOString(),
    onLegalHold: answer.ObjectLockLegalHoldStatus === 'ON',
  };
}

function instantOf(time: string | Date | undefined): string {
  const date = new Date(time ?? 0);
  return (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
}
