/** An object that cannot be looked at, as a scrub tells it: what is wrong with one object must not keep it from the others. */
import { messageOf, PenstockError } from '../../model/errors.ts';
import { DATA_SHARDS } from './layout.ts';
import { listErasureObjects } from './list.ts';
import type { ScrubbedObject, ScrubErasureObjects } from './scrub.ts';

/** @throws the error where it is not the object's own: the racks can no longer be listed either, or nobody wants to know any more */
export async function asUnreadable(request: ScrubErasureObjects, key: string, error: unknown): Promise<ScrubbedObject> {
  request.signal?.throwIfAborted();
  if (!(error instanceof PenstockError)) throw error;
  await listErasureObjects({ ...request, after: key, limit: 1 });
  return {
    key,
    bytes: 0,
    storedBytes: 0,
    margin: -DATA_SHARDS,
    suspects: [],
    isReadable: false,
    problems: [`it cannot be looked at: ${messageOf(error)}`],
    unseenShards: DATA_SHARDS,
    unseenRacks: [],
  };
}
