/** Which errors are one entry's own, and which concern the whole store. */
import { PenstockError } from '../../model/errors.ts';
import type { FailedEntry, ManifestEntry } from '../../model/manifest.ts';

/** @throws the error itself where it is not the entry's own: an abort, a fault of ours, or one that waiting or trying again may cure */
export function toFailedEntry(entry: ManifestEntry, error: unknown): FailedEntry {
  if (error instanceof PenstockError && error.errorClass === 'fatal') {
    return { path: entry.path, type: error.type, message: error.message };
  }
  throw error;
}
