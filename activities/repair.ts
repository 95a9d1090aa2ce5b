/** Repairs the erasure set by the records of what is due, a few objects an activity; and finds what had shards on a rack that is lost for good. */
import { Context, metricMeter } from '@temporalio/activity';
import { sweepAbandonedShards } from '../datapath/erasure/abandoned.ts';
import { claimErasureObject } from '../datapath/erasure/claim.ts';
import { objectsPlacedOn } from '../datapath/erasure/placed-on.ts';
import { type RepairedErasureObject, repairErasureObject } from '../datapath/erasure/repair.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { eachPage, type From } from '../drivers/pages.ts';
import { isType, PenstockError } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import {
  addRepairs,
  type CallOffRack,
  DEFAULT_LANES,
  noRepairs,
  parseRepairName,
  type RackCalledOff,
  type RackListing,
  RackListingSchema,
  REPAIR_LIMIT_KEY,
  type RepairCounts,
  RepairCountsSchema,
  type RepairDue,
  type RepairRecord,
  type WantedRepairs,
} from '../model/repair.ts';
import { youngLine } from '../model/scrub.ts';
import { effect, type Run } from './effect.ts';
import { createLimitWatch, inTurn } from './limits.ts';
import { callOffRack } from './repair-call-off.ts';
import { planQueue, postponeRepair, putAside, queueRepair, readRepair, repairDone, requeueRepairs } from './repair-queue.ts';
import { claimOver, keepListing, keepWanted, listingOver } from './repair-wanted.ts';
import { withinScrubWindow } from './windows.ts';

/**
 * A plan is 256 names of 60 bytes at most, and 23 minutes at 200 MB/s or two units a lane; then the order is looked at anew, for more endangered ones may have come. At its end lanes
 * wait for each other: with fewer units they would do little else.
 */
const PLANNED_OBJECTS = 256;
const PLANNED_BYTES = 256 * 2 ** 30;
const PLANNED_UNITS_A_LANE = 2;
/** A unit is minutes of work: so many objects, or so many bytes. */
const UNIT_OBJECTS = 16;
const UNIT_BYTES = 8 * 2 ** 30;

export interface PlanRepairs extends WantedRepairs {
  /** Units that are worked on at once; absent in histories of workers before 0.3. */
  readonly lanes?: number;
}
export interface RepairPlan {
  /** Names of records, unit by unit. */
  readonly units: readonly (readonly string[])[];
  /** All that is still to be looked for, on record and as it was given. Absent in histories of workers before 0.3. */
  readonly wanted?: WantedRepairs;
  readonly due: RepairDue;
  readonly laterObjects: number;
  readonly heartbeatSeconds: number;
  readonly eventsPerRun: number;
}
export interface RepairUnitRequest {
  readonly names: readonly string[];
  readonly lanes: number;
}
export interface ListLostRackRequest {
  readonly listing: RackListing;
  readonly seconds: number;
}
/** `isOver`: nothing is left to list. */
export interface ListedRack {
  readonly listing: RackListing;
  readonly isOver: boolean;
}

export type RepairActivities = ReturnType<typeof createRepairActivities>;

