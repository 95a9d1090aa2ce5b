/** What people order of a retention: a longer one, a legal hold, its end, a decision. One after the other, and none shortens anything. */
import { ApplicationFailure, defineQuery, defineUpdate, patched, setHandler } from '@temporalio/workflow';
import type { RetentionActivities } from '../../activities/retention.ts';
import { ExtendRetentionSchema } from '../../model/allocation.ts';
import { queryNames, updateNames } from '../../model/messages.ts';
import {
  DisposeSchema,
  effectiveUntil,
  type Hold,
  type HoldOrder,
  HoldOrderSchema,
  holdClaim,
  type RetentionStatus,
  refuseHold,
  standingHolds,
} from '../../model/retention.ts';
import { accept } from '../accept.ts';
import { now } from '../clock.ts';
import { innerMessageOf } from '../failures.ts';
import { inTurn } from '../in-turn.ts';
import { call, isOver, type Keeping, lockOf, show, statusOf, termsOf } from './keeping.ts';

const RELEASED_SHOWN = 20;

const status = defineQuery<RetentionStatus>(queryNames.status);
const extend = defineUpdate<RetentionStatus, [unknown]>(updateNames.extendRetention);
const place = defineUpdate<RetentionStatus, [unknown]>(updateNames.placeHold);
const release = defineUpdate<RetentionStatus, [unknown]>(updateNames.releaseHold);
const dispose = defineUpdate<RetentionStatus, [unknown]>(updateNames.disposeRetained);

export function setHandlers(keeping: Keeping): void {
  setHandler(status, () => statusOf(keeping));
  setHandler(
    extend,
    async (input) => {
      const wanted = acceptExtension(keeping, input);
      // One after the other, so that a later, longer extension is not overtaken by an earlier one.
      await inTurn(keeping.turns, async () => {
        const summary = `extend the lock of ${keeping.request.manifest.files} files to ${wanted}`;
        await call<RetentionActivities>(keeping, summary).extendLocks({ ...lockOf(keeping), retainUntil: wanted });
        keeping.retainUntil = effectiveUntil({ promised: keeping.retainUntil, tenant: wanted });
        if ((keeping.stage !== 'kept' || keeping.decision) && patched('retention-end')) askAgain(keeping);
        show(keeping);
      });
      return statusOf(keeping);
    },
    { validator: (input) => void acceptExtension(keeping, input) },
  );
  setHandler(place, (input) => placeHold(keeping, accept(HoldOrderSchema, input)), {
    validator: (input) => {
      const order = accept(HoldOrderSchema, input);
      refuse(refuseHold(keeping.holds, order));
      if (keeping.stage === 'deleted' || keeping.stage === 'free') refuse(`the retention is over, and it is ${keeping.stage}: there is nothing to hold`);
    },
  });
  setHandler(release, (input) => releaseHold(keeping, accept(HoldOrderSchema, input)), {
    validator: (input) => {
      const { matter } = accept(HoldOrderSchema, input);
      const standing = standingHolds(keeping.holds).map((hold) => hold.matter);
      if (!standing.includes(matter)) refuse(`matter: found ${JSON.stringify(matter)}; accepted: ${standing.join(', ') || 'none, for no hold stands'}`);
    },
  });
  setHandler(
    dispose,
    (input) => {
      keeping.decision = { ...accept(DisposeSchema, input), at: now() };
      keeping.isCalled = true;
      return statusOf(keeping);
    },
    {
      validator: (input) => {
        accept(DisposeSchema, input);
        const isHeld = standingHolds(keeping.holds).length > 0;
        if (isHeld || !(isAsked(keeping) || isOver(keeping))) refuse(`the retention stands until ${keeping.retainUntil}${isHeld ? ', and a legal hold' : ''}`);
        if (!isAsked(keeping)) refuse(`nobody is asked: the policy is ${termsOf(keeping).disposition}, and it is ${keeping.stage}`);
      },
    },
  );
}

