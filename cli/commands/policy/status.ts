import type { Command } from 'commander';
import { readLastDemotion } from '../../../activities/demotion-record.ts';
import { addCommand, type Run } from '../../command.ts';
import { demotionStatusText } from '../../views/policy.ts';

export function addStatusCommand(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'How the last run of the rules ended, what stayed although it was due, and when the next one begins',
    examples: ['penstock policy status', 'penstock policy status -o json'],
  }).action((_options: unknown, command: Command) =>
    run(command, async (session) => {
      const [schedule, last] = await Promise.all([session.penstock().then(({ demotion }) => demotion.schedule()), session.stores().then(readLastDemotion)]);
      const status = { schedule, ...(last ? { last } : {}) };
      return { data: status, text: demotionStatusText(status) };
    }),
  );
}
