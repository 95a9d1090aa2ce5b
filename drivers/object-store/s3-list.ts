/** Listings: a page of keys, or the names directly below a prefix. */
import { ListObjectsV2Command, type ListObjectsV2CommandInput, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { PenstockError } from '../../model/errors.ts';
import { assertKeyPrefix } from './object-key.ts';
import type { ListOptions, ListPage } from './port.ts';
import { s3Error } from './s3-errors.ts';
import { type S3Store, sendOptions } from './s3-target.ts';

/** S3's own limit of a page. */
const MAX_ENTRIES = 1000;

export async function list(store: S3Store, bucket: string, prefix: string, options: ListOptions): Promise<ListPage> {
  const answer = await page(store, bucket, prefix, options.signal, {
    MaxKeys: Math.min(MAX_ENTRIES, Math.max(1, options.limit ?? MAX_ENTRIES)),
    ...(options.after ? { StartAfter: options.after } : {}),
  });
  const decode = decoderOf(answer);
  const entries = (answer.Contents ?? []).map((object) => ({
    key: decode(object.Key ?? ''),
    bytes: object.Size ?? 0,
    etag: object.ETag ?? '',
    modifiedAt: (object.LastModified ?? new Date(0)).toISOString(),
  }));
  const last = entries.at(-1)?.key;
  // To end here would be to lose what follows in silence.
  if (answer.IsTruncated && last === undefined)
    throw new PenstockError('StoreUnavailable', `listing s3://${bucket}/${prefix}: a page without keys says that more follow.`, { store: store.store });
  return { entries, next: answer.IsTruncated ? last : undefined };
}

/** Pages that hold only keys, and no names with keys below them, are passed over. */
export async function listPrefixes(store: S3Store, bucket: string, prefix: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const names: string[] = [];
  for (let token: string | undefined; ; ) {
    const answer: ListObjectsV2CommandOutput = await page(store, bucket, prefix, signal, {
      Delimiter: '/',
      MaxKeys: MAX_ENTRIES,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const decode = decoderOf(answer);
    for (const { Prefix: name } of answer.CommonPrefixes ?? []) if (name && names.length < MAX_ENTRIES) names.push(decode(name));
    if (!answer.IsTruncated || names.length >= MAX_ENTRIES || !answer.NextContinuationToken) return names;
    token = answer.NextContinuationToken;
  }
}

async function page(
  { client, store }: S3Store,
  bucket: string,
  prefix: string,
  signal: AbortSignal | undefined,
  input: Partial<ListObjectsV2CommandInput>,
): Promise<ListObjectsV2CommandOutput> {
  assertKeyPrefix(prefix, store);
  try {
    // A key XML cannot carry, such as one with a control character, must not make a whole listing unreadable.
    return await client.send(new ListObjectsV2Command({ ...input, Bucket: bucket, Prefix: prefix, EncodingType: 'url' }), sendOptions(signal));
  } catch (error) {
    throw s3Error(error, store, `listing s3://${bucket}/${prefix}`);
  }
}

const decoderOf = (answer: ListObjectsV2CommandOutput): ((text: string) => string) => (answer.EncodingType === 'url' ? decodeText : (text) => text);
/** A key that is no UTF-8 stays encoded: it is listed, and reported as not found under that name. */
function decodeText(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
