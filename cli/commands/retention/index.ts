import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addDisposeCommand } from './dispose.ts';
import { addHoldCommands } from './hold.ts';
import { addReportCommand } from './report.ts';

/** Archived output: what holds it, what was found of it, and what becomes of it. One file a command. */
export function addRetentionCommands(program: Command, run: Run): void {
  const retention = addGroup(program, 'retention', 'Archived output under retention: legal holds, evidence, and what becomes of it at the end');
  addHoldCommands(retention, run);
  addDisposeCommand(retention, run);
  addReportCommand(retention, run);
}
