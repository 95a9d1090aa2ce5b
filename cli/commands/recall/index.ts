import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addRecallStart } from './start.ts';
import { addRecallSteering } from './steering.ts';

/** Archived output, brought back. */
export function addRecallCommands(program: Command, run: Run): void {
  const recall = addGroup(program, 'recall', 'Bring archived output back from the cold tier');
  addRecallStart(recall, run);
  addRecallSteering(recall, run);
}