/** It stands from the order on. Where the store refuses now, the order fails, the hold stands all the same, and each look tries again. */
async function placeHold(keeping: Keeping, order: HoldOrder): Promise<RetentionStatus> {
  const standing = standingHolds(keeping.holds);
  if (!standing.some(({ matter }) => matter === order.matter)) keeping.holds = [...standing, { ...order, since: now() }, ...released(keeping)];
  delete keeping.decision;
  keeping.isCalled = true;
  show(keeping);
  try {
    await inTurn(keeping.turns, () => applyHold(keeping, { by: order.actor, why: order.reason }));
  } catch (error) {
    throw ApplicationFailure.nonRetryable(
      `The hold stands, and is tried again at the next look; now the store did not take it: ${innerMessageOf(error)}`,
      'Refused',
    );
  }
  keeping.isCalled = true;
  show(keeping);
  return statusOf(keeping);
}

/** The store's own hold, and a lock that goes past the next looks: a store may let go when the retention expires, whatever holds it. */
export async function applyHold(keeping: Keeping, { by, why }: { readonly by: string; readonly why: string }): Promise<void> {
  const { request, retainUntil, storeTime } = keeping;
  const hold = holdClaim([now(), storeTime ?? now()], { holdDays: termsOf(keeping).holdDays, attestDays: request.attestDays });
  const until = effectiveUntil({ promised: retainUntil, hold });
  const summary = `hold ${request.manifest.files} files, locked until ${until}`;
  await call<RetentionActivities>(keeping, summary, 'attest').placeHold({ ...lockOf(keeping), retainUntil: until, user: by, reason: why });
  // Longer still where an order came meanwhile.
  keeping.retainUntil = effectiveUntil({ promised: keeping.retainUntil, hold: until });
}

/** The store's hold goes with the last matter; the retention stays as long as it was extended to. */
async function releaseHold(keeping: Keeping, { matter, actor, reason }: HoldOrder): Promise<RetentionStatus> {
  await inTurn(keeping.turns, async () => {
    const others = standingHolds(keeping.holds).filter((hold) => hold.matter !== matter).length;
    const summary = others > 0 ? `release the hold ${matter}; ${others} others stand` : `release the hold of ${keeping.request.manifest.files} files`;
    const request = { ...lockOf(keeping), user: actor, reason, isLast: others === 0 };
    await call<RetentionActivities>(keeping, summary, 'attest').releaseHold(request);
    const standing = standingHolds(keeping.holds);
    const ended = standing.filter((hold) => hold.matter === matter).map((hold) => ({ ...hold, released: { at: now(), actor, reason } }));
    keeping.holds = [...standing.filter((hold) => hold.matter !== matter), ...[...ended, ...released(keeping)].slice(0, RELEASED_SHOWN)];
  });
  keeping.isCalled = true;
  show(keeping);
  return statusOf(keeping);
}

/** What was decided was for the end before; at the new one somebody is asked again. */
function askAgain(keeping: Keeping): void {
  delete keeping.decision;
  delete keeping.promisedUntil;
  keeping.isCalled = true;
}

/** Also after a decision that has not taken effect yet: it may be another one. */
const isAsked = ({ stage, promisedUntil }: Keeping): boolean => stage === 'undecided' || (stage === 'kept' && promisedUntil !== undefined);

const released = ({ holds }: Keeping): readonly Hold[] => holds.filter((hold) => hold.released !== undefined);

function acceptExtension({ retainUntil }: Keeping, input: unknown): string {
  const { retainUntil: asked } = accept(ExtendRetentionSchema, input);
  if (Date.parse(asked) >= Date.parse(retainUntil)) return asked;
  return refuse(`retainUntil: found ${asked}; accepted: ${retainUntil} or later, retention is never shortened`);
}

function refuse(message: string): never;
function refuse(message: string | undefined): void;
function refuse(message: string | undefined): void {
  if (message !== undefined) throw ApplicationFailure.nonRetryable(message, 'Refused');
}
