/** Where a data set lies: a store of the site file, a bucket in it and a key prefix ("a/b/", empty for the whole bucket). */
export type StoreName = 'hot' | 'warm' | 'cold';

export interface Location {
  readonly store: StoreName;
  readonly bucket: string;
  readonly prefix: string;
}

export const formatLocation = (location: Location): string => `${location.store}: s3://${location.bucket}/${location.prefix}`;

/** The bucket for Penstock's own records (manifests), in the warm store. */
export const SYSTEM_BUCKET = 'penstock-system';
