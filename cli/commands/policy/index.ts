import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addPlanCommand } from './plan.ts';
import { addRunCommand } from './run.ts';
import { addShowCommand } from './show.ts';
import { addStatusCommand } from './status.ts';

/** Rules by which data goes to colder tiers. One file a command. */
export function addPolicyCommands(program: Command, run: Run): void {
  const policy = addGroup(program, 'policy', 'Rules by which data goes to colder tiers by itself');
  addShowCommand(policy, run);
  addPlanCommand(policy, run);
  addRunCommand(policy, run);
  addStatusCommand(policy, run);
}
