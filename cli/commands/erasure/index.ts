import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addGiveUpCommand } from './give-up.ts';
import { addRepairCommands } from './repair.ts';
import { addReplicateCommand } from './replicate.ts';
import { addScrubCommands } from './scrub.ts';
import { addSimulateCommand } from './simulate.ts';
import { addStatusCommand } from './status.ts';
import { addWhereCommand } from './where.ts';

/** The erasure set: where objects lie in it, how it fares, and its copies. One file a command. */
export function addErasureCommands(program: Command, run: Run): void {
  const erasure = addGroup(program, 'erasure', 'The erasure set: objects as 14+4 shards on as many racks');
  addStatusCommand(erasure, run);
  addWhereCommand(erasure, run);
  addScrubCommands(erasure, run);
  addRepairCommands(erasure, run);
  addGiveUpCommand(erasure, run);
  addReplicateCommand(erasure, run);
  addSimulateCommand(erasure, run);
}
