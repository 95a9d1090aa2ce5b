/** What an owner holds, and giving it back in one step. */
import type { Holdings } from '../../drivers/hot-tier/port.ts';
import { exportsOf, withoutExports } from './exports.ts';
import { reservationsOf, withoutReservations } from './reservations.ts';
import type { HoldingKind } from './schemas.ts';
import { type Snapshots, snapshotsOf, withoutSnapshots } from './snapshots.ts';
import type { State } from './state.ts';
import type { Tier } from './tier.ts';

export function holdings(tier: Tier, owner: string): Holdings {
  return { exports: exportsOf(tier, owner), snapshots: snapshotsOf(tier, owner), reservations: reservationsOf(tier, owner) };
}

/** All of the named kinds go in one change of state. @returns what the owner still holds, and the paths given back */
export async function releaseHoldings(
  tier: Tier,
  snapshots: Snapshots,
  owner: string,
  kinds: readonly HoldingKind[],
): Promise<{ left: Holdings; paths: string[] }> {
  const removed = await removeWhere(tier, snapshots, (kind, record) => record.owner === owner && kinds.includes(kind));
  return { left: holdings(tier, owner), paths: removed.map(({ path }) => path) };
}

/** Expiry, for nobody has to call for it. @returns what is gone */
export async function removeExpired(tier: Tier, snapshots: Snapshots): Promise<Removed[]> {
  const now = tier.now();
  return removeWhere(tier, snapshots, (_kind, record) => Date.parse(record.expiresAt) <= now);
}

export interface Removed {
  readonly kind: HoldingKind;
  readonly path: string;
}

async function removeWhere(
  tier: Tier,
  snapshots: Snapshots,
  goes: (kind: HoldingKind, record: { owner: string; expiresAt: string }) => boolean,
): Promise<Removed[]> {
  const { removed, snapshotIds } = await tier.store.transact((state) => {
    const going = {
      exports: state.exports.filter((each) => goes('exports', each)),
      snapshots: state.snapshots.filter((each) => goes('snapshots', each)),
      reservations: state.reservations.filter((each) => goes('reservations', each)),
    };
    const idsOf = (kind: HoldingKind): Set<string> => new Set(going[kind].map(({ id }) => id));
    const kinds: HoldingKind[] = ['exports', 'snapshots', 'reservations'];
    const result = {
      removed: kinds.flatMap((kind) => going[kind].map(({ path }) => ({ kind, path }))),
      snapshotIds: idsOf('snapshots'),
    };
    if (result.removed.length === 0) return { state, result };
    const left: State = withoutReservations(withoutSnapshots(withoutExports(state, idsOf('exports')), idsOf('snapshots')), idsOf('reservations'));
    return { state: left, result };
  });
  await snapshots.removeContent(snapshotIds);
  return removed;
}
