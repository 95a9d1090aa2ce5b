/** What the raw path's answers say of an object. */
import type { RawAnswer } from './raw/answer.ts';

type Headers = RawAnswer['headers'];

const METADATA_PREFIX = 'x-amz-meta-';

export function metadataOf(headers: Headers): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of headers) if (name.startsWith(METADATA_PREFIX)) metadata[name.slice(METADATA_PREFIX.length)] = value;
  return metadata;
}

/** A composite checksum is one of checksums, marked by its type or by `-` and the number of parts; it says nothing a reader of the bytes could compare. */
export function wholeCrc32c(crc32c: string | undefined, type: string | undefined): string | undefined {
  return crc32c === undefined || type === 'COMPOSITE' || crc32c.includes('-') ? undefined : crc32c;
}

export const crc32cIn = (headers: Headers): string | undefined => wholeCrc32c(headers.get('x-amz-checksum-crc32c'), headers.get('x-amz-checksum-type'));
export const etagIn = (headers: Headers): string => headers.get('etag') ?? '';
export const versionIn = (headers: Headers): string | undefined => headers.get('x-amz-version-id') || undefined;
