/** When a retention is over and nothing holds it: it stays, it goes, or a person is asked. */
import { ActivityFailure, condition, isCancellation, patched } from '@temporalio/workflow';
import type { DisposalActivities } from '../../activities/disposal.ts';
import type { Attestation } from '../../model/retention.ts';
import { innerMessageOf } from '../failures.ts';
import { inTurn } from '../in-turn.ts';
import { againMs, call, type Keeping, lockOf, show, termsOf } from './keeping.ts';
import { attest, setFindings } from './looking.ts';

export async function letGo(keeping: Keeping): Promise<void> {
  const wanted = keeping.decision?.decision ?? termsOf(keeping).disposition;
  switch (wanted) {
    case 'ask':
      return await waitForDecision(keeping);
    case 'keep':
      return await leave(keeping);
    case 'delete':
      return await remove(keeping);
    default:
      wanted satisfies never;
  }
}

/** Only of runs whose past has no `retention-end`: the others stay locked meanwhile (undecided.ts). */
async function waitForDecision(keeping: Keeping): Promise<void> {
  keeping.stage = 'undecided';
  show(keeping);
  await condition(() => keeping.isCalled);
}

/** A last look says what it is that stays. */
async function leave(keeping: Keeping): Promise<void> {
  const attestation = await inTurn(keeping.turns, async () => {
    const found = await attest(keeping, { isLocked: false });
    setFindings(keeping, found.findings, found.findingCount);
    return found;
  });
  const isEarly = isBeforeEnd(attestation, keeping) && patched('retention-end');
  // An order that came meanwhile is heard first.
  if (!isEarly && !keeping.isCalled) keeping.stage = 'free';
  show(keeping);
  if (isEarly) await condition(() => keeping.isCalled, againMs(keeping), { summary: 'the end, by the clock of the store' });
}

/** A clock of ours that was set ahead must not end the watch over what its store still holds. */
const isBeforeEnd = ({ findings, storeTime }: Attestation, { retainUntil }: Keeping): boolean =>
  findings.some(({ kind }) => kind === 'clock-off') && storeTime !== undefined && Date.parse(storeTime) < Date.parse(retainUntil);

async function remove(keeping: Keeping): Promise<void> {
  keeping.stage = 'deleting';
  show(keeping);
  const { actor: user = 'penstock', reason = 'the policy of the site' } = keeping.decision ?? {};
  try {
    await inTurn(keeping.turns, async () => {
      const summary = `delete every version of ${keeping.request.manifest.files} files, whose retention is over`;
      await call<DisposalActivities>(keeping, summary, 'attest').deleteRetained({ ...lockOf(keeping), user, reason });
    });
    setFindings(keeping, [], 0);
    keeping.stage = 'deleted';
    show(keeping);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    setFindings(keeping, [{ kind: 'not-deleted', what: innerMessageOf(error) }], 1);
    show(keeping);
    await condition(() => keeping.isCalled, againMs(keeping), { summary: 'deletion is tried again' });
  }
}
