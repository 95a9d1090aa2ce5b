/** A move that does not go on: what its large entries have at the target and nobody will publish is given back at once, not when a sweep finds it old enough. */
import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifestIndex } from '../datapath/transfer/manifest-store.ts';
import { type LargeRecords, largeRecords } from '../datapath/transfer/move-records.ts';
import { isFatal, isType } from '../model/errors.ts';
import type { ManifestEntry } from '../model/manifest.ts';
import type { AbandonAnswer, MoveRequest } from '../model/transfer.ts';
import { largeEntry } from './large-entry.ts';
import { placeOf } from './manifests.ts';
import type { Mover } from './move-unit.ts';

/** Each is a few small requests. */
const ENTRIES_AT_ONCE = 8;

/** The records stay: a unit that is tried later finds the session lost, and the entry is moved anew. */
export async function abandonMove(mover: Mover, request: MoveRequest): Promise<AbandonAnswer> {
  const { stores, run } = mover;
  const { pages } = await readManifestIndex(stores.warm, request.manifest);
  const places = pages.flatMap(({ large = [] }, page) => large.map(({ index }) => ({ page, index })));
  let ended = 0;
  let left = 0;
  const published = { files: 0, bytes: 0 };
  await inLanes(places, ENTRIES_AT_ONCE, async (place) => {
    run.signal.throwIfAborted();
    const records = largeRecords(placeOf(stores, request.manifest), place.page, place.index);
    const known = await records.findEntry();
    if (known && 'entry' in known) {
      published.files += 1;
      published.bytes += known.entry.bytes;
    }
    if (known) return;
    const became = await abandonLarge(mover, records, () => largeEntry(mover, request, place));
    if (became === 'ended') ended += 1;
    if (became === 'left') left += 1;
    run.report({ ended, left });
  });
  return { ended, left, published };
}

/** @returns none where there is nothing to end: never begun, published, ended before; left where the store will not end it. @throws what may pass */
export async function abandonLarge({ target, run }: Mover, records: LargeRecords, entryOf: () => Promise<ManifestEntry>): Promise<'ended' | 'none' | 'left'> {
  try {
    const known = await records.findSession();
    if (!known || known.session === '') return 'none';
    const writer = await target.create(await entryOf(), { attempt: run.attempt, session: known.session, signal: run.signal });
    await writer.abandon();
    return 'ended';
  } catch (error) {
    if (isType(error, 'SessionLost')) return 'none';
    if (isFatal(error)) return 'left';
    throw error;
  }
}
