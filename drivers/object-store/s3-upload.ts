/**
 * A stream whose length nobody knows beforehand, by lib-storage: such streams are small (the close of a log), and it does that as well as we could. What has a
 * known length, a checksum to be kept of the whole or several workers goes by s3-uploads.ts; docs/decisions/0012-s3-multipart.md says why.
 */
import { Readable } from 'node:stream';
import type { CompleteMultipartUploadCommandOutput } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { contentFault, createCrc32cMeter } from '../../datapath/transfer/crc32c.ts';
import type { WriteOptions, WrittenObject } from './port.ts';
import { condition, objectFields } from './s3-fields.ts';
import { type Part, SMALLEST_PART_BYTES } from './s3-parts.ts';
import { confirmRetention } from './s3-retention.ts';
import { label, type S3Target } from './s3-target.ts';

/** Memory of one upload: so many parts of {@link SMALLEST_PART_BYTES} on their way. */
const PARTS_IN_FLIGHT = 2;

export async function uploadStream(target: S3Target, first: Buffer, rest: AsyncGenerator<Part, undefined>, options: WriteOptions): Promise<WrittenObject> {
  const meter = createCrc32cMeter();
  const upload = new Upload({
    client: target.client,
    params: {
      ...objectFields(target, options),
      ...condition(options),
      ChecksumAlgorithm: 'CRC32C',
      Body: Readable.from(checked(target, first, rest, options, meter), { objectMode: false }),
    },
    partSize: SMALLEST_PART_BYTES,
    queueSize: PARTS_IN_FLIGHT,
  });
  const stop = () => void upload.abort();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const answer: CompleteMultipartUploadCommandOutput = await upload.done();
    if (options.retention) await confirmRetention({ ...target, versionId: answer.VersionId }, options.retention);
    return { etag: answer.ETag ?? '', versionId: answer.VersionId, bytes: meter.bytes(), crc32c: meter.crc32c() };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}

/** Fails at the end where the whole is not the expected one, before the upload is completed. */
async function* checked(
  target: S3Target,
  first: Buffer,
  rest: AsyncGenerator<Part, undefined>,
  { expected }: WriteOptions,
  meter: ReturnType<typeof createCrc32cMeter>,
) {
  meter.add(first);
  yield first;
  for await (const { content } of rest) {
    meter.add(content);
    yield content;
  }
  const fault = contentFault({ ...expected, subject: label(target), store: target.store }, meter);
  if (fault) throw fault;
}
