/** Where a data set lies: a store of the site file, a bucket in it and a key prefix ("a/b/", empty for the whole bucket). */
import * as z from 'zod';

/** `hot`, `warm`, `cold` or a name of the site file's `stores.external`. */
export type StoreName = string;

export interface Location {
  readonly store: StoreName;
  /** Of a directory tree: the first directory below its root. */
  readonly bucket: string;
  readonly prefix: string;
}

export const formatLocation = (location: Location): string => `${location.store}: s3://${location.bucket}/${location.prefix}`;

/** The bucket for Penstock's own records (manifests), in the warm store. */
export const SYSTEM_BUCKET = 'penstock-system';

const STORE_EXPECTED = 'the name of a store: 1 to 63 of a-z, 0-9 and "-", starting with a letter';
export const StoreNameSchema = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, STORE_EXPECTED);

const BUCKET_EXPECTED = '1 to 63 of A-Z, a-z, 0-9, ".", "_" and "-", starting with a letter or digit, without ".."';
const PREFIX_EXPECTED = 'steps with "/" between them, without empty, "." or ".." steps and control characters; at most 900 bytes';
const MAX_PREFIX_BYTES = 900; // S3's keys have 1024; the entry's own path needs some

/** As an operator names it for an ad hoc transfer. A final "/" is added to the prefix. */
export const LocationSchema = z
  .strictObject({
    store: StoreNameSchema.describe('hot, warm, cold or an external store of the site file'),
    bucket: z
      .string()
      .regex(/^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, BUCKET_EXPECTED)
      .describe('A bucket; of a directory tree, the first directory below its root'),
    prefix: z.string().refine(isPrefix, PREFIX_EXPECTED).transform(closed).default('').describe('Below the bucket; empty for all of it'),
  })
  .describe('Where data lies');

function isPrefix(text: string): boolean {
  if (text === '') return true;
  const steps = text.replace(/\/$/, '').split('/');
  // Two bytes a character at most are counted for most of Unicode; the store has the last word.
  return text.length <= MAX_PREFIX_BYTES && !/\p{Cc}/u.test(text) && steps.every((step) => step !== '' && step !== '.' && step !== '..');
}

function closed(prefix: string): string {
  return prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
}

export const LOCATION_EXPECTED = 'STORE:BUCKET/PREFIX such as "warm:team-a/data/"';

/** `STORE:BUCKET/PREFIX`, split and not yet held to {@link LocationSchema}; undefined where it is not of that form. */
export function splitLocation(text: string): { store: string; bucket: string; prefix: string } | undefined {
  const match = /^([^:/]+):([^/]+)(?:\/(.*))?$/s.exec(text);
  if (!match) return undefined;
  const [, store = '', bucket = '', prefix = ''] = match;
  return { store, bucket, prefix };
}

/** As it is written on the command line. */
export const shortLocation = ({ store, bucket, prefix }: Location): string => `${store}:${bucket}/${prefix}`;

/** One lies in the other, or they are the same. */
export function overlaps(one: Location, other: Location): boolean {
  if (one.store !== other.store || one.bucket !== other.bucket) return false;
  return one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix);
}
