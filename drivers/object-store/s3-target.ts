/** One object, and the two ways to its store: the SDK for control calls and unusual servers, the raw path for bytes. */
import type { S3Client } from '@aws-sdk/client-s3';
import { PenstockError } from '../../model/errors.ts';
import type { RawTransport } from './raw/transport.ts';

export interface S3Store {
  readonly client: S3Client;
  readonly raw: RawTransport;
  readonly store: string;
}
export interface S3Target extends S3Store {
  readonly bucket: string;
  readonly key: string;
}

/** @throws InvalidInput for a directory's marker, which stores on a file system keep as a directory */
export function assertHoldsBytes({ bucket, key, store }: Pick<S3Target, 'bucket' | 'key' | 'store'>): void {
  if (!key.endsWith('/')) return;
  throw new PenstockError('InvalidInput', `s3://${bucket}/${key} is a directory's marker, which holds no bytes.`, {
    store,
    nextStep: 'Name it without the final "/".',
  });
}

export const label = ({ bucket, key }: Pick<S3Target, 'bucket' | 'key'>): string => `s3://${bucket}/${key}`;
export const location = ({ bucket, key }: Pick<S3Target, 'bucket' | 'key'>) => ({ Bucket: bucket, Key: key });
/** For the SDK's `send`. */
export const sendOptions = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});
