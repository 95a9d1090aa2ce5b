/** Calling off the drain of a rack that is not wanted, while the repair goes on with everything else. */
import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import { furtherListing, type RackCalledOff } from '../../model/repair.ts';
import type { RepairState } from './state.ts';

/** What puts racks on record, and must not run beside what takes one off. */
export interface RackWork {
  isPlanning: boolean;
  /** So many racks are being called off: no plan begins. */
  callingOff: number;
  listing?: { readonly rack: string; readonly scope: CancellationScope; isCalledOff: boolean } | undefined;
}

/** Ends the rack's listing, then drops its record and what is due for nothing else. */
export async function callOff(state: RepairState, underWay: RackWork, rack: string, drop: () => Promise<RackCalledOff>): Promise<RackCalledOff> {
  underWay.callingOff += 1;
  try {
    await condition(() => !underWay.isPlanning);
    const asked = state.listings.find((each) => each.rack === rack);
    state.listings = state.listings.filter((each) => each.rack !== rack);
    if (underWay.listing?.rack === rack) {
      underWay.listing.isCalledOff = true;
      underWay.listing.scope.cancel();
      await condition(() => underWay.listing?.rack !== rack);
    }
    const called = await drop();
    // What was asked for and not planned yet is on no record.
    return asked ? { ...called, listing: furtherListing(asked, called.listing) } : called;
  } finally {
    underWay.callingOff -= 1;
  }
}

/** @returns undefined where the rack was called off meanwhile, also where its listing had just answered */
export async function listingNow<T>(underWay: RackWork, rack: string, list: () => Promise<T>): Promise<T | undefined> {
  const listing = { rack, scope: new CancellationScope(), isCalledOff: false };
  underWay.listing = listing;
  try {
    const listed = await listing.scope.run(list);
    return listing.isCalledOff ? undefined : listed;
  } catch (error) {
    if (listing.isCalledOff && isCancellation(error)) return undefined;
    throw error;
  } finally {
    underWay.listing = undefined;
  }
}
