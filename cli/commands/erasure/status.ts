import type { Command } from 'commander';
import { erasureOverview } from '../../../activities/erasure-overview.ts';
import type { Penstock } from '../../../client/penstock.ts';
import { Refusal } from '../../../client/refusal.ts';
import { messageOf } from '../../../model/errors.ts';
import { addCommand, type Run } from '../../command.ts';
import type { Session } from '../../session.ts';
import { overviewText } from '../../views/erasure.ts';
import { replicasText } from '../../views/replication.ts';

export function addStatusCommand(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'How the erasure set fares: racks, how many more may be lost by number of objects, the last scrub, repairs due, copies at other sites',
    details:
      'The margins are what the last complete scrub saw; repairs since then are not in them, and what a scrub under way has seen is shown apart. Asks the racks themselves whether they answer, those of other sites too',
    examples: ['penstock erasure status', 'penstock erasure status -o json'],
  }).action((_options: unknown, command: Command) =>
    run(command, async (session) => {
      const hasReplicas = Object.keys((await session.site()).erasureSet.replicas).length > 0;
      const [overview, repair, scrub, copies] = await Promise.all([
        session.stores().then(erasureOverview),
        asked(session, 'repairs', ({ erasure }) => erasure.repair.status()),
        asked(session, 'scrub', ({ erasure }) => erasure.scrub.status()),
        hasReplicas ? asked(session, 'copies', ({ replications }) => replications.recent(COPIES_SHOWN)) : undefined,
      ]);
      const data = { ...overview, ...(repair ? { repair } : {}), ...(scrub ? { scrubUnderWay: scrub } : {}), ...(copies ? { copies } : {}) };
      const blocks = [overviewText(overview, repair ?? undefined, session.io.now(), scrub), ...replicasText(overview.replicas ?? [], copies ?? undefined)];
      return { data, text: blocks.join('\n\n') };
    }),
  );
}

const COPIES_SHOWN = 5;

/** Null where there never was one; undefined where Temporal is away, which keeps nothing else from being shown. */
async function asked<Status>(session: Session, what: string, ask: (penstock: Penstock) => Promise<Status>): Promise<Status | null | undefined> {
  try {
    return await ask(await session.penstock());
  } catch (error) {
    if (error instanceof Refusal && error.type === 'NotFound') return null;
    session.note(`${what}: ${messageOf(error)}`);
    return undefined;
  }
}
