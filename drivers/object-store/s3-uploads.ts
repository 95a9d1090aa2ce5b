/**
 * Uploads in parts. The parts and the whole carry a CRC32C: the store refuses a wrong part when it comes and a wrong whole when it is completed, and
 * keeps the whole's checksum (FULL_OBJECT), so that a later check needs no byte read.
 */
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';
import type { CompleteOptions, PartBody, StoredObject, Upload, UploadedPart, UploadOptions } from './port.ts';
import { encodeText } from './raw/uri.ts';
import { crc32cIn, etagIn, ofWhole } from './s3-answers.ts';
import { sendBlocks } from './s3-blocks.ts';
import { condition, objectFields } from './s3-fields.ts';
import { headObject } from './s3-head.ts';
import { confirmRetention } from './s3-retention.ts';
import { assertHoldsBytes, label, location, type S3Store, type S3Target, sendOptions } from './s3-target.ts';
import { explained } from './s3-write-errors.ts';

/** Cancellation ends within about a second; what this does not reach is swept. */
const ABANDON_TIMEOUT_MS = 1_000;

export async function beginUpload(target: S3Target, options: UploadOptions): Promise<Upload> {
  assertHoldsBytes(target);
  try {
    const { UploadId: uploadId } = await target.client.send(
      new CreateMultipartUploadCommand({
        ...objectFields(target, options),
        ...(options.isCopied ? {} : { ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' }),
      }),
      sendOptions(options.signal),
    );
    if (!uploadId) throw new PenstockError('StoreUnavailable', 'A multipart upload was begun without an id.', { store: target.store });
    return { bucket: target.bucket, key: target.key, uploadId };
  } catch (error) {
    throw explained(error, target);
  }
}

export interface PartOptions {
  readonly crc32c?: string;
  readonly signal?: AbortSignal;
}

export async function writePart(store: S3Store, upload: Upload, number: number, body: Buffer | PartBody, options: PartOptions): Promise<UploadedPart> {
  try {
    return await (Buffer.isBuffer(body) ? writeBuffer(store, upload, number, body, options) : writeBlocks(store, upload, number, body, options));
  } catch (error) {
    throw explained(error, { ...store, ...upload });
  }
}

async function writeBuffer(store: S3Store, upload: Upload, number: number, body: Buffer, { crc32c = crc32cOf(body), signal }: PartOptions) {
  const etag = await store.raw.orElse(
    async () => {
      const headers = [['x-amz-checksum-crc32c', crc32c]] as const;
      return etagIn((await store.raw.send({ method: 'PUT', ...upload, query: partQuery(upload, number), headers, body, signal })).headers);
    },
    () => sdkPart(store, upload, number, body, body.length, crc32c, signal),
  );
  return { number, bytes: body.length, etag, crc32c };
}

function writeBlocks(store: S3Store, upload: Upload, number: number, body: PartBody, { crc32c, signal }: PartOptions): Promise<UploadedPart> {
  const { bytes } = body;
  return sendBlocks(
    store,
    upload,
    body,
    async (blocks) => {
      const headers = crc32c === undefined ? [] : ([['x-amz-checksum-crc32c', crc32c]] as const);
      const answer = await store.raw.send({ method: 'PUT', ...upload, query: partQuery(upload, number), headers, body: blocks, signal });
      return { number, bytes, etag: etagIn(answer.headers), crc32c: crc32c ?? answer.sentCrc32c ?? crc32cIn(answer.headers) };
    },
    async (content) => {
      const { ETag: etag, ChecksumCRC32C: stored } = await store.client.send(partCommand(upload, number, content, bytes, crc32c), sendOptions(signal));
      return { number, bytes, etag: etag ?? '', crc32c: crc32c ?? stored };
    },
  );
}

async function sdkPart(store: S3Store, upload: Upload, number: number, body: Buffer, bytes: number, crc32c: string, signal: AbortSignal | undefined) {
  return (await store.client.send(partCommand(upload, number, body, bytes, crc32c), sendOptions(signal))).ETag ?? '';
}

function partCommand(upload: Upload, number: number, body: Buffer | Readable, bytes: number, crc32c: string | undefined): UploadPartCommand {
  const checksum = crc32c === undefined ? ({ ChecksumAlgorithm: 'CRC32C' } as const) : { ChecksumCRC32C: crc32c };
  return new UploadPartCommand({ ...location(upload), UploadId: upload.uploadId, PartNumber: number, Body: body, ContentLength: bytes, ...checksum });
}

export async function listParts(store: S3Store, upload: Upload, { signal }: { signal?: AbortSignal }): Promise<UploadedPart[]> {
  const parts: UploadedPart[] = [];
  try {
    for (let marker: string | undefined; ; ) {
      const page: ListPartsCommandOutput = await store.client.send(
        new ListPartsCommand({ ...location(upload), UploadId: upload.uploadId, ...(marker === undefined ? {} : { PartNumberMarker: marker }) }),
        sendOptions(signal),
      );
      for (const { PartNumber: number, Size: bytes = 0, ETag: etag = '', ChecksumCRC32C: crc32c } of page.Parts ?? []) {
        if (number !== undefined) parts.push({ number, bytes, etag, crc32c });
      }
      if (!page.IsTruncated || !page.NextPartNumberMarker || page.NextPartNumberMarker === marker) return parts;
      marker = page.NextPartNumberMarker;
    }
  } catch (error) {
    throw explained(error, { ...store, ...upload });
  }
}

export async function completeUpload(store: S3Store, upload: Upload, parts: readonly UploadedPart[], whole: CompleteOptions): Promise<StoredObject> {
  const target: S3Target = { ...store, ...upload };
  // Begun to be copied, it has no checksum the store could compare, and is refused with one.
  const compared = parts.every((part) => part.crc32c !== undefined) ? whole.crc32c : undefined;
  try {
    const answer = await store.client.send(
      new CompleteMultipartUploadCommand({
        ...location(upload),
        ...condition(whole),
        UploadId: upload.uploadId,
        ...(compared === undefined ? {} : { ChecksumType: 'FULL_OBJECT', ChecksumCRC32C: compared }),
        MpuObjectSize: whole.bytes,
        MultipartUpload: {
          Parts: parts.map(({ number, etag, crc32c }) => ({ PartNumber: number, ETag: etag, ...(crc32c === undefined ? {} : { ChecksumCRC32C: crc32c }) })),
        },
      }),
      sendOptions(whole.signal),
    );
    const versionId = answer.VersionId;
    if (whole.retention) await confirmRetention({ ...target, versionId }, whole.retention);
    const answered = ofWhole(answer.ChecksumCRC32C, answer.ChecksumType);
    const crc32c = compared ?? answered;
    if (answered === undefined) await assertWhole(target, whole);
    return { etag: answer.ETag ?? '', versionId, bytes: whole.bytes, crc32c };
  } catch (error) {
    throw explained(error, target);
  }
}

/** versitygw 1.8.0 calls an ended upload complete wherever any object has the name. Its answer has no checksum then, so without one the object is looked at. */
async function assertWhole(target: S3Target, { bytes, crc32c, signal }: CompleteOptions): Promise<void> {
  const held = await headObject(target, signal ? { signal } : {});
  if (held?.bytes === bytes && (crc32c === undefined || (held.crc32c ?? crc32c) === crc32c)) return;
  throw new PenstockError('SessionLost', `The upload of ${label(target)} was ended before it was complete: what lies there is another object.`, {
    store: target.store,
  });
}

/** Not under the caller's signal, which may be what ended the upload. */
export async function abandonUpload({ client }: S3Store, upload: Upload): Promise<void> {
  await client
    .send(new AbortMultipartUploadCommand({ ...location(upload), UploadId: upload.uploadId }), { abortSignal: AbortSignal.timeout(ABANDON_TIMEOUT_MS) })
    .catch(() => undefined);
}

export const partQuery = ({ uploadId }: Upload, number: number): string => `partNumber=${number}&uploadId=${encodeText(uploadId)}`;
