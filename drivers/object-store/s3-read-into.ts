/** Reading into a caller's buffer, in one request: the bulk path. */
import { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { bufferOf, crc32cOf, createCrc32cMeter } from '../../datapath/transfer/crc32c.ts';
import { type ForeignChecksum, foreignOf } from '../../datapath/transfer/foreign-checksum.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ReadAnswer, ReadIntoOptions } from './port.ts';
import type { RawAnswer } from './raw/answer.ts';
import type { Header } from './raw/sign.ts';
import { crc32cIn, etagIn, foreignIn, foreignInAnswer, metadataOf, ofWhole } from './s3-answers.ts';
import { httpStatus, s3Error } from './s3-errors.ts';
import { changedSource, headObject } from './s3-head.ts';
import { label, location, type S3Target, sendOptions } from './s3-target.ts';

export interface RangeRequest {
  readonly start: number;
  readonly bytes: number;
  /** Inclusive, as HTTP has it; undefined where the whole object is asked for, for only then does a store tell its checksum. */
  readonly range: string | undefined;
  readonly ifMatch: string | undefined;
  readonly signal: AbortSignal | undefined;
}
export interface Got extends Omit<ReadAnswer, 'totalBytes'> {
  /** Of the answer's body: more than `bytes` where so many were not asked for. */
  readonly announced: number;
  readonly contentRange: string | undefined;
  /** Told of the whole object. */
  readonly foreign?: ForeignChecksum;
}

export async function readInto(target: S3Target, into: Buffer, options: ReadIntoOptions): Promise<ReadAnswer> {
  if (into.length === 0) return factsOnly(target, options);
  const request = rangeRequest(into.length, options);
  try {
    const got = await target.raw.orElse(
      () => rawGet(target, into, request),
      () => sdkGet(target, into, request),
    );
    return await checked(target, request, got, options.totalBytes, (algorithm) => foreignOf(algorithm, into.subarray(0, got.bytes)));
  } catch (error) {
    if (httpStatus(error) === 416) return factsOnly(target, options);
    throw readError(error, target, options);
  }
}

export function rangeRequest(bytes: number, { start = 0, totalBytes, ifMatch, signal }: ReadIntoOptions): RangeRequest {
  const isWhole = start === 0 && totalBytes !== undefined && totalBytes <= bytes;
  return { start, bytes, range: isWhole ? undefined : `bytes=${start}-${start + bytes - 1}`, ifMatch, signal };
}

export function readError(error: unknown, target: S3Target, { ifMatch }: ReadIntoOptions): Error {
  const status = httpStatus(error);
  // 416: it ends before.
  return status === 412 || status === 416 ? changedSource(target, ifMatch, error) : s3Error(error, target.store, label(target));
}

async function rawGet(target: S3Target, into: Buffer, request: RangeRequest): Promise<Got> {
  const meter = createCrc32cMeter();
  const seen = (piece: Buffer) => meter.add(piece);
  return gotOf(await target.raw.send({ ...rawRequest(target, request), into, seen }), request, meter.crc32c());
}

export function rawRequest({ bucket, key }: S3Target, { range, ifMatch, signal }: RangeRequest) {
  const headers: Header[] = [['x-amz-checksum-mode', 'ENABLED']];
  if (range !== undefined) headers.push(['range', range]);
  if (ifMatch !== undefined) headers.push(['if-match', ifMatch]);
  return { method: 'GET', bucket, key, headers, signal } as const;
}

export const gotOf = ({ bytes, headers }: RawAnswer, wanted: RangeRequest, readCrc32c: string): Got => ({
  bytes: Math.min(bytes, wanted.bytes),
  announced: bytes,
  contentRange: headers.get('content-range'),
  etag: etagIn(headers),
  crc32c: crc32cIn(headers),
  ...foreignIn(headers),
  readCrc32c,
  metadata: metadataOf(headers),
});

async function sdkGet(target: S3Target, into: Buffer, { range, ifMatch, signal }: RangeRequest): Promise<Got> {
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
    crc32c: ofWhole(answer.ChecksumCRC32C, answer.ChecksumType),
    ...foreignInAnswer(answer),
    readCrc32c: crc32cOf(into.subarray(0, Math.min(bytes, into.length))),
    metadata: answer.Metadata ?? {},
  };
}

/** @param ofRead computes another checksum than CRC32C of what was read: asked for only where the store keeps one of the whole, and the whole was read */
export async function checked(
  target: S3Target,
  { start, bytes: wanted, range }: RangeRequest,
  got: Got,
  expectedTotal: number | undefined,
  ofRead: (algorithm: ForeignChecksum['algorithm']) => Promise<string>,
): Promise<ReadAnswer> {
  const { bytes, announced, contentRange, crc32c: told, foreign, ...rest } = got;
  const subject = label(target);
  const place = contentRange === undefined ? { start: 0, totalBytes: announced } : parseContentRange(contentRange);
  if (expectedTotal !== undefined && place && place.totalBytes !== expectedTotal) {
    throw new PenstockError('SourceChanged', `${subject} has ${place.totalBytes} bytes where ${expectedTotal} were expected.`, { store: target.store });
  }
  if (!place || place.start !== start || announced > wanted) {
    throw new PenstockError('PolicyRefused', `${subject}: the store answered ${contentRange ?? 'the whole'} where ${range ?? 'the whole'} was asked for.`, {
      store: target.store,
    });
  }
  if (bytes < announced) throw new PenstockError('StoreUnavailable', `${subject} ended after ${bytes} of ${announced} bytes.`, { store: target.store });
  const isWhole = bytes === place.totalBytes;
  const crc32c = isWhole ? told : undefined;
  const mismatch = (algorithm: string, found: string, expected: string) =>
    new PenstockError('ChecksumMismatch', `${subject} has ${algorithm} ${found} where ${expected} was expected.`, { store: target.store });
  if (crc32c !== undefined && rest.readCrc32c !== crc32c) throw mismatch('CRC32C', rest.readCrc32c, crc32c);
  if (isWhole && foreign) {
    const found = await ofRead(foreign.algorithm);
    if (found !== foreign.value) throw mismatch(foreign.algorithm, found, foreign.value);
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
