/**
 * Which racks keep an object's shards: never two on one rack, in as many rooms and as evenly as the racks allow, and within a
 * room by rendezvous hashing weighted by free space. So everyone who knows key and racks comes to the same answer, and
 * a rack that joins takes its share from the others without moving anything between them. Racks outside the allowed jurisdictions
 * and racks in quarantine take no shard. Pure.
 */
import { type ErrorContext, PenstockError } from './errors.ts';

export interface PlacementRack {
  readonly id: string;
  readonly room: string;
  /** Undefined where unknown: counts as the mean of those known. A rack without free space is not used. */
  readonly availableBytes?: number | undefined;
  /** Why it takes no new shard, whatever room it has; what it holds is still read. */
  readonly closed?: RackClosure | undefined;
}

/** foreign: its country is not an allowed one. quarantined: the operator took it out for a while. */
export interface RackClosure {
  readonly kind: 'foreign' | 'quarantined';
  /** Such as "lies in us, not in ch". */
  readonly why: string;
}

export interface PlacementRules {
  /** Where shards may lie, as two-letter codes. */
  readonly jurisdictions: readonly string[];
  /** Racks that take no new shard. */
  readonly quarantined: readonly string[];
}

/** Undefined where the rack may take shards. Law comes before housekeeping: a foreign rack in quarantine is foreign. */
export function closureOf(
  rack: { readonly id: string; readonly jurisdiction: string },
  { jurisdictions, quarantined }: PlacementRules,
): RackClosure | undefined {
  if (!jurisdictions.includes(rack.jurisdiction)) return { kind: 'foreign', why: `lies in ${rack.jurisdiction}, not in ${jurisdictions.join(' or ')}` };
  return quarantined.includes(rack.id) ? { kind: 'quarantined', why: 'is in quarantine' } : undefined;
}

export interface RackRefusal {
  readonly id: string;
  readonly why: string;
  readonly isFull?: boolean;
}

/** OutOfSpace where space is all that is missing, else StoreUnavailable: both are tried again, for a rack may come back or be let out of quarantine. */
export function tooFewRacks(key: string, { takers, needed, refusals }: { takers: number; needed: number; refusals: readonly RackRefusal[] }): PenstockError {
  const isSpace = refusals.length > 0 && refusals.every(({ isFull }) => isFull);
  const context: ErrorContext = { nextStep: isSpace ? 'Free space, or add racks.' : 'Bring racks back, end a quarantine, or add racks.' };
  const reasons = refusals.map(({ id, why }) => `${id} (${why})`).join(', ');
  return new PenstockError(
    isSpace ? 'OutOfSpace' : 'StoreUnavailable',
    `${takers} of the ${needed} racks needed for ${JSON.stringify(key)} can take a shard; not: ${reasons || 'there are no more'}.`,
    context,
  );
}

export interface Placement<Rack extends PlacementRack> {
  /** The racks of shards 0, 1, ...; shorter than asked for where there are fewer racks. */
  readonly chosen: readonly Rack[];
  /** The rest in order of preference, to stand in for a rack that fails. */
  readonly spares: readonly Rack[];
}

export function placeShards<Rack extends PlacementRack>(key: string, racks: readonly Rack[], shards: number): Placement<Rack> {
  const ranked = rankRacks(key, racks);
  const quotas = roomQuotas(key, ranked, shards);
  const chosen: Rack[] = [];
  const spares: Rack[] = [];
  for (const rack of ranked) {
    const left = quotas.get(rack.room) ?? 0;
    (left > 0 ? chosen : spares).push(rack);
    quotas.set(rack.room, left - 1);
  }
  return { chosen, spares };
}

/** The spare that keeps the rooms most even in place of a failed rack; the first in order among equals. Undefined where none is left. */
export function chooseSpare<Rack extends { readonly room: string }>(inUse: readonly Rack[], spares: readonly Rack[]): Rack | undefined {
  const load = (rack: Rack) => inUse.filter((used) => used.room === rack.room).length;
  return spares.reduce<Rack | undefined>((best, rack) => (best === undefined || load(rack) < load(best) ? rack : best), undefined);
}

/** Weighted rendezvous: -weight / ln(u) wins with a probability in proportion to the weight. */
function rankRacks<Rack extends PlacementRack>(key: string, racks: readonly Rack[]): Rack[] {
  const open = racks.filter((rack) => rack.closed === undefined);
  const known = open.flatMap((rack) => (rack.availableBytes === undefined ? [] : [Math.max(0, rack.availableBytes)]));
  const mean = known.length > 0 ? known.reduce((sum, bytes) => sum + bytes, 0) / known.length : 1;
  return open
    .map((rack) => ({ rack, weight: rack.availableBytes ?? mean, u: unitHash(`${key}\0${rack.id}`) }))
    .filter(({ weight }) => weight > 0)
    .map(({ rack, weight, u }) => ({ rack, score: -weight / Math.log(u) }))
    .sort((a, b) => b.score - a.score || (a.rack.id < b.rack.id ? -1 : 1))
    .map(({ rack }) => rack);
}

/** Shards per room: dealt one by one to the room that has fewest and still has a free rack; who is first among equals depends on the key. */
function roomQuotas(key: string, racks: readonly PlacementRack[], shards: number): Map<string, number> {
  const rooms = [...Map.groupBy(racks, (rack) => rack.room)]
    .map(([room, members]) => ({ room, size: members.length, quota: 0, order: unitHash(`${key}\0room\0${room}`) }))
    .sort((a, b) => a.order - b.order || (a.room < b.room ? -1 : 1));
  for (let dealt = 0; dealt < Math.min(shards, racks.length); dealt++) {
    const open = rooms.filter((room) => room.quota < room.size);
    const fewest = open.reduce((best, room) => (room.quota < best.quota ? room : best));
    fewest.quota++;
  }
  return new Map(rooms.map(({ room, quota }) => [room, quota]));
}

/** 53 bits in (0, 1). Two multiplicative lanes with murmur's finaliser; stable across processes, no security needed. */
function unitHash(text: string): number {
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 2654435761);
    high = Math.imul(high ^ unit, 1597334677);
  }
  low = finalise(low ^ Math.imul(high, 3266489909));
  high = finalise(high ^ Math.imul(low, 2246822507));
  return ((high & 0x1fffff) * 2 ** 32 + (low >>> 0) + 0.5) / 2 ** 53;
}

function finalise(value: number): number {
  const mixed = Math.imul(value ^ (value >>> 16), 2246822507);
  const again = Math.imul(mixed ^ (mixed >>> 13), 3266489909);
  return again ^ (again >>> 16);
}
