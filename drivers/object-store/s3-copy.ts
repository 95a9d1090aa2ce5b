/** Copying within a service: not a byte passes here, and a small object costs one request. */
import { CopyObjectCommand, UploadPartCopyCommand } from '@aws-sdk/client-s3';
import type { ForeignAlgorithm } from '../../datapath/transfer/foreign-checksum.ts';
import { PenstockError } from '../../model/errors.ts';
import type { CopyOptions, CopySource, StoredObject, Upload, UploadedPart } from './port.ts';
import { AnswerError } from './raw/answer-error.ts';
import type { Header } from './raw/sign.ts';
import { encodeKey } from './raw/uri.ts';
import { elementText, isErrorXml } from './raw/xml.ts';
import { checksumsOfCopy, versionIn } from './s3-answers.ts';
import { httpStatus } from './s3-errors.ts';
import { condition, conditionHeaders, objectFields, objectHeaders } from './s3-fields.ts';
import { changedSource, headObject } from './s3-head.ts';
import { confirmRetention } from './s3-retention.ts';
import { assertHoldsBytes, label, location, type S3Store, type S3Target, sendOptions } from './s3-target.ts';
import { partQuery } from './s3-uploads.ts';
import { writeObject } from './s3-write.ts';
import { explained } from './s3-write-errors.ts';

type Copied = Omit<StoredObject, 'bytes'>;

export async function copyObject(target: S3Target, source: CopySource, options: CopyOptions): Promise<StoredObject> {
  if (target.key.endsWith('/')) return writeMarkerAs(target, source, options);
  // AWS honours If-None-Match on a copy; versitygw 1.8.0 ignores it, and would overwrite. Looking before narrows the gap where the store does not close it.
  if (options.ifNoneMatch && (await headObject(target, options.signal ? { signal: options.signal } : {}))) {
    throw new PenstockError('Conflict', `${label(target)} exists.`, { store: target.store });
  }
  try {
    const copied = await target.raw.orElse(
      () => rawCopy(target, source, options),
      () => sdkCopy(target, source, options),
    );
    if (options.retention) await confirmRetention({ ...target, versionId: copied.versionId }, options.retention);
    return { ...copied, bytes: source.totalBytes };
  } catch (error) {
    throw copyError(error, target, source);
  }
}

export async function copyPart(
  store: S3Store,
  upload: Upload,
  number: number,
  source: CopySource & { readonly start: number; readonly bytes: number },
  { signal }: { signal?: AbortSignal },
): Promise<UploadedPart> {
  const range = `bytes=${source.start}-${source.start + source.bytes - 1}`;
  try {
    const { etag, crc32c } = await store.raw.orElse(
      async () => {
        const headers: Header[] = [...sourceHeaders(source), ['x-amz-copy-source-range', range]];
        const { text } = await store.raw.send({ method: 'PUT', ...upload, query: partQuery(upload, number), headers, signal });
        return resultOf(text);
      },
      async () => {
        const { CopyPartResult: result } = await store.client.send(
          new UploadPartCopyCommand({ ...location(upload), UploadId: upload.uploadId, PartNumber: number, CopySourceRange: range, ...sourceFields(source) }),
          sendOptions(signal),
        );
        return { etag: result?.ETag ?? '', crc32c: result?.ChecksumCRC32C };
      },
    );
    if (crc32c !== undefined) await refuseWrongCrc32c(store, source, crc32c);
    return { number, bytes: source.bytes, etag, crc32c };
  } catch (error) {
    throw copyError(error, { ...store, ...upload }, source);
  }
}

/** versitygw 1.8.0 copies no directory's marker. One holds no bytes, and its metadata are replaced: it is as well written. */
async function writeMarkerAs(target: S3Target, source: CopySource, options: CopyOptions): Promise<StoredObject> {
  if (source.totalBytes > 0) assertHoldsBytes(target);
  const found = await headObject({ ...target, ...source }, { ifMatch: source.etag });
  if (!found) throw new PenstockError('NotFound', `${label(source)} is not there.`, { store: target.store });
  return writeObject(target, Buffer.alloc(0), options);
}

/** versitygw 1.8.0 keeps the whole source's CRC32C as that of any part copied from it. */
async function refuseWrongCrc32c(store: S3Store, source: CopySource & { readonly bytes: number }, crc32c: string): Promise<void> {
  if (source.bytes === source.totalBytes || (await headObject({ ...store, ...source }))?.crc32c !== crc32c) return;
  throw new PenstockError('PolicyRefused', `The store keeps the CRC32C of all of ${label(source)} as that of a part.`, {
    store: store.store,
    nextStep: 'Begin the upload as one whose parts are copied.',
  });
}

async function rawCopy(target: S3Target, source: CopySource, options: CopyOptions): Promise<Copied> {
  const headers: Header[] = [
    ...objectHeaders(target, options),
    ...conditionHeaders(options),
    ...sourceHeaders(source),
    ['x-amz-metadata-directive', 'REPLACE'],
    ['x-amz-checksum-algorithm', options.algorithm ?? 'CRC32C'],
  ];
  const answer = await target.raw.send({ method: 'PUT', bucket: target.bucket, key: target.key, headers, signal: options.signal });
  return { ...resultOf(answer.text, options.algorithm), versionId: versionIn(answer.headers) };
}

async function sdkCopy(target: S3Target, source: CopySource, options: CopyOptions): Promise<Copied> {
  const { CopyObjectResult: result, VersionId: versionId } = await target.client.send(
    new CopyObjectCommand({
      ...objectFields(target, options),
      ...condition(options),
      ...sourceFields(source),
      MetadataDirective: 'REPLACE',
      ChecksumAlgorithm: options.algorithm ?? 'CRC32C',
    }),
    sendOptions(options.signal),
  );
  return { etag: result?.ETag ?? '', ...checksumsOfCopy((field) => result?.[field], options.algorithm), versionId };
}

/** A copy may fail behind its 200: the status is sent before the work is done. */
function resultOf(text: string, algorithm?: ForeignAlgorithm): Pick<StoredObject, 'etag' | 'crc32c' | 'foreign'> {
  const etag = elementText(text, 'ETag');
  if (etag === undefined || isErrorXml(text)) throw new AnswerError({ status: 500, text });
  return { etag, ...checksumsOfCopy((field) => elementText(text, field), algorithm) };
}

function copyError(error: unknown, target: S3Target, source: CopySource): Error {
  if (httpStatus(error) !== 412 || /^if-none-match$/i.test(conditionOf(error))) return explained(error, target);
  return changedSource({ ...source, store: target.store }, source.etag, error);
}

/** S3 names the condition that did not hold. */
function conditionOf(error: unknown): string {
  const named: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'Condition') : undefined;
  return typeof named === 'string' ? named : '';
}

const copySource = ({ bucket, key }: CopySource): string => `${bucket}/${encodeKey(key)}`;
const sourceHeaders = (source: CopySource): Header[] => [
  ['x-amz-copy-source', copySource(source)],
  ['x-amz-copy-source-if-match', source.etag],
];
const sourceFields = (source: CopySource) => ({ CopySource: copySource(source), CopySourceIfMatch: source.etag });
