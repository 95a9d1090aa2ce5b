/** The command tree. Help, docs/cli.md and the shell see what is declared here, and nothing else. */
import { Command, Option } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import type { Run } from './command.ts';
import { addAllocationCommands } from './commands/allocation/index.ts';
import { addAuditCommands } from './commands/audit/index.ts';
import { addBrokerCommands } from './commands/broker.ts';
import { addCheckCommands } from './commands/check/index.ts';
import { addNodeCheckpointCommands } from './commands/checkpoint/index.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addErasureCommands } from './commands/erasure/index.ts';
import { addLimitCommands } from './commands/limit.ts';
import { addLogsCommand } from './commands/logs.ts';
import { addPolicyCommands } from './commands/policy/index.ts';
import { addRecallCommands } from './commands/recall/index.ts';
import { addRetentionCommands } from './commands/retention/index.ts';
import { addSiteCommands } from './commands/site.ts';
import { addTransferCommands } from './commands/transfer/index.ts';
import { exitCodeLines } from './exit-codes.ts';
import { outputFormats } from './output/render.ts';
import { LOCAL_SITE_FILE } from './session.ts';

export interface ProgramOutput {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

export function buildProgram(run: Run, output: ProgramOutput): Command {
  const program = new Command('penstock')
    .description('A durable data mover for HPC and AI clusters: stages data before a job starts, keeps its checkpoints and logs, archives what remains.')
    .addOption(new Option('-o, --output <format>', 'format of the answer').choices(outputFormats).default('table'))
    .option('--site <file>', `the site file (default: $PENSTOCK_SITE, else ${LOCAL_SITE_FILE} of a site started here)`)
    .option('--no-color', 'plain text; so does NO_COLOR')
    .option('-v, --verbose', 'with an error, show where in the code it came from')
    .version(manifest.version, '-V, --version', 'which Penstock this is')
    .helpCommand(false)
    .configureHelp({ helpWidth: 110, showGlobalOptions: true })
    .configureOutput({ writeOut: output.stdout, writeErr: output.stderr })
    .showHelpAfterError('(--help shows what is accepted)')
    .exitOverride()
    .addHelpText(
      'after',
      `\nThe answer goes to stdout; progress and messages go to stderr.\n\nExit codes:\n${exitCodeLines()
        .map((line) => `  ${line}`)
        .join('\n')}`,
    );
  addAllocationCommands(program, run);
  addLogsCommand(program, run);
  addNodeCheckpointCommands(program, run);
  addTransferCommands(program, run);
  addCheckCommands(program, run);
  addRecallCommands(program, run);
  addLimitCommands(program, run);
  addBrokerCommands(program, run);
  addErasureCommands(program, run);
  addRetentionCommands(program, run);
  addAuditCommands(program, run);
  addPolicyCommands(program, run);
  addSiteCommands(program, run);
  addDoctorCommand(program, run);
  return program;
}
