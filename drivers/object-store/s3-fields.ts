/** What describes an object, to be or as it is, as the SDK's fields and as the raw path's headers. */
import type { HeadObjectCommandOutput, PutObjectCommandInput } from '@aws-sdk/client-s3';
import { PenstockError } from '../../model/errors.ts';
import type { ServedAs, WriteOptions } from './port.ts';
import type { RawAnswer } from './raw/answer.ts';
import type { Header } from './raw/sign.ts';
import { label, location, type S3Target } from './s3-target.ts';

type Described = Pick<WriteOptions, 'metadata' | 'retention' | 'storageClass' | keyof ServedAs>;

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
/** How the raw path frames a body; never of the object, though some servers keep it. */
const FRAMING = /(^|,\s*)aws-chunked\b/g;

const SERVED_AS = [
  ['contentType', 'ContentType', 'content-type'],
  ['contentEncoding', 'ContentEncoding', 'content-encoding'],
  ['contentDisposition', 'ContentDisposition', 'content-disposition'],
  ['contentLanguage', 'ContentLanguage', 'content-language'],
  ['cacheControl', 'CacheControl', 'cache-control'],
] as const satisfies readonly (readonly [keyof ServedAs, keyof PutObjectCommandInput & keyof HeadObjectCommandOutput, string])[];
type ServedField = (typeof SERVED_AS)[number][1];

/** What PutObject, CopyObject and CreateMultipartUpload have in common. */
export function objectFields(target: S3Target, options: Described) {
  const served: Partial<Record<ServedField, string>> = {};
  for (const [name, field] of SERVED_AS) if (options[name]) served[field] = options[name];
  return {
    ...location(target),
    ContentType: DEFAULT_CONTENT_TYPE,
    ...served,
    ...(options.metadata ? { Metadata: { ...options.metadata } } : {}),
    ...(options.storageClass ? { StorageClass: options.storageClass } : {}),
    ...(options.retention ? { ObjectLockMode: options.retention.mode, ObjectLockRetainUntilDate: new Date(options.retention.retainUntil) } : {}),
  } satisfies Partial<PutObjectCommandInput>;
}

/** The same. @throws InvalidInput where a value would not arrive as it is */
export function objectHeaders(target: S3Target, options: Described): Header[] {
  const headers: Header[] = [];
  const add = (name: string, value: string): void => {
    if (!PRINTABLE_ASCII.test(value)) {
      throw new PenstockError('InvalidInput', `The header "${name}" of ${label(target)} is not printable ASCII.`, { store: target.store });
    }
    headers.push([name, value]);
  };
  for (const [name, , header] of SERVED_AS) {
    const value = options[name] || (name === 'contentType' ? DEFAULT_CONTENT_TYPE : undefined);
    if (value !== undefined) add(header, value);
  }
  for (const [name, value] of Object.entries(options.metadata ?? {})) add(`x-amz-meta-${name.toLowerCase()}`, value);
  if (options.storageClass) add('x-amz-storage-class', options.storageClass);
  if (options.retention) {
    add('x-amz-object-lock-mode', options.retention.mode);
    add('x-amz-object-lock-retain-until-date', new Date(options.retention.retainUntil).toISOString());
  }
  return headers;
}

/** Of an object that is there, as the raw path heard it. */
export const servedInHeaders = (headers: RawAnswer['headers']): ServedAs => servedAs((_, header) => headers.get(header));

/** The same as the SDK heard it. */
export const servedInAnswer = (answer: HeadObjectCommandOutput): ServedAs => servedAs((field) => answer[field]);

function servedAs(told: (field: ServedField, header: string) => string | undefined): ServedAs {
  const served: { -readonly [Name in keyof ServedAs]: ServedAs[Name] } = {};
  for (const [name, field, header] of SERVED_AS) {
    const value = name === 'contentEncoding' ? told(field, header)?.replace(FRAMING, '') : told(field, header);
    if (value && value !== DEFAULT_CONTENT_TYPE) served[name] = value;
  }
  return served;
}

type Condition = Pick<WriteOptions, 'ifNoneMatch' | 'ifMatch'>;
export const condition = ({ ifNoneMatch, ifMatch }: Condition) => ({ ...(ifNoneMatch ? { IfNoneMatch: '*' } : {}), ...(ifMatch ? { IfMatch: ifMatch } : {}) });
export const conditionHeaders = ({ ifNoneMatch, ifMatch }: Condition): Header[] => [
  ...(ifNoneMatch ? [['if-none-match', '*'] as const] : []),
  ...(ifMatch ? [['if-match', ifMatch] as const] : []),
];
