import type { Command } from 'commander';
import { erasureOverview } from '../../../activities/erasure-overview.ts';
import type { ErasureCalls } from '../../../client/erasure.ts';
import { Refusal } from '../../../client/refusal.ts';
import { addCommand, type Run } from '../../command.ts';
import type { Session } from '../../session.ts';
import { overviewText } from '../../views/erasure.ts';

export function addStatusCommand(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'How the erasure set fares: racks, how many more may be lost by number of objects, the last scrub, repairs due',
    details:
      'The margins are what the last complete scrub saw; repairs since then are not in them, and what a scrub under way has seen is shown apart. Asks the racks themselves whether they answer',
    examples: ['penstock erasure status', 'penstock erasure status -o json'],
  }).action((_options: unknown, command: Command) =>
    run(command, async (session) => {
      const [overview, repair, scrub] = await Promise.all([
        session.stores().then(erasureOverview),
        asked(session, 'repairs', ({ repair: of }) => of.status()),
        asked(session, 'scrub', ({ scrub: of }) => of.status()),
      ]);
      const data = { ...overview, ...(repair ? { repair } : {}), ...(scrub ? { scrubUnderWay: scrub } : {}) };
      return { data, text: overviewText(overview, repair ?? undefined, session.io.now(), scrub) };
    }),
  );
}

/** Null where there never was one; undefined where Temporal is away, which keeps nothing else from being shown. */
async function asked<Status>(session: Session, what: string, ask: (erasure: ErasureCalls) => Promise<Status>): Promise<Status | null | undefined> {
  try {
    return await ask((await session.penstock()).erasure);
  } catch (error) {
    if (error instanceof Refusal && error.type === 'NotFound') return null;
    session.note(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
