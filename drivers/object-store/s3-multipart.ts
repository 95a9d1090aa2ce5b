/**
 * A multipart upload whose parts and whole carry a CRC32C: the store refuses a wrong part when it comes and a wrong whole when it is completed, and
 * keeps the whole's checksum (FULL_OBJECT), so that a later check needs no byte read. lib-storage's Upload can do neither.
 */
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { contentFault, crc32cOf, createCrc32cMeter, type ExpectedContent } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';
import type { WriteOptions, WrittenObject } from './port.ts';
import type { Part } from './s3-parts.ts';
import { condition, objectFields, type WriteTarget } from './s3-write.ts';

/** Memory of one upload: so many parts on their way, and one being filled. */
const PARTS_IN_FLIGHT = 2;

const ABORT_TIMEOUT_MS = 5_000;

interface Upload {
  readonly target: WriteTarget;
  readonly uploadId: string;
  readonly signal: AbortSignal | undefined;
}

export async function uploadParts(
  target: WriteTarget,
  first: Buffer,
  rest: AsyncGenerator<Part, undefined>,
  expected: ExpectedContent,
  options: WriteOptions,
): Promise<WrittenObject> {
  const upload = await begin(target, options);
  try {
    const meter = createCrc32cMeter();
    const parts = await sendAll(upload, first, rest, (content) => meter.add(content));
    const fault = contentFault(expected, meter);
    if (fault) throw fault;
    const crc32c = meter.crc32c();
    const answer = await target.client.send(
      new CompleteMultipartUploadCommand({
        ...location(upload),
        ...condition(options),
        ChecksumType: 'FULL_OBJECT',
        ChecksumCRC32C: crc32c,
        MpuObjectSize: meter.bytes(),
        MultipartUpload: { Parts: parts },
      }),
      sendOptions(upload.signal),
    );
    return { etag: answer.ETag ?? '', versionId: answer.VersionId, bytes: meter.bytes(), crc32c };
  } catch (error) {
    await abandon(upload);
    throw error;
  }
}

async function begin(target: WriteTarget, options: WriteOptions): Promise<Upload> {
  const { UploadId: uploadId } = await target.client.send(
    new CreateMultipartUploadCommand({ ...objectFields(target, options), ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' }),
    sendOptions(options.signal),
  );
  if (!uploadId) throw new PenstockError('StoreUnavailable', 'A multipart upload was begun without an id.', { store: target.store });
  return { target, uploadId, signal: options.signal };
}

async function sendAll(upload: Upload, first: Buffer, rest: AsyncGenerator<Part, undefined>, seen: (content: Buffer) => void): Promise<CompletedPart[]> {
  const parts: CompletedPart[] = [];
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const start = async (content: Buffer): Promise<void> => {
    seen(content);
    const number = parts.length + 1;
    parts.push({ PartNumber: number });
    const sent: Promise<void> = sendPart(upload, number, content)
      .then(
        (part) => {
          parts[number - 1] = part;
        },
        (error: unknown) => {
          failures.push(error);
        },
      )
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
    if (inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(inFlight);
  };
  try {
    await start(first);
    for await (const part of rest) {
      if (failures.length > 0) break;
      await start(part.content);
    }
  } finally {
    await Promise.all(inFlight);
  }
  if (failures.length > 0) throw failures[0];
  return parts;
}

async function sendPart(upload: Upload, number: number, content: Buffer): Promise<CompletedPart> {
  const crc32c = crc32cOf(content);
  const { ETag: etag } = await upload.target.client.send(
    new UploadPartCommand({ ...location(upload), PartNumber: number, Body: content, ContentLength: content.length, ChecksumCRC32C: crc32c }),
    sendOptions(upload.signal),
  );
  return { PartNumber: number, ChecksumCRC32C: crc32c, ...(etag ? { ETag: etag } : {}) };
}

/** Best effort, and not under the caller's signal, which may be what ended the upload; a sweep collects what stays. */
async function abandon(upload: Upload): Promise<void> {
  await upload.target.client
    .send(new AbortMultipartUploadCommand(location(upload)), { abortSignal: AbortSignal.timeout(ABORT_TIMEOUT_MS) })
    .catch(() => undefined);
}

const location = ({ target, uploadId }: Upload) => ({ Bucket: target.bucket, Key: target.key, UploadId: uploadId });
const sendOptions = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});
