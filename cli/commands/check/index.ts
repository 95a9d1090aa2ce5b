import type { Command } from 'commander';
import type { Run } from '../../command.ts';
import { addCheckReport } from './report.ts';
import { addCheckStart } from './start.ts';
import { addCheckSteering } from './steering.ts';

export function addCheckCommands(program: Command, run: Run): void {
  const check = addCheckStart(program, run);
  addCheckSteering(check, run);
  addCheckReport(check, run);
}
