/** A rack's drain that is not wanted any more: its listing, and what is due for nothing else. No rack is asked, and nothing that was rebuilt is undone. */
import pLimit from 'p-limit';
import { batches } from '../datapath/transfer/batches.ts';
import type { Stores } from '../drivers/open-site.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { type RackCalledOff, REPAIR_LATER, REPAIR_QUEUE } from '../model/repair.ts';
import { recordOrNone } from './repair-queue.ts';
import { listingOver, readWanted } from './repair-wanted.ts';
import { namesUnder, writeJson } from './system-records.ts';

/** Small records, a request or two each. */
const RECORDS_AT_ONCE = 32;
/** Looked at before the next ones are listed: names of 60 bytes. */
const BATCH = 1_000;

/** May be repeated. No repair may plan or list the rack meanwhile, for it would put the rack on record again. */
export async function callOffRack(stores: Pick<Stores, 'warm'>, rack: string, signal?: AbortSignal): Promise<RackCalledOff> {
  const listing = (await readWanted(stores)).listings.find((each) => each.rack === rack);
  await listingOver(stores, rack);
  const limit = pLimit(RECORDS_AT_ONCE);
  let droppedObjects = 0;
  for (const prefix of [REPAIR_QUEUE, REPAIR_LATER])
    for await (const names of batches(namesUnder(stores.warm, prefix), { items: BATCH })) {
      signal?.throwIfAborted();
      const dropped = await Promise.all(names.map((name) => limit(() => dropIfOnlyFor(stores, prefix, name, rack))));
      droppedObjects += dropped.filter((each) => each).length;
    }
  return { rack, ...(listing ? { listing } : {}), droppedObjects };
}

/** Due for another rack's drain too, it stays; where somebody found something wrong, it names no rack. */
async function dropIfOnlyFor(stores: Pick<Stores, 'warm'>, prefix: string, name: string, rack: string): Promise<boolean> {
  const record = await recordOrNone(stores, name, prefix);
  if (!record?.forRacks?.includes(rack)) return false;
  const forRacks = record.forRacks.filter((each) => each !== rack);
  if (forRacks.length === 0) await stores.warm.remove(SYSTEM_BUCKET, prefix + name);
  else await writeJson(stores.warm, prefix + name, { ...record, forRacks });
  return forRacks.length === 0;
}
