/** Who is let into a broker's queue: a new reservation, or a clear no with the next step. Pure. */
import type { RefusalReason, ReserveRequest, Standing } from './broker.ts';
import { isOut } from './broker-outages.ts';
import { type BrokerState, classBudget, leastRate, mostRate, nothingTold, type Reservation, silenceMs } from './broker-state.ts';
import { formatBandwidth, formatBytes, formatSeconds } from './quantity.ts';

/** What names no deadline is due a day after it came: so it cannot be passed by for ever. More work at risk makes it due earlier, by at most this day. */
const PATIENCE_MS = 24 * 3_600_000;

type Entered = { readonly state: BrokerState; readonly reservation: Reservation } | { readonly refused: Standing };

export function letIn(state: BrokerState, request: ReserveRequest): Entered {
  const reservation = newReservation(state, request);
  const refused = refusalOf(state, request, reservation);
  if (refused) return { refused };
  return { reservation, state: { ...state, nextEpoch: state.nextEpoch + 1, reservations: [...state.reservations, reservation] } };
}

function newReservation({ fabric, nowMs, nextEpoch, outages }: BrokerState, request: ReserveRequest): Reservation {
  const { requestId, bytes, class: kind, tenant, atRiskSeconds, earliest, deadline, mostUsefulRate, stores } = request;
  return {
    requestId,
    epoch: nextEpoch,
    class: kind,
    tenant,
    bytes,
    remainingBytes: bytes,
    leastBytesPerSecond: leastRate(fabric, request),
    mostBytesPerSecond: mostUsefulRate ?? null,
    earliestMs: earliest === undefined ? nowMs : Date.parse(earliest),
    deadlineMs: deadline === undefined ? null : Date.parse(deadline),
    atRiskSeconds,
    arrivedMs: nowMs,
    dueMs: Math.min(deadline === undefined ? Infinity : Date.parse(deadline), nowMs + PATIENCE_MS - Math.min(PATIENCE_MS, atRiskSeconds * 1000)),
    ...(stores ? { stores } : {}),
    place: isOut(outages, { stores }) ? 'interrupted' : 'waiting',
    floorBytesPerSecond: 0,
    startedMs: null,
    answer: 0,
    told: nothingTold,
    before: nothingTold,
    renewByMs: nowMs + silenceMs(fabric),
  };
}

function refusalOf({ fabric, nowMs, reservations }: BrokerState, { requestId }: ReserveRequest, wanted: Reservation): Standing | undefined {
  const refuse = (reason: RefusalReason, message: string, nextStep: string): Standing => ({ kind: 'refused', requestId, reason, message, nextStep });
  const { mostReservations } = fabric;
  if (reservations.length >= mostReservations) {
    return refuse(
      'QueueFull',
      `the fabric has ${reservations.length} reservations; accepted: ${mostReservations}.`,
      'Ask again in some minutes, or reserve for larger pieces.',
    );
  }
  const ofTenant = reservations.filter(({ tenant }) => tenant === wanted.tenant).length;
  const mostOfTenant = Math.ceil(mostReservations / 2);
  if (ofTenant >= mostOfTenant) {
    return refuse(
      'TenantQueueFull',
      `tenant ${wanted.tenant} has ${ofTenant} reservations; accepted: ${mostOfTenant}, half of the fabric's.`,
      'Wait for some to end, or reserve for larger pieces.',
    );
  }
  const budget = classBudget(fabric, wanted.class);
  if (wanted.leastBytesPerSecond > budget) {
    return refuse(
      'LeastRateTooHigh',
      `leastUsefulRate: found ${formatBandwidth(wanted.leastBytesPerSecond)}; accepted: at most ${formatBandwidth(budget)}, what the class ${wanted.class} may hold of the fabric.`,
      'Ask for less; more is given wherever others leave it.',
    );
  }
  if (wanted.deadlineMs === null) return undefined;
  const seconds = (wanted.deadlineMs - Math.max(nowMs, wanted.earliestMs)) / 1000;
  const most = mostRate(fabric, wanted);
  const needed = Math.ceil(wanted.bytes / most);
  if (seconds >= needed) return undefined;
  return refuse(
    'DeadlineInfeasible',
    `${formatBytes(wanted.bytes)} take ${formatSeconds(needed)} at ${formatBandwidth(most)}, the most that is possible; until the deadline there are ${formatSeconds(seconds)}.`,
    'Name a later deadline, or move fewer bytes.',
  );
}

const WISHES = ['class', 'tenant', 'bytes', 'mostBytesPerSecond', 'deadlineMs', 'atRiskSeconds'] as const;

/** The same request once more, or another one under its id? What it leaves out was filled in when it came, and may be filled in otherwise now. */
export function isRepeat(state: BrokerState, known: Reservation, request: ReserveRequest): boolean {
  const again = newReservation(state, request);
  const isSameStart = request.earliest === undefined || again.earliestMs === known.earliestMs;
  const isSameLeast = request.leastUsefulRate === undefined || again.leastBytesPerSecond === known.leastBytesPerSecond;
  return isSameStart && isSameLeast && WISHES.every((wish) => again[wish] === known[wish]);
}
