/** An object store whose new objects are of a storage class, or held by a retention: for whoever writes through it and need not know. */
import type { ObjectStore, WriteOptions } from '../object-store/port.ts';

export type WriteDefaults = Pick<WriteOptions, 'storageClass' | 'retention'>;

/** What a caller says itself comes first. */
export function withWriteDefaults(store: ObjectStore, defaults: WriteDefaults): ObjectStore {
  return {
    ...store,
    writeBytes: (bucket, key, body, options) => store.writeBytes(bucket, key, body, { ...defaults, ...options }),
    writeStream: (bucket, key, body, options) => store.writeStream(bucket, key, body, { ...defaults, ...options }),
    beginUpload: (bucket, key, options) => store.beginUpload(bucket, key, { ...defaults, ...options }),
    copyObject: (source, bucket, key, options) => store.copyObject(source, bucket, key, { ...defaults, ...options }),
  };
}
