/**
 * Large content whose checksum nobody has asked the store to keep, by lib-storage: every part carries a CRC32C that the store verifies. Where the
 * whole's checksum must be kept too, see s3-multipart.ts.
 */
import { Readable } from 'node:stream';
import type { CompleteMultipartUploadCommandOutput } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { contentFault, createCrc32cMeter, type ExpectedContent } from '../../datapath/transfer/crc32c.ts';
import type { WriteOptions, WrittenObject } from './port.ts';
import { type Part, SMALLEST_PART_BYTES } from './s3-parts.ts';
import { condition, objectFields, type WriteTarget } from './s3-write.ts';

/** Memory of one upload: so many parts of {@link SMALLEST_PART_BYTES} on their way. */
const PARTS_IN_FLIGHT = 2;

export async function uploadStream(
  target: WriteTarget,
  first: Buffer,
  rest: AsyncGenerator<Part, undefined>,
  expected: ExpectedContent,
  options: WriteOptions,
): Promise<WrittenObject> {
  const meter = createCrc32cMeter();
  const upload = new Upload({
    client: target.client,
    params: {
      ...objectFields(target, options),
      ...condition(options),
      ChecksumAlgorithm: 'CRC32C',
      Body: Readable.from(checked(first, rest, expected, meter), { objectMode: false }),
    },
    partSize: SMALLEST_PART_BYTES,
    queueSize: PARTS_IN_FLIGHT,
  });
  const stop = () => void upload.abort();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const answer: CompleteMultipartUploadCommandOutput = await upload.done();
    return { etag: answer.ETag ?? '', versionId: answer.VersionId, bytes: meter.bytes(), crc32c: meter.crc32c() };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}

/** Fails at the end where the whole is not the expected one, before the upload is completed. */
async function* checked(first: Buffer, rest: AsyncGenerator<Part, undefined>, expected: ExpectedContent, meter: ReturnType<typeof createCrc32cMeter>) {
  meter.add(first);
  yield first;
  for await (const { content } of rest) {
    meter.add(content);
    yield content;
  }
  const fault = contentFault(expected, meter);
  if (fault) throw fault;
}
