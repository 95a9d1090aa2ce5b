/** When a retention is over and nothing holds it: it stays, it goes, or a person is asked. */
import { ActivityFailure, condition, isCancellation } from '@temporalio/workflow';
import type { DisposalActivities } from '../../activities/disposal.ts';
import { innerMessageOf } from '../failures.ts';
import { inTurn } from '../in-turn.ts';
import { call, type Keeping, lockOf, show, termsOf } from './keeping.ts';
import { attest, setFindings } from './looking.ts';

/** A store that still refuses, or does not answer, is asked again so soon: by its own clock it may not be over yet. */
const AGAIN_DAYS = 1;
const DAY_MS = 86_400_000;

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

async function waitForDecision(keeping: Keeping): Promise<void> {
  keeping.stage = 'undecided';
  show(keeping);
  await condition(() => keeping.isCalled);
}

/** A last look says what it is that stays. */
async function leave(keeping: Keeping): Promise<void> {
  await inTurn(keeping.turns, async () => {
    const { findings, findingCount } = await attest(keeping, { isLocked: false });
    setFindings(keeping, findings, findingCount);
  });
  // An order that came meanwhile is heard first.
  if (!keeping.isCalled) keeping.stage = 'free';
  show(keeping);
}

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
    await condition(() => keeping.isCalled, Math.min(AGAIN_DAYS, keeping.request.attestDays) * DAY_MS, { summary: 'deletion is tried again' });
  }
}
