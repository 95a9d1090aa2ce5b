/** What describes an object to be, as the SDK's fields and as the raw path's headers. */
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { PenstockError } from '../../model/errors.ts';
import type { WriteOptions } from './port.ts';
import type { Header } from './raw/sign.ts';
import { label, location, type S3Target } from './s3-target.ts';

type Described = Pick<WriteOptions, 'metadata' | 'contentType' | 'retention'>;

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** What PutObject, CopyObject and CreateMultipartUpload have in common. */
export function objectFields(target: S3Target, options: Described) {
  return {
    ...location(target),
    ContentType: options.contentType ?? DEFAULT_CONTENT_TYPE,
    ...(options.metadata ? { Metadata: { ...options.metadata } } : {}),
    ...(options.retention ? { ObjectLockMode: options.retention.mode, ObjectLockRetainUntilDate: new Date(options.retention.retainUntil) } : {}),
  } satisfies Partial<PutObjectCommandInput>;
}

/** The same. @throws InvalidInput where a value would not arrive as it is */
export function objectHeaders(target: S3Target, { metadata, contentType, retention }: Described): Header[] {
  const headers: Header[] = [['content-type', contentType ?? DEFAULT_CONTENT_TYPE]];
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (!PRINTABLE_ASCII.test(value)) {
      throw new PenstockError('InvalidInput', `The metadata "${name}" of ${label(target)} is not printable ASCII.`, { store: target.store });
    }
    headers.push([`x-amz-meta-${name.toLowerCase()}`, value]);
  }
  if (retention) {
    headers.push(['x-amz-object-lock-mode', retention.mode]);
    headers.push(['x-amz-object-lock-retain-until-date', new Date(retention.retainUntil).toISOString()]);
  }
  return headers;
}

export const condition = ({ ifNoneMatch }: Pick<WriteOptions, 'ifNoneMatch'>) => (ifNoneMatch ? { IfNoneMatch: '*' } : {});
export const conditionHeaders = ({ ifNoneMatch }: Pick<WriteOptions, 'ifNoneMatch'>): Header[] => (ifNoneMatch ? [['if-none-match', '*']] : []);
