/** How the erasure set fares, from its racks and from Penstock's records: what `penstock erasure status` shows, with Temporal gone too. */
import { objectsPlacedOn } from '../datapath/erasure/placed-on.ts';
import type { Stores } from '../drivers/open-site.ts';
import { messageOf } from '../model/errors.ts';
import type { GivenUpObjects } from '../model/given-up.ts';
import type { RepairDue } from '../model/repair.ts';
import type { ScrubProgress } from '../model/scrub.ts';
import { givenUpObjects } from './given-up.ts';
import { firstRepairs } from './repair-queue.ts';
import { readScrubProgress } from './scrub-progress.ts';

export interface RackOverview {
  readonly id: string;
  readonly room: string;
  readonly reachable: boolean;
  /** Absent where the rack cannot tell, as a bucket cannot. */
  readonly freeBytes?: number;
  /** Why it takes no new shard, or does not answer. */
  readonly note?: string;
}
/** Another site's set that copies go to. */
export interface ReplicaOverview {
  readonly name: string;
  readonly racks: number;
  readonly silentRacks: readonly string[];
  /** Why none of its racks could be asked. */
  readonly problem?: string;
}
export interface ErasureOverview {
  readonly racks: readonly RackOverview[];
  /** Absent where the site file names none. */
  readonly replicas?: readonly ReplicaOverview[];
  /** Absent where there never was one. */
  readonly scrub?: ScrubProgress;
  readonly repairsDue: RepairDue;
  readonly repairsPutOff: number;
  /** Absent where nothing was. */
  readonly givenUp?: GivenUpObjects;
}

const ANSWER_LIMIT_MS = 5_000;

export async function erasureOverview(stores: Stores): Promise<ErasureOverview> {
  const [racks, replicas, scrub, { due, laterObjects }, givenUp] = await Promise.all([
    racksOverview(stores),
    Promise.all(Object.keys(stores.site.erasureSet.replicas).map((name) => replicaOverview(stores, name))),
    readScrubProgress(stores),
    firstRepairs(stores, 0),
    givenUpObjects(stores),
  ]);
  return {
    racks,
    ...(replicas.length > 0 ? { replicas } : {}),
    ...(scrub ? { scrub } : {}),
    repairsDue: due,
    repairsPutOff: laterObjects,
    ...(givenUp.objects > 0 ? { givenUp } : {}),
  };
}

async function replicaOverview(stores: Stores, name: string): Promise<ReplicaOverview> {
  try {
    const racks = await racksOverview({ shardRacks: await stores.replicaRacks(name) });
    return { name, racks: racks.length, silentRacks: racks.filter(({ reachable }) => !reachable).map(({ id }) => id) };
  } catch (error) {
    return { name, racks: 0, silentRacks: [], problem: messageOf(error) };
  }
}

export const racksOverview = ({ shardRacks }: Pick<Stores, 'shardRacks'>): Promise<RackOverview[]> => Promise.all(shardRacks.map(overviewOf));

async function overviewOf(rack: Stores['shardRacks'][number]): Promise<RackOverview> {
  const { id, room, closed } = rack;
  try {
    const freeBytes = await rack.freeBytes({ signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    return { id, room, reachable: true, ...(freeBytes === undefined ? {} : { freeBytes }), ...(closed ? { note: closed.why } : {}) };
  } catch (error) {
    return { id, room, reachable: false, note: messageOf(error) };
  }
}

export interface ConcernedObjects {
  readonly margin: number;
  readonly objects: number;
  readonly storedBytes: number;
}

/** How many objects had a shard on one of the racks, by how many racks may still be lost. By the listing of the real drain. */
export async function objectsOnRack({ shardRacks }: Stores, rackIds: readonly string[], onProgress: (objects: number) => void): Promise<ConcernedObjects[]> {
  const byMargin = new Map<number, ConcernedObjects>();
  let looked = 0;
  for await (const { margin, storedBytes, isConcerned } of objectsPlacedOn({ racks: shardRacks, prefix: '' }, rackIds)) {
    if (++looked % 1000 === 0) onProgress(looked);
    if (!isConcerned) continue;
    const known = byMargin.get(margin) ?? { margin, objects: 0, storedBytes: 0 };
    byMargin.set(margin, { margin, objects: known.objects + 1, storedBytes: known.storedBytes + storedBytes });
  }
  return [...byMargin.values()].sort((a, b) => a.margin - b.margin);
}