export function createRepairActivities(stores: Stores) {
  const { site, warm, shardRacks: racks } = stores;
  const watch = createLimitWatch(stores);

  return {
    /** Keeps on record what is still to be looked for, so that it outlives this repair. */
    planRepairs: ({ lanes = DEFAULT_LANES, ...given }: PlanRepairs = { listings: [], claims: [] }): Promise<RepairPlan> =>
      effect(async (run) => {
        const { names, due, laterObjects } = await planQueue(stores, PLANNED_OBJECTS, run.signal);
        const wanted = await keepWanted(stores, given);
        const { heartbeatSeconds, eventsPerRun } = site.policies;
        return { units: soon(cut(names), lanes), wanted, due, laterObjects, heartbeatSeconds, eventsPerRun };
      }),

    /** Each object for itself: one that cannot be repaired now is put off and told, and does not hold up the others. */
    repairUnit: ({ names, lanes }: RepairUnitRequest): Promise<RepairCounts> =>
      effect(async (run) => {
        const { limiter, done } = await watch.limiterAt(REPAIR_LIMIT_KEY, lanes);
        // What an attempt that was lost had done is not due any more: it is counted as it told last.
        const known = RepairCountsSchema.safeParse(Context.current().info.heartbeatDetails);
        let counts: RepairCounts = known.success ? known.data : noRepairs;
        const repair = async (window?: RateLimiter): Promise<RepairCounts> => {
          const paced = window ? inTurn([limiter, window]) : limiter;
          for (const name of names) {
            const record = await recordOrAside(name);
            if (!record) continue;
            if (typeof record === 'string') {
              counts = addRepairs(counts, { ...noRepairs, postponedObjects: 1, lines: [lineOf(name, record)] });
              continue;
            }
            const before = counts;
            const told = (rebuiltBytes: number) => run.report({ ...before, rebuiltBytes: before.rebuiltBytes + rebuiltBytes });
            counts = addRepairs(counts, await repairOne(name, record, run, (bytes) => paced.take(bytes, run.signal), told));
            run.report(counts);
          }
          return counts;
        };
        try {
          run.report(counts);
          const bytes = names.reduce((sum, name) => sum + (parseRepairName(name)?.storedBytes ?? 0), 0);
          return await withinScrubWindow(site, { bytes, limit: limiter.rate() }, run, repair);
        } finally {
          done();
        }
      }),

    /** Queues every object that had a shard on the rack, for so many seconds or to the end. */
    listLostRack: ({ listing: given, seconds }: ListLostRackRequest): Promise<ListedRack> =>
      effect(async (run) => {
        const endsAt = Date.now() + seconds * 1000;
        await warm.ensureBucket(SYSTEM_BUCKET);
        const told = RackListingSchema.safeParse(Context.current().info.heartbeatDetails);
        let listing: RackListing = told.success && told.data.rack === given.rack ? told.data : given;
        let isOver = false;
        try {
          for await (const object of objectsPlacedOn({ racks, prefix: '', after: listing.after, signal: run.signal }, [listing.rack])) {
            const { key, margin, storedBytes, isConcerned } = object;
            if (isConcerned) await queueRepair(stores, { key, margin, storedBytes, suspects: [] }, [listing.rack]);
            listing = {
              rack: listing.rack,
              after: key,
              listedObjects: listing.listedObjects + 1,
              concernedObjects: listing.concernedObjects + (isConcerned ? 1 : 0),
            };
            run.report(listing);
            if (Date.now() >= endsAt) return { listing, isOver: false };
          }
          isOver = true;
          return { listing, isOver };
        } finally {
          await (isOver ? listingOver(stores, listing.rack) : keepListing(stores, listing));
        }
      }),

    /** Drops the rack's listing, and what is due for nothing else. */
    callOffRack: ({ rack }: CallOffRack): Promise<RackCalledOff> => effect((run) => callOffRack(stores, rack, run.signal)),

    requeueRepairs: (): Promise<number> => effect((run) => requeueRepairs(stores, run.signal)),

    /** Makes manifests anew for whole sets of shards that have none. Sets younger than the sweep's age may be a write under way, and are left. */
    claimObjects: ({ prefix }: { prefix: string }): Promise<RepairCounts> =>
      effect(async (run) => {
        let counts = noRepairs;
        const olderThanMilliseconds = Date.now() - site.policies.sweepAfterHours * 3_600_000;
        const sweep = ({ after }: From) => sweepAbandonedShards({ racks, prefix, after, olderThanMilliseconds, signal: run.signal });
        for await (const { unclaimed, young } of eachPage(sweep)) {
          for (const { key } of unclaimed) counts = addRepairs(counts, await claimOne(key, run));
          counts = addRepairs(counts, { ...noRepairs, lines: young.map((write) => youngLine(write, site.policies.sweepAfterHours)) });
          run.report(counts);
        }
        await claimOver(stores, prefix);
        return counts;
      }),
  };

  /** A problem in words where it is no record: there is nothing to try again for the others' sake. */
  async function recordOrAside(name: string): Promise<RepairRecord | string | undefined> {
    try {
      return await readRepair(stores, name);
    } catch (error) {
      if (!isType(error, 'CorruptSource')) throw error;
      await putAside(stores, name);
      return error.message;
    }
  }

  async function repairOne(
    name: string,
    record: RepairRecord,
    run: Run,
    pace: (bytes: number) => Promise<void>,
    onProgress: (rebuiltBytes: number) => void,
  ): Promise<RepairCounts> {
    const { key, suspects, storedBytes } = record;
    try {
      const result = await repairErasureObject({ racks, key, suspects, signal: run.signal, pace, onProgress });
      countRebuilt(result);
      const counts: RepairCounts = {
        ...noRepairs,
        repairedObjects: result.rebuilt.length > 0 ? 1 : 0,
        soundObjects: result.rebuilt.length > 0 ? 0 : 1,
        rebuiltShards: result.rebuilt.length,
        rebuiltBytes: result.rebuiltBytes,
        doneBytes: storedBytes,
      };
      if (result.left.length === 0) {
        await repairDone(stores, name, record);
        return counts;
      }
      const problem = `shards ${result.left.join(', ')} found no rack${result.failures.length > 0 ? `: ${result.failures.join(', ')}` : ''}`;
      await postponeRepair(stores, name, record, problem);
      return { ...counts, soundObjects: 0, postponedObjects: 1, lines: [lineOf(key, problem)] };
    } catch (error) {
      run.signal.throwIfAborted();
      if (!(error instanceof PenstockError)) throw error;
      if (error.type === 'NotFound') {
        await repairDone(stores, name, record);
        return { ...noRepairs, soundObjects: 1, doneBytes: storedBytes };
      }
      await postponeRepair(stores, name, record, error.message);
      return { ...noRepairs, postponedObjects: 1, lines: [lineOf(key, error.message)] };
    }
  }

  async function claimOne(key: string, run: Run): Promise<RepairCounts> {
    try {
      await claimErasureObject({ racks, key, signal: run.signal });
      return { ...noRepairs, claimedObjects: 1 };
    } catch (error) {
      run.signal.throwIfAborted();
      if (!(error instanceof PenstockError) || error.errorClass === 'retryable') throw error;
      return { ...noRepairs, lines: [lineOf(key, error.message)] };
    }
  }
}

