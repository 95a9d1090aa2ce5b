/**
 * Watches over what was archived, for as long as it must be kept. The store enforces the retention; this workflow attests on schedule that it does and that the objects are
 * whole, extends it when asked and while a legal hold stands, and sees to what becomes of them at the end.
 */
import { allHandlersFinished, condition, continueAsNew, patched, sleep } from '@temporalio/workflow';
import type { RetentionStatus } from '../model/retention.ts';
import { historyIsFull } from './moving.ts';
import { letGo } from './retention/end.ts';
import { continued, inDays, isOver, type Keeping, newKeeping, type RetainRequest, show, statusOf } from './retention/keeping.ts';
import { attestLocksOnly, look } from './retention/looking.ts';
import { setHandlers } from './retention/orders.ts';
import { renewalMs, stayLocked, waitsForDecision } from './retention/undecided.ts';

export type { RetainRequest } from './retention/keeping.ts';

/** A look is ten events, of what is held twenty: some ten years by the quarter. */
const EVENTS_PER_RUN = 500;
/** Of runs begun before 0.3, which must continue where they would have. */
const EVENTS_PER_EARLIER_RUN = 2000;

export async function retain(request: RetainRequest): Promise<RetentionStatus> {
  // Remove when the last run from before 0.3 has continued as new: at an order, or after some years.
  const isAttestedInFull = patched('retention-evidence');
  const keeping = newKeeping(request, isAttestedInFull);
  setHandlers(keeping);
  await (isAttestedInFull ? keep(keeping) : watchLocks(keeping));
  await condition(allHandlersFinished);
  return statusOf(keeping);
}

/** Until it is deleted, or free. */
async function keep(keeping: Keeping): Promise<void> {
  while (keeping.stage !== 'deleted' && keeping.stage !== 'free') {
    if (historyIsFull(EVENTS_PER_RUN)) await continueWith(keeping);
    keeping.isCalled = false;
    const waits = waitsForDecision(keeping);
    if (waits && Date.now() >= renewalMs(keeping)) {
      await stayLocked(keeping);
    } else if (isOver(keeping)) {
      await letGo(keeping);
    } else {
      keeping.stage = waits && keeping.promisedUntil !== undefined ? 'undecided' : 'kept';
      show(keeping);
      const untilMs = waits ? Math.min(Date.parse(keeping.nextLookAt), renewalMs(keeping)) : nextMs(keeping);
      const dueMs = untilMs - Date.now();
      if (dueMs > 0) await condition(() => keeping.isCalled, dueMs, { summary: endsNext(keeping, untilMs) });
      if (Date.now() >= Date.parse(keeping.nextLookAt) && !isOver(keeping)) await look(keeping);
    }
  }
}

/** What runs begun before 0.3 do, until an order comes. */
async function watchLocks(keeping: Keeping): Promise<void> {
  const { attestDays } = keeping.request;
  while (!isOver(keeping)) {
    show(keeping);
    keeping.nextLookAt = inDays(attestDays);
    const next = nextMs(keeping);
    await condition(() => keeping.isCalled, next - Date.now(), { summary: endsNext(keeping, next) });
    if (keeping.isCalled) {
      await condition(allHandlersFinished);
      // The order's answer goes out before this run ends: one that is given in a run's last task may be lost.
      await sleep(1000);
      await continueWith(keeping);
    }
    if (Date.now() < Date.parse(keeping.retainUntil)) await attestLocksOnly(keeping);
    if (historyIsFull(EVENTS_PER_EARLIER_RUN)) await continueWith(keeping);
  }
}

/** No longer than the next look, and where no hold stands, than the end. */
function nextMs({ nextLookAt, retainUntil }: Keeping): number {
  const lookMs = Date.parse(nextLookAt);
  const endMs = Date.parse(retainUntil);
  // Past the end a hold stands, or this would be over.
  return endMs > Date.now() ? Math.min(lookMs, endMs) : lookMs;
}

function endsNext({ retainUntil, nextLookAt }: Keeping, nextMs: number): string {
  if (nextMs === Date.parse(retainUntil)) return 'end of the retention';
  return nextMs === Date.parse(nextLookAt) ? 'next attestation' : 'a person is asked about the end';
}

async function continueWith(keeping: Keeping): Promise<never> {
  await condition(allHandlersFinished);
  return await continueAsNew<typeof retain>(continued(keeping));
}
