import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addDropCommand } from './drop.ts';
import { addListCommand } from './list.ts';
import { addPlanCommand } from './plan.ts';
import { addRestoreCommand } from './restore.ts';
import { addWriteCommand } from './write.ts';

/** What runs on the node, beside the job: the bytes go from here to the stores. */
export function addNodeCheckpointCommands(program: Command, run: Run): void {
  const group = addGroup(program, 'checkpoint', 'Write and restore checkpoints on the node that runs the job');
  addWriteCommand(group, run);
  addRestoreCommand(group, run);
  addListCommand(group, run);
  addPlanCommand(group, run);
  addDropCommand(group, run);
}
