import type { Command } from 'commander';
import { erasureOverview } from '../../../activities/erasure-overview.ts';
import { Refusal } from '../../../client/refusal.ts';
import type { RepairStatus } from '../../../model/repair.ts';
import { addCommand, type Run } from '../../command.ts';
import type { Session } from '../../session.ts';
import { overviewText } from '../../views/erasure.ts';

export function addStatusCommand(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'How the erasure set fares: racks, how many more may be lost by number of objects, the last scrub, repairs due',
    details: 'The margins are what the last scrub saw; repairs since then are not in them. Asks the racks themselves whether they answer',
    examples: ['penstock erasure status', 'penstock erasure status -o json'],
  }).action((_options: unknown, command: Command) =>
    run(command, async (session) => {
      const [overview, repair] = await Promise.all([session.stores().then(erasureOverview), repairUnderWay(session)]);
      return { data: { ...overview, ...(repair ? { repair } : {}) }, text: overviewText(overview, repair, session.io.now()) };
    }),
  );
}

/** A site where nothing was ever repaired has none; nor is it missed where Temporal is away. */
async function repairUnderWay(session: Session): Promise<RepairStatus | undefined> {
  try {
    return await (await session.penstock()).erasure.repair.status();
  } catch (error) {
    if (!(error instanceof Refusal && error.type === 'NotFound')) session.note(`repairs: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
