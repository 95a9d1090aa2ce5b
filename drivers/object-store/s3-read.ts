/** Reading from S3: whatever arrives is counted and checked against the store's own CRC32C before its reader sees the end. */

import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { bufferOf, createContentCheck } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ReadOptions } from './port.ts';
import { ofWhole } from './s3-answers.ts';
import { httpStatus, s3Error } from './s3-errors.ts';

const DEFAULT_LIMIT_BYTES = 16 * 2 ** 20;

export async function readObject(client: S3Client, store: string, bucket: string, key: string, options: ReadOptions): Promise<Readable> {
  const subject = `s3://${bucket}/${key}`;
  const response = await client.send(getCommand(bucket, key, options), sendOptions(options.signal)).catch((error: unknown) => {
    if (httpStatus(error) !== 412) throw s3Error(error, store, subject);
    throw new PenstockError('SourceChanged', `${subject} is no longer the version ${options.ifMatch}.`, { store, cause: error });
  });
  const body: unknown = response.Body;
  if (!(body instanceof Readable)) throw new PenstockError('StoreUnavailable', `${subject} was answered without a body.`, { store });
  const crc32c = options.range ? undefined : ofWhole(response.ChecksumCRC32C, response.ChecksumType);
  const { stream } = createContentCheck({ subject, store, bytes: response.ContentLength, crc32c });
  // Registered before the pipeline's own handler, so that the reader sees the mapped error.
  body.once('error', (error) => stream.destroy(s3Error(error, store, subject)));
  pipeline(body, stream, () => undefined);
  return options.signal ? addAbortSignal(options.signal, stream) : stream;
}

export async function readObjectBytes(
  client: S3Client,
  store: string,
  bucket: string,
  key: string,
  options: ReadOptions & { limitBytes?: number },
): Promise<Buffer> {
  const limit = options.limitBytes ?? DEFAULT_LIMIT_BYTES;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of await readObject(client, store, bucket, key, options)) {
    const buffer = bufferOf(chunk);
    bytes += buffer.length;
    if (bytes > limit) throw new PenstockError('InvalidInput', `s3://${bucket}/${key} is larger than the ${limit} bytes expected here.`, { store });
    chunks.push(buffer);
  }
  return Buffer.concat(chunks, bytes);
}

function getCommand(bucket: string, key: string, { range, ifMatch }: ReadOptions): GetObjectCommand {
  return new GetObjectCommand({
    Bucket: bucket,
    Key: key,
    ...(range ? { Range: `bytes=${range.start}-${range.end}` } : {}),
    ...(ifMatch ? { IfMatch: ifMatch } : {}),
  });
}

const sendOptions = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});
