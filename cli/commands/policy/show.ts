import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { rulesText } from '../../views/policy.ts';

export function addShowCommand(parent: Command, run: Run): void {
  addCommand(parent, 'show', {
    summary: 'Print the rules in force, in the order in which they are asked',
    details:
      "From the site file's demotion, defaults included: the first rule that fits a file takes it. Workers that started before the file was changed still go by the old one",
    examples: ['penstock policy show', 'penstock policy show -o yaml'],
  }).action((_options: unknown, command: Command) =>
    run(command, async (session) => {
      const { demotion } = await session.site();
      return { data: demotion, text: rulesText(demotion) };
    }),
  );
}
