/** A move that does not go on: what its large entries have at the target and nobody will publish is given back at once, not when a sweep finds it old enough. */
import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifestIndex } from '../datapath/transfer/manifest-store.ts';
import { type LargeRecords, largeRecords } from '../datapath/transfer/move-records.ts';
import { PenstockError } from '../model/errors.ts';
import type { ManifestEntry } from '../model/manifest.ts';
import type { MoveRequest } from '../model/transfer.ts';
import { largeEntry } from './large-entry.ts';
import { placeOf } from './manifests.ts';
import type { Mover } from './move-unit.ts';

/** Each is a few small requests. */
const ENTRIES_AT_ONCE = 8;

/** The records stay: a unit that is tried later finds the session lost, and the entry is moved anew. @returns how many were ended */
export async function abandonMove(mover: Mover, request: MoveRequest): Promise<number> {
  const { stores, run } = mover;
  const { pages } = await readManifestIndex(stores.warm, request.manifest);
  const places = pages.flatMap(({ large = [] }, page) => large.map(({ index }) => ({ page, index })));
  let abandoned = 0;
  await inLanes(places, ENTRIES_AT_ONCE, async (place) => {
    run.signal.throwIfAborted();
    const records = largeRecords(placeOf(stores, request.manifest), place.page, place.index);
    if (await records.findEntry()) return;
    if (await abandonLarge(mover, records, () => largeEntry(mover, request, place))) abandoned += 1;
    run.report({ abandoned });
  });
  return abandoned;
}

/** @returns false where there is nothing to end, or nothing that can be: never begun, published, ended before. @throws what may pass */
export async function abandonLarge({ target, run }: Mover, records: LargeRecords, entryOf: () => Promise<ManifestEntry>): Promise<boolean> {
  try {
    const known = await records.findSession();
    if (!known || known.session === '') return false;
    const writer = await target.create(await entryOf(), { attempt: run.attempt, session: known.session, signal: run.signal });
    await writer.abandon();
    return true;
  } catch (error) {
    if (error instanceof PenstockError && (error.type === 'SessionLost' || error.errorClass === 'fatal')) return false;
    throw error;
  }
}
