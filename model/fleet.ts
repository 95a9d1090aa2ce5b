/** How evenly a fleet of racks is filled, and what a further rack would move: placements counted, nothing written. Pure. */
import { type PlacementRack, placeShards } from './placement.ts';

export interface RackLoad {
  readonly id: string;
  readonly room: string;
  readonly shards: number;
}
export interface Balance {
  readonly objects: number;
  readonly racks: readonly RackLoad[];
  readonly fewest: number;
  readonly mean: number;
  readonly most: number;
  /** Shards of one object in each room, most first. */
  readonly shardsPerRoom: readonly number[];
  /** Part of all shards that a rack as large as the mean, added to the smallest room, takes over. */
  readonly movedByNewRack: number;
  /** Part of all shards that would move between the others; a placement that is worth its name has 0. */
  readonly movedElsewhere: number;
}

/** So many equal racks, dealt to rooms in turn. */
export function evenFleet(racks: number, rooms: number): PlacementRack[] {
  return Array.from({ length: racks }, (_, index) => ({
    id: `r${String(index + 1).padStart(String(racks).length, '0')}`,
    room: `room-${(index % rooms) + 1}`,
  }));
}

export function balanceOf(fleet: readonly PlacementRack[], { objects, shards, seed }: { objects: number; shards: number; seed: number }): Balance {
  const open = fleet.filter((rack) => rack.closed === undefined && rack.availableBytes !== 0);
  const grown = [...open, { id: 'one more', room: smallestRoom(open) }];
  const loads = new Map(open.map(({ id }) => [id, 0]));
  let [arrived, elsewhere] = [0, 0];
  let rooms: number[] = [];
  for (let object = 0; object < objects; object++) {
    const key = `simulated/${seed}/${object}`;
    const { chosen } = placeShards<PlacementRack>(key, open, shards);
    for (const { id } of chosen) loads.set(id, (loads.get(id) ?? 0) + 1);
    const before = new Set(chosen.map(({ id }) => id));
    for (const { id } of placeShards<PlacementRack>(key, grown, shards).chosen) {
      if (id === 'one more') arrived++;
      else if (!before.has(id)) elsewhere++;
    }
    rooms = [...Map.groupBy(chosen, ({ room }) => room).values()].map(({ length }) => length).sort((a, b) => b - a);
  }
  const counts = [...loads.values()];
  const all = counts.reduce((sum, count) => sum + count, 0);
  return {
    objects,
    racks: open.map(({ id, room }) => ({ id, room, shards: loads.get(id) ?? 0 })),
    fewest: Math.min(...counts),
    mean: all / open.length,
    most: Math.max(...counts),
    shardsPerRoom: rooms,
    movedByNewRack: arrived / all,
    movedElsewhere: elsewhere / all,
  };
}

function smallestRoom(racks: readonly PlacementRack[]): string {
  const rooms = [...Map.groupBy(racks, ({ room }) => room)].sort(([, a], [, b]) => a.length - b.length);
  return rooms[0]?.[0] ?? 'room';
}
