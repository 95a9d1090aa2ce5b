import type { Command } from 'commander';
import { DEMOTION_SCHEDULE_ID } from '../../../model/demotion-run.ts';
import { addCommand, type Run } from '../../command.ts';
import { renderFacts } from '../../output/table.ts';

export function addRunCommand(parent: Command, run: Run): void {
  addCommand(parent, 'run', {
    summary: 'Apply the rules now, without waiting for the schedule',
    details: 'There is one run at a time: where one is under way, no other begins. Look at `penstock policy plan` first',
    examples: ['penstock policy run'],
  }).action((_options: unknown, command: Command) =>
    run(command, async (session) => {
      await (await session.penstock()).demotion.run();
      const facts = [['triggered', DEMOTION_SCHEDULE_ID] as const, ['follow it', 'penstock policy status'] as const];
      return { data: { triggered: DEMOTION_SCHEDULE_ID }, text: renderFacts(facts) };
    }),
  );
}
