/** A store with versions and Object Lock, as one sees it who must prove what is kept there. Errors as of the port; every method may be repeated. */

export interface LockEvidence {
  /** Of one key, newest first, delete markers among them; at most 1,000. Empty where there is none, also where the bucket is gone. */
  versions(bucket: string, key: string, signal?: AbortSignal): Promise<readonly ObjectVersion[]>;
  /** The version is under the store's own legal hold afterwards, or is not; read back. PolicyRefused where the store took the order without effect. */
  setLegalHold(object: VersionName, isOn: boolean, signal?: AbortSignal): Promise<void>;
  /** What the lock of all that is in a bucket rests on. */
  bucketState(bucket: string, signal?: AbortSignal): Promise<BucketState>;
}

export interface VersionName {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
}

export interface ObjectVersion {
  readonly versionId: string;
  readonly isDeleteMarker: boolean;
  readonly bytes: number;
  readonly etag: string;
  /** ISO instant. */
  readonly modifiedAt: string;
}

export interface BucketState {
  readonly exists: boolean;
  readonly hasObjectLock: boolean;
  /** none: never switched on. */
  readonly versioning: 'enabled' | 'suspended' | 'none';
  /** The store's clock, ISO, by the second; undefined where it does not tell. */
  readonly storeTime: string | undefined;
}
