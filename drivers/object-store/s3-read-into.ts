/** Reading into a caller's buffer, in one request: the bulk path. */
import { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { bufferOf, crc32cOf, createCrc32cMeter } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ReadAnswer, ReadIntoOptions } from './port.ts';
import type { Header } from './raw/sign.ts';
import { crc32cIn, etagIn, metadataOf, wholeCrc32c } from './s3-answers.ts';
import { httpStatus, s3Error } from './s3-errors.ts';
import { changedSource, headObject } from './s3-head.ts';
import { label, location, type S3Target, sendOptions } from './s3-target.ts';

interface Request {
  readonly start: number;
  /** Inclusive, as HTTP has it; undefined where the whole object is asked for, for only then does a store tell its checksum. */
  readonly range: string | undefined;
  readonly ifMatch: string | undefined;
  readonly signal: AbortSignal | undefined;
}
interface Got extends Omit<ReadAnswer, 'totalBytes'> {
  /** Of the answer's body: more than `bytes` where the buffer could not hold it. */
  readonly announced: number;
  readonly contentRange: string | undefined;
}

export async function readInto(target: S3Target, into: Buffer, options: ReadIntoOptions): Promise<ReadAnswer> {
  const { start = 0, totalBytes, ifMatch, signal } = options;
  if (into.length === 0) return factsOnly(target, options);
  const isWhole = start === 0 && totalBytes !== undefined && totalBytes <= into.length;
  const request: Request = { start, range: isWhole ? undefined : `bytes=${start}-${start + into.length - 1}`, ifMatch, signal };
  try {
    const got = await target.raw.orElse(
      () => rawGet(target, into, request),
      () => sdkGet(target, into, request),
    );
    return checked(target, into, request, got, totalBytes);
  } catch (error) {
    if (httpStatus(error) === 416) return factsOnly(target, options);
    if (httpStatus(error) === 412) throw changedSource(target, ifMatch, error);
    throw s3Error(error, target.store, label(target));
  }
}

async function rawGet(target: S3Target, into: Buffer, { range, ifMatch, signal }: Request): Promise<Got> {
  const headers: Header[] = [['x-amz-checksum-mode', 'ENABLED']];
  if (range !== undefined) headers.push(['range', range]);
  if (ifMatch !== undefined) headers.push(['if-match', ifMatch]);
  const meter = createCrc32cMeter();
  const seen = (piece: Buffer) => meter.add(piece);
  const answer = await target.raw.send({ method: 'GET', bucket: target.bucket, key: target.key, headers, into, seen, signal });
  return {
    bytes: Math.min(answer.bytes, into.length),
    announced: answer.bytes,
    contentRange: answer.headers.get('content-range'),
    etag: etagIn(answer.headers),
    crc32c: crc32cIn(answer.headers),
    readCrc32c: meter.crc32c(),
    metadata: metadataOf(answer.headers),
  };
}

async function sdkGet(target: S3Target, into: Buffer, { range, ifMatch, signal }: Request): Promise<Got> {
  const answer = await target.client.send(
    new GetObjectCommand({ ...location(target), ...(range ? { Range: range } : {}), ...(ifMatch ? { IfMatch: ifMatch } : {}) }),
    sendOptions(signal),
  );
  const body: unknown = answer.Body;
  if (!(body instanceof Readable)) throw new PenstockError('StoreUnavailable', `${label(target)} was answered without a body.`, { store: target.store });
  let bytes = 0;
  for await (const piece of body) {
    const chunk = bufferOf(piece);
    bytes += chunk.length;
    if (bytes > into.length) break;
    into.set(chunk, bytes - chunk.length);
  }
  return {
    bytes: Math.min(bytes, into.length),
    announced: answer.ContentLength ?? bytes,
    contentRange: answer.ContentRange,
    etag: answer.ETag ?? '',
    crc32c: wholeCrc32c(answer.ChecksumCRC32C, answer.ChecksumType),
    readCrc32c: crc32cOf(into.subarray(0, Math.min(bytes, into.length))),
    metadata: answer.Metadata ?? {},
  };
}

function checked(target: S3Target, into: Buffer, { start, range }: Request, got: Got, expectedTotal: number | undefined): ReadAnswer {
  const { bytes, announced, contentRange, crc32c: told, ...rest } = got;
  const subject = label(target);
  const place = contentRange === undefined ? { start: 0, totalBytes: announced } : parseContentRange(contentRange);
  if (expectedTotal !== undefined && place && place.totalBytes !== expectedTotal) {
    throw new PenstockError('SourceChanged', `${subject} has ${place.totalBytes} bytes where ${expectedTotal} were expected.`, { store: target.store });
  }
  if (!place || place.start !== start || announced > into.length) {
    throw new PenstockError('PolicyRefused', `${subject}: the store answered ${contentRange ?? 'the whole'} where ${range ?? 'the whole'} was asked for.`, {
      store: target.store,
    });
  }
  if (bytes < announced) throw new PenstockError('StoreUnavailable', `${subject} ended after ${bytes} of ${announced} bytes.`, { store: target.store });
  const crc32c = bytes === place.totalBytes ? told : undefined;
  if (crc32c !== undefined) {
    if (rest.readCrc32c !== crc32c) {
      throw new PenstockError('ChecksumMismatch', `${subject} has CRC32C ${rest.readCrc32c} where ${crc32c} was expected.`, { store: target.store });
    }
  }
  return { ...rest, bytes, totalBytes: place.totalBytes, crc32c };
}

/** For a buffer of no bytes, or a start at or behind the object's end, which no range can ask for. */
async function factsOnly(target: S3Target, { start = 0, ifMatch, totalBytes, signal }: ReadIntoOptions): Promise<ReadAnswer> {
  const facts = await headObject(target, { ...(ifMatch ? { ifMatch } : {}), ...(signal ? { signal } : {}) });
  if (!facts) throw new PenstockError('NotFound', `${label(target)} is not there.`, { store: target.store });
  if ((totalBytes !== undefined && facts.bytes !== totalBytes) || (start < facts.bytes && start > 0)) {
    throw new PenstockError('SourceChanged', `${label(target)} now has ${facts.bytes} bytes.`, { store: target.store });
  }
  const { bytes, etag, crc32c, metadata } = facts;
  return { bytes: 0, totalBytes: bytes, etag, crc32c, readCrc32c: crc32cOf(Buffer.alloc(0)), metadata };
}

function parseContentRange(text: string): { readonly start: number; readonly totalBytes: number } | undefined {
  const matched = /^bytes (\d+)-\d+\/(\d+)$/.exec(text);
  return matched ? { start: Number(matched[1]), totalBytes: Number(matched[2]) } : undefined;
}
