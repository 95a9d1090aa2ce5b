import type { Command } from 'commander';
import { addGroup, type Run } from '../../command.ts';
import { addExportCommand } from './export.ts';
import { addQueryCommand } from './query.ts';
import { addVerifyCommand } from './verify.ts';

/** The audit log: who did what to which data. One file a command. */
export function addAuditCommands(program: Command, run: Run): void {
  const audit = addGroup(program, 'audit', 'The audit log: who did what to which data, when, and proof that it is whole');
  addQueryCommand(audit, run);
  addVerifyCommand(audit, run);
  addExportCommand(audit, run);
}
