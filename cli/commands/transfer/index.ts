import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addTransferFailed } from './failed.ts';
import { addTransferList } from './list.ts';
import { addStartCommand } from './start.ts';
import { addSteeringCommands } from './steering.ts';

/** Transfers that an operator asks for, apart from any allocation. */
export function addTransferCommands(program: Command, run: Run): void {
  const transfer = addGroup(program, 'transfer', 'Move data between stores, apart from any allocation');
  addStartCommand(transfer, run);
  addSteeringCommands(transfer, run);
  addTransferFailed(transfer, run);
  addTransferList(transfer, run);
}
