/** What a repair still has to look for, on record beside its queue: lost racks with their place, and prefixes. A record each, so that two activities never write the same one. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Stores } from '../drivers/open-site.ts';
import { absent } from '../model/errors.ts';
import { parseInput } from '../model/issues.ts';
import { parseJson } from '../model/json.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { furtherListing, mergeWanted, type RackListing, RackListingSchema, REPAIR_CLAIMS, REPAIR_RACKS, type WantedRepairs } from '../model/repair.ts';
import { namesUnder, writeJson } from './system-records.ts';

type Records = Pick<Stores, 'warm'>;

const ClaimSchema = z.strictObject({ prefix: z.string() });

/** Puts on record what is not there yet, or has come further. @returns all that is on record now */
export async function keepWanted(stores: Records, given: WantedRepairs): Promise<WantedRepairs> {
  const known = await readWanted(stores);
  for (const listing of given.listings) {
    const standing = known.listings.find(({ rack }) => rack === listing.rack);
    if (!standing || furtherListing(standing, listing) !== standing) await keepListing(stores, listing);
  }
  for (const prefix of given.claims) if (!known.claims.includes(prefix)) await writeJson(stores.warm, claimKey(prefix), { prefix });
  return mergeWanted(given, known);
}

export const keepListing = (stores: Records, listing: RackListing): Promise<void> => writeJson(stores.warm, listingKey(listing.rack), listing);

export const listingOver = async ({ warm }: Records, rack: string): Promise<void> => void (await warm.remove(SYSTEM_BUCKET, listingKey(rack)));

export const claimOver = async ({ warm }: Records, prefix: string): Promise<void> => void (await warm.remove(SYSTEM_BUCKET, claimKey(prefix)));

export async function readWanted({ warm }: Records): Promise<WantedRepairs> {
  const listings: RackListing[] = [];
  for await (const name of namesUnder(warm, REPAIR_RACKS)) {
    const parsed = parseInput(RackListingSchema, await read(warm, REPAIR_RACKS + name));
    const rack = name.replace(/\.json$/, '');
    // One that cannot be read names its rack all the same: it is listed from the beginning.
    listings.push(parsed.ok && parsed.value.rack === rack ? parsed.value : { rack, listedObjects: 0, concernedObjects: 0 });
  }
  const claims: string[] = [];
  for await (const name of namesUnder(warm, REPAIR_CLAIMS)) {
    const parsed = parseInput(ClaimSchema, await read(warm, REPAIR_CLAIMS + name));
    if (parsed.ok) claims.push(parsed.value.prefix);
  }
  return { listings, claims };
}

async function read(warm: Stores['warm'], key: string): Promise<unknown> {
  const body = await warm.readBytes(SYSTEM_BUCKET, key).catch(absent);
  return body && parseJson(body);
}

const listingKey = (rack: string): string => `${REPAIR_RACKS}${rack}.json`;
const claimKey = (prefix: string): string => `${REPAIR_CLAIMS}${createHash('sha256').update(prefix).digest('hex').slice(0, 40)}.json`;
