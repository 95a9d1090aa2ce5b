/** What the raw path's answers say of an object. */
import { FOREIGN_ALGORITHMS, type ForeignAlgorithm, type ForeignChecksum } from '../../datapath/transfer/foreign-checksum.ts';
import type { RawAnswer } from './raw/answer.ts';

type Headers = RawAnswer['headers'];

const METADATA_PREFIX = 'x-amz-meta-';

export function metadataOf(headers: Headers): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of headers) if (name.startsWith(METADATA_PREFIX)) metadata[name.slice(METADATA_PREFIX.length)] = value;
  return metadata;
}

/** A composite checksum is one of checksums, marked by its type or by `-` and the number of parts; it says nothing a reader of the bytes could compare. */
export function ofWhole(checksum: string | undefined, type: string | undefined): string | undefined {
  return checksum === undefined || type === 'COMPOSITE' || checksum.includes('-') ? undefined : checksum;
}

export const crc32cIn = (headers: Headers): string | undefined => ofWhole(headers.get('x-amz-checksum-crc32c'), headers.get('x-amz-checksum-type'));

/** What the store keeps of the whole where it keeps no CRC32C. */
function wholeForeign(told: (algorithm: ForeignAlgorithm) => string | undefined, type: string | undefined): { readonly foreign?: ForeignChecksum } {
  for (const algorithm of FOREIGN_ALGORITHMS) {
    const value = ofWhole(told(algorithm), type);
    if (value !== undefined) return { foreign: { algorithm, value } };
  }
  return {};
}

/** To be spread; nothing where the store keeps a CRC32C, which is all that is compared then. */
export const foreignIn = (headers: Headers): { readonly foreign?: ForeignChecksum } =>
  crc32cIn(headers) === undefined
    ? wholeForeign((algorithm) => headers.get(`x-amz-checksum-${algorithm.toLowerCase()}`), headers.get('x-amz-checksum-type'))
    : {};

type ChecksumField = `Checksum${ForeignAlgorithm | 'CRC32C' | 'Type'}`;

/** The same as the SDK heard it. */
export function foreignInAnswer(answer: { readonly [Name in ChecksumField]?: string | undefined }): {
  readonly foreign?: ForeignChecksum;
} {
  if (ofWhole(answer.ChecksumCRC32C, answer.ChecksumType) !== undefined) return {};
  return wholeForeign((algorithm) => answer[`Checksum${algorithm}`], answer.ChecksumType);
}

/** What a store tells of the copy it made, by the names of its fields; nothing is foreign but what was asked for. */
export function checksumsOfCopy(
  told: (field: ChecksumField) => string | undefined,
  algorithm: ForeignAlgorithm | undefined,
): { readonly crc32c: string | undefined; readonly foreign?: ForeignChecksum } {
  const type = told('ChecksumType');
  const value = algorithm && ofWhole(told(`Checksum${algorithm}`), type);
  return { crc32c: ofWhole(told('ChecksumCRC32C'), type), ...(algorithm && value ? { foreign: { algorithm, value } } : {}) };
}

export const etagIn = (headers: Headers): string => headers.get('etag') ?? '';
export const versionIn = (headers: Headers): string | undefined => headers.get('x-amz-version-id') || undefined;
