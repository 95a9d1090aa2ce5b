/** Ends uploads that nobody will finish. A store keeps their parts, and bills them, until somebody does. */
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, type ListMultipartUploadsCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { s3Error, s3ErrorCode } from './s3-errors.ts';

interface Sweep {
  readonly bucket: string;
  readonly prefix: string;
  /** ISO instant. */
  readonly olderThan: string;
}

export async function sweepUploads(client: S3Client, store: string, { bucket, prefix, olderThan }: Sweep): Promise<number> {
  let swept = 0;
  let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = {};
  try {
    for (;;) {
      const page: ListMultipartUploadsCommandOutput = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker }));
      for (const { Initiated: begun, Key, UploadId } of page.Uploads ?? []) {
        if (!begun || begun.getTime() >= Date.parse(olderThan)) continue;
        await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })).catch(ignoreEnded);
        swept += 1;
      }
      if (!page.IsTruncated || page.NextKeyMarker === undefined) return swept;
      marker = { KeyMarker: page.NextKeyMarker, ...(page.NextUploadIdMarker === undefined ? {} : { UploadIdMarker: page.NextUploadIdMarker }) };
    }
  } catch (error) {
    throw s3Error(error, store, `uploads of s3://${bucket}/${prefix}`);
  }
}

function ignoreEnded(error: unknown): void {
  if (s3ErrorCode(error) !== 'NoSuchUpload') throw error;
}
