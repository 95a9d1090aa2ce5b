/** A retention whose end a person decides about: near the end, and until somebody has decided, it stays locked, a little longer each time. */
import { ActivityFailure, condition, isCancellation, patched } from '@temporalio/workflow';
import type { RetentionActivities } from '../../activities/retention.ts';
import { daysAhead, effectiveUntil, standingHolds } from '../../model/retention.ts';
import { now } from '../clock.ts';
import { innerMessageOf } from '../failures.ts';
import { inTurn } from '../in-turn.ts';
import { againMs, call, type Keeping, lockOf, show, termsOf } from './keeping.ts';
import { setFindings } from './looking.ts';

const DAY_MS = 86_400_000;

/** Whether the lock goes on until a person has decided. Asked in each round, so that a run from before goes on so as soon as it has replayed its past. */
export function waitsForDecision(keeping: Keeping): boolean {
  if (termsOf(keeping).disposition !== 'ask' || keeping.decision || standingHolds(keeping.holds).length > 0) return false;
  // Remove when the last run from before it has continued as new: at an order, or after some years.
  return patched('retention-end');
}

/** Half of the time ahead: so long the store, or all of Penstock, may be away before a lock runs out. */
export const renewalMs = (keeping: Keeping): number => Date.parse(keeping.retainUntil) - (termsOf(keeping).undecidedDays * DAY_MS) / 2;

export async function stayLocked(keeping: Keeping): Promise<void> {
  keeping.promisedUntil ??= keeping.retainUntil;
  keeping.stage = 'undecided';
  show(keeping);
  try {
    await inTurn(keeping.turns, () => lockOn(keeping));
    const others = keeping.findings.filter(({ kind }) => kind !== 'not-held');
    setFindings(keeping, others, keeping.findingCount - (keeping.findings.length - others.length));
    show(keeping);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    setFindings(keeping, [{ kind: 'not-held', what: `nobody has decided, and the lock could not be extended: ${innerMessageOf(error)}` }], 1);
    show(keeping);
    await condition(() => keeping.isCalled, againMs(keeping), { summary: 'the lock is tried again' });
  }
}

async function lockOn(keeping: Keeping): Promise<void> {
  const { storeTime, request } = keeping;
  const until = effectiveUntil({ promised: keeping.retainUntil, hold: daysAhead([now(), storeTime ?? now()], termsOf(keeping).undecidedDays) });
  const summary = `lock ${request.manifest.files} files until ${until}, for nobody has decided`;
  await call<RetentionActivities>(keeping, summary, 'attest').extendLocks({ ...lockOf(keeping), retainUntil: until });
  // Longer still where an order came meanwhile.
  keeping.retainUntil = effectiveUntil({ promised: keeping.retainUntil, hold: until });
}
