/** Which errors are one entry's own, and which concern the whole store. */
import { type ErrorType, PenstockError } from '../../model/errors.ts';
import type { FailedEntry, ManifestEntry } from '../../model/manifest.ts';

/** Ours and S3's, of what holds for every entry alike: to go on would only count failures. */
const OF_THE_STORE = new Set(['ExpiredToken', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'RequestTimeTooSkewed', 'NoSuchBucket', 'EROFS']);
/** To wait for one archived object would hold up all others: it is reported, and moved by the next transfer. */
const REPORTED: ReadonlySet<ErrorType> = new Set<ErrorType>(['RestorePending']);

/** @throws the error itself where it is not the entry's own: an abort, a fault of ours, or one that waiting or trying again may cure */
export function toFailedEntry(entry: ManifestEntry, error: unknown): FailedEntry {
  if (error instanceof PenstockError && (error.errorClass === 'fatal' || REPORTED.has(error.type)) && !isOfTheStore(error)) {
    return { path: entry.path, type: error.type, message: error.message };
  }
  throw error;
}

function isOfTheStore({ cause }: PenstockError): boolean {
  if (!(cause instanceof Error)) return false;
  return OF_THE_STORE.has(cause.name) || ('code' in cause && typeof cause.code === 'string' && OF_THE_STORE.has(cause.code));
}
