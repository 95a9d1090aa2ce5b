/** Writing to S3: small content as one PUT, large as an upload in parts, both with a CRC32C that the store verifies before it publishes. */

import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { contentFault, crc32cOf } from '../../datapath/transfer/crc32c.ts';
import type { PartBody, WriteOptions, WrittenObject } from './port.ts';
import { etagIn, versionIn } from './s3-answers.ts';
import { sendBlocks } from './s3-blocks.ts';
import { condition, conditionHeaders, objectFields, objectHeaders } from './s3-fields.ts';
import { uploadParts } from './s3-multipart.ts';
import { partsOf } from './s3-parts.ts';
import { confirmRetention } from './s3-retention.ts';
import { assertHoldsBytes, label, type S3Target, sendOptions } from './s3-target.ts';
import { uploadStream } from './s3-upload.ts';
import { explained } from './s3-write-errors.ts';

export async function writeObject(target: S3Target, body: Buffer | PartBody, options: WriteOptions): Promise<WrittenObject> {
  const bytes = Buffer.isBuffer(body) ? body.length : body.bytes;
  if (bytes > 0) assertHoldsBytes(target);
  try {
    const { crc32c, ...answer } = Buffer.isBuffer(body) ? await putBuffer(target, body, options) : await putBlocks(target, body, options);
    if (options.retention) await confirmRetention({ ...target, versionId: answer.versionId }, options.retention);
    return { ...answer, bytes, crc32c };
  } catch (error) {
    throw explained(error, target);
  }
}

export async function writeObjectStream(target: S3Target, body: Readable, options: WriteOptions): Promise<WrittenObject> {
  try {
    const parts = partsOf(body, options.expected?.bytes, target.store);
    const first = await parts.next();
    if (first.done) return await writeObject(target, Buffer.alloc(0), options);
    if (first.value.last) return await writeObject(target, first.value.content, options);
    const send = options.expected?.bytes === undefined ? uploadStream : uploadParts;
    return await send(target, first.value.content, parts, options);
  } catch (error) {
    body.destroy();
    throw explained(error, target);
  }
}

type Put = Pick<WrittenObject, 'etag' | 'versionId'>;

async function putBuffer(target: S3Target, body: Buffer, options: WriteOptions): Promise<Put & { readonly crc32c: string }> {
  const crc32c = options.crc32c ?? crc32cOf(body);
  if (options.expected) {
    const found = { add: () => undefined, bytes: () => body.length, crc32c: () => crc32c };
    const fault = contentFault({ ...options.expected, subject: label(target), store: target.store }, found);
    if (fault) throw fault;
  }
  const answer = await target.raw.orElse(
    () => rawPut(target, body, crc32c, options),
    () => sdkPut(target, body, crc32c, options),
  );
  return { ...answer, crc32c };
}

/** The CRC32C follows the content; the store compares before it publishes. */
function putBlocks(target: S3Target, body: PartBody, options: WriteOptions): Promise<Put & { readonly crc32c: string }> {
  return sendBlocks(
    target,
    target,
    body,
    async (blocks) => {
      const headers = [...objectHeaders(target, options), ...conditionHeaders(options)];
      const answer = await target.raw.send({ method: 'PUT', bucket: target.bucket, key: target.key, headers, body: blocks, signal: options.signal });
      return { etag: etagIn(answer.headers), versionId: versionIn(answer.headers), crc32c: answer.sentCrc32c ?? '' };
    },
    async (content) => {
      const answer = await target.client.send(
        new PutObjectCommand({
          ...objectFields(target, options),
          ...condition(options),
          Body: content,
          ContentLength: body.bytes,
          ChecksumAlgorithm: 'CRC32C',
        }),
        sendOptions(options.signal),
      );
      return { etag: answer.ETag ?? '', versionId: answer.VersionId, crc32c: answer.ChecksumCRC32C ?? '' };
    },
  );
}

async function rawPut(target: S3Target, body: Buffer, crc32c: string, options: WriteOptions): Promise<Put> {
  const headers = [...objectHeaders(target, options), ...conditionHeaders(options), ['x-amz-checksum-crc32c', crc32c] as const];
  const answer = await target.raw.send({ method: 'PUT', bucket: target.bucket, key: target.key, headers, body, signal: options.signal });
  return { etag: etagIn(answer.headers), versionId: versionIn(answer.headers) };
}

async function sdkPut(target: S3Target, body: Buffer, crc32c: string, options: WriteOptions): Promise<Put> {
  const answer = await target.client.send(
    new PutObjectCommand({ ...objectFields(target, options), ...condition(options), Body: body, ContentLength: body.length, ChecksumCRC32C: crc32c }),
    sendOptions(options.signal),
  );
  return { etag: answer.ETag ?? '', versionId: answer.VersionId };
}
