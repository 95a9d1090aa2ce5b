/** Reservations: room for a path, and the path pinned against eviction, until they expire or are renewed. */
import { randomUUID } from 'node:crypto';
import type { Reservation } from '../../drivers/hot-tier/port.ts';
import { ApiError } from './api-error.ts';
import { acceptExpiry, acceptPath, type ReservationInput } from './schemas.ts';
import { makeRoom } from './space.ts';
import { digestOf, findByKey, live, type ReservationRecord, refuseBeyondLimit, type State } from './state.ts';
import { type Answer, TIER_ACTOR, type Tier } from './tier.ts';
import { openDirectory } from './tree.ts';

export async function createReservation(tier: Tier, input: ReservationInput): Promise<Answer<Reservation>> {
  const request = { ...input, path: acceptPath(input.path, 'data') };
  const requestDigest = digestOf(request);
  return tier.store.transact<Answer<Reservation>>(async (state) => {
    const now = tier.now();
    const known = findByKey(live(state.reservations, now), request, requestDigest);
    if (known) return { state, result: { created: false, value: render(known) } };
    acceptExpiry(request.expiresAt, now);
    refuseBeyondLimit('reservations', state.reservations);
    // The path need not exist yet, but no step of it may be a link.
    await (await openDirectory(tier.config.root, request.path))?.close();
    const { promisedBytes, evicted } = await makeRoom(tier.config, state, { path: request.path, moreBytes: request.bytes }, now);
    await recordEvictions(tier, evicted);
    const record: ReservationRecord = { ...request, promisedBytes, id: `res-${randomUUID()}`, createdAt: new Date(now).toISOString(), requestDigest };
    return { state: { ...state, reservations: [...state.reservations, record] }, result: { created: true, value: render(record) } };
  });
}

/** Moves the expiry of all the owner has reserved; one that already lasts longer keeps its own. */
export async function renewReservations(tier: Tier, owner: string, expiresAt: string): Promise<Reservation[]> {
  acceptExpiry(expiresAt, tier.now());
  return tier.store.transact((state) => {
    const mine = new Set(
      live(state.reservations, tier.now())
        .filter((each) => each.owner === owner)
        .map((each) => each.id),
    );
    const renewed = (each: ReservationRecord): ReservationRecord =>
      mine.has(each.id) && Date.parse(each.expiresAt) < Date.parse(expiresAt) ? { ...each, expiresAt } : each;
    const reservations = state.reservations.map(renewed);
    const changed = reservations.some((each, index) => each !== state.reservations[index]);
    return { state: changed ? { ...state, reservations } : state, result: reservations.filter((each) => mine.has(each.id)).map(render) };
  });
}

export function reservationOf(tier: Tier, id: string): Reservation {
  return render(found(live(tier.store.current().reservations, tier.now()), id));
}

export function reservationsOf(tier: Tier, owner: string | undefined): Reservation[] {
  const held = live(tier.store.current().reservations, tier.now());
  return held.filter((each) => owner === undefined || each.owner === owner).map(render);
}

export async function deleteReservation(tier: Tier, id: string): Promise<Reservation> {
  return tier.store.transact((state) => {
    const record = found(live(state.reservations, tier.now()), id);
    return { state: withoutReservations(state, new Set([id])), result: render(record) };
  });
}

export function withoutReservations(state: State, ids: ReadonlySet<string>): State {
  return { ...state, reservations: state.reservations.filter((each) => !ids.has(each.id)) };
}

export async function recordEvictions(tier: Tier, paths: readonly string[]): Promise<void> {
  await tier.audit.append(paths.map((path) => ({ actor: TIER_ACTOR, operation: 'files.evict', path, outcome: 'allowed' })));
}

function found(held: readonly ReservationRecord[], id: string): ReservationRecord {
  const record = held.find((each) => each.id === id);
  if (!record) throw new ApiError('not_found', `there is no reservation ${JSON.stringify(id)}; it was released, has expired or never was`);
  return record;
}

function render(record: ReservationRecord): Reservation {
  const { id, createdAt: _createdAt, requestDigest: _requestDigest, promisedBytes: _promisedBytes, ...request } = record;
  return { reservationId: id, ...request };
}
