/** An S3 store as probes see it: through our port, and raw, because what a product ignores shows only below the port. */
import { DeleteObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3';
import type { S3StoreConfig } from '../../model/site.ts';
import type { ObjectStore } from '../object-store/port.ts';
import { createS3Client } from '../object-store/s3-client.ts';
import { httpStatus, s3ErrorCode } from '../object-store/s3-errors.ts';
import { resolveS3Credentials } from '../site-file.ts';

/** Probes write here and nowhere else; it stays, empty, for the next time. */
export const PROBE_BUCKET = 'penstock-doctor';

export interface S3Target {
  readonly store: ObjectStore;
  readonly client: S3Client;
  readonly bucket: string;
  /** Of this run alone; ends with `/`. */
  readonly prefix: string;
}

export async function openS3Target(store: ObjectStore, config: Pick<S3StoreConfig, 'endpoint' | 'region' | 'credentials'>, runId: string): Promise<S3Target> {
  const client = createS3Client({ name: store.name, endpoint: config.endpoint, region: config.region, credentials: await resolveS3Credentials(config) });
  return { store, client, bucket: PROBE_BUCKET, prefix: `${runId}/` };
}

/** Every version and delete marker of this run. What a retention still holds stays, and is named by the caller's probe. */
export async function removeEveryVersion({ client, bucket, prefix }: S3Target): Promise<void> {
  const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }));
  for (const { Key, VersionId } of [...Versions, ...DeleteMarkers]) {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId })).catch(() => undefined);
  }
}

/** What the store said, in its own words: "403 AccessDenied". */
export const s3Answer = (error: unknown): string =>
  [httpStatus(error), s3ErrorCode(error)].filter((part) => part !== undefined && part !== '').join(' ') || 'no answer';

/** True where the store itself refused; a network that failed proves nothing. */
export const isRefusedByStore = (error: unknown): boolean => {
  const status = httpStatus(error);
  return status !== undefined && status >= 400 && status < 500;
};
