/**
 * A cold tier: an object store whose objects may be archived, so that they are asked back before they are read. Writing and reading are the object store's business
 * (`withWriteDefaults` has them archived); this port knows only what state an object is in, and asks for it. Every method may be repeated. Errors as of
 * the object store.
 */
import type { ArchiveClass, RestoreTier } from '../../model/archive.ts';

export interface ColdTier {
  readonly name: string;
  /** Undefined where there is no such object. Costs one HEAD; an archived object answers it at once. */
  state(bucket: string, key: string, options?: { signal?: AbortSignal }): Promise<ArchiveState | undefined>;
  /**
   * The object will be readable some hours later, for so many days. Repeated while the store is at it, nothing changes; repeated when the copy is there, it stays for so many days from now.
   * NotFound where absent. InvalidInput where the class has no such tier. RestorePending where the store has no capacity for the tier now.
   */
  restore(bucket: string, key: string, request: RestoreRequest): Promise<RestoreAnswer>;
}

export interface RestoreRequest {
  readonly tier: RestoreTier;
  /** Whole days from 1. The store rounds the end up to midnight UTC. */
  readonly days: number;
  readonly signal?: AbortSignal;
}

/** `readable`: never archived. `restored`: readable until then, an ISO instant, and archived as before. */
export type ArchiveState =
  | { readonly kind: 'readable' }
  | { readonly kind: 'archived'; readonly storageClass: ArchiveClass }
  | { readonly kind: 'restoring'; readonly storageClass: ArchiveClass }
  | { readonly kind: 'restored'; readonly storageClass: ArchiveClass; readonly until: string };

/** `asked`: begun by this request. `under-way`: somebody asked before. `extended`: the copy was there. `readable`: nothing to restore. */
export type RestoreAnswer = 'asked' | 'under-way' | 'extended' | 'readable';
