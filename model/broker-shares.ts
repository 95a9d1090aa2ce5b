/** How those who are admitted share a fabric: each keeps its floor, and what is over goes by weight. Pure. */
import type { BandwidthClass } from './broker.ts';
import { isStage, type Reservation, stageCapacity, sumOf } from './broker-state.ts';
import type { FabricConfig } from './fabric.ts';

interface Share {
  readonly reservation: Reservation;
  readonly weight: number;
}

/** Bytes per second by request id; never more than the capacity in all, nor than staging's part of it for the class stage. */
export function shares(admitted: readonly Reservation[], fabric: FabricConfig): Map<string, number> {
  const all = weighted(admitted, fabric);
  const together = divide(all, fabric.capacity);
  const stageMost = stageCapacity(fabric);
  if (
    sumOf(
      all.filter(({ reservation }) => isStage(reservation)),
      ({ reservation }) => together.get(reservation.requestId) ?? 0,
    ) <= stageMost
  )
    return together;
  const staging = divide(
    all.filter(({ reservation }) => isStage(reservation)),
    stageMost,
  );
  const others = divide(
    all.filter(({ reservation }) => !isStage(reservation)),
    fabric.capacity - sumOf([...staging.values()], (rate) => rate),
  );
  return new Map([...staging, ...others]);
}

/** A class's weight is shared by its tenants, and a tenant's part by its leases. */
function weighted(admitted: readonly Reservation[], { weights }: FabricConfig): Share[] {
  const tenants = new Map<BandwidthClass, Map<string, number>>();
  for (const { class: kind, tenant } of admitted) {
    const counts = tenants.get(kind) ?? new Map<string, number>();
    counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
    tenants.set(kind, counts);
  }
  return admitted.map((reservation) => {
    const counts = tenants.get(reservation.class);
    return { reservation, weight: weights[reservation.class] / (counts?.size ?? 1) / (counts?.get(reservation.tenant) ?? 1) };
  });
}

/** Water filling: what one cannot use is shared again by the others. The floors fit, for each class has a budget of them. */
function divide(all: readonly Share[], capacity: number): Map<string, number> {
  const rates = new Map(all.map((share) => [share.reservation.requestId, floorOf(share)]));
  let open = all;
  for (let spare = capacity - sumOf(all, floorOf); spare > 0 && open.length > 0; ) {
    const weights = sumOf(open, ({ weight }) => weight);
    const full = open.filter((share) => mostOf(share) - floorOf(share) <= (spare * share.weight) / weights);
    if (full.length === 0) {
      for (const share of open) rates.set(share.reservation.requestId, floorOf(share) + Math.floor((spare * share.weight) / weights));
      break;
    }
    for (const share of full) rates.set(share.reservation.requestId, mostOf(share));
    spare -= sumOf(full, (share) => mostOf(share) - floorOf(share));
    const filled = new Set(full);
    open = open.filter((share) => !filled.has(share));
  }
  return rates;
}

const floorOf = ({ reservation }: Share): number => reservation.floorBytesPerSecond;
const mostOf = ({ reservation }: Share): number => Math.max(reservation.mostBytesPerSecond ?? Infinity, reservation.floorBytesPerSecond);