function cut(names: readonly string[]): string[][] {
  const units: string[][] = [];
  let bytes = 0;
  for (const name of names) {
    const size = parseRepairName(name)?.storedBytes ?? 0;
    const last = units.at(-1);
    if (last && last.length < UNIT_OBJECTS && bytes + size <= UNIT_BYTES) last.push(name);
    else units.push([name]);
    bytes = units.at(-1)?.length === 1 ? size : bytes + size;
  }
  return units;
}

/** The first ones: some a lane, and as many more as are done before long. */
function soon(units: readonly (readonly string[])[], lanes: number): (readonly string[])[] {
  const planned: (readonly string[])[] = [];
  let bytes = 0;
  for (const names of units) {
    if (planned.length >= lanes * PLANNED_UNITS_A_LANE && bytes >= PLANNED_BYTES) break;
    planned.push(names);
    bytes += names.reduce((sum, name) => sum + (parseRepairName(name)?.storedBytes ?? 0), 0);
  }
  return planned;
}

const lineOf = (key: string, problem: string): string => `${key}: ${problem}`;

function countRebuilt({ rebuiltBytes, rebuilt }: RepairedErasureObject): void {
  metricMeter.createCounter('penstock_erasure_repaired_bytes_total', 'By', 'shards rebuilt').add(rebuiltBytes);
  metricMeter.createCounter('penstock_erasure_repaired_shards_total', undefined, 'shards rebuilt').add(rebuilt.length);
}
