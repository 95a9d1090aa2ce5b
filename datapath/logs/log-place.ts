/** Where the logs of an allocation lie. */
import type { ObjectStore } from '../../drivers/object-store/port.ts';

export interface LogPlace {
  readonly store: Pick<ObjectStore, 'name' | 'head' | 'readBytes' | 'writeBytes' | 'listPrefixes'>;
  readonly bucket: string;
  /** Of the allocation's logs; ends with `/`. */
  readonly prefix: string;
  readonly signal?: AbortSignal;
}

export const withSignal = ({ signal }: { readonly signal?: AbortSignal }) => (signal ? { signal } : {});

/** For messages. @param name relative to the place */
export const uriOf = ({ bucket, prefix }: LogPlace, name: string): string => `s3://${bucket}/${prefix}${name}`;
