import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addCheckpointCommands } from './checkpoint.ts';
import { addEndingCommands } from './ending.ts';
import { addListCommand } from './list.ts';
import { addPlanCommand } from './plan.ts';
import { addStartingCommands } from './starting.ts';
import { addStatusCommands } from './status.ts';
import { addSubmitCommand } from './submit.ts';
import { addWaitCommand } from './wait.ts';

/** Everything a scheduler, or a person in its place, says to an allocation; in the order of its life. */
export function addAllocationCommands(program: Command, run: Run): void {
  const allocation = addGroup(program, 'allocation', 'Plan, submit and follow allocations').alias('alloc');
  addPlanCommand(allocation, run);
  addSubmitCommand(allocation, run);
  addStatusCommands(allocation, run);
  addStartingCommands(allocation, run);
  addCheckpointCommands(allocation, run);
  addEndingCommands(allocation, run);
  addListCommand(allocation, run);
  addWaitCommand(allocation, run);
}
