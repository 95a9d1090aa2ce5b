import { type Command, Option } from 'commander';
import { IdentifierSchema, TenantSchema } from '../../../model/identifiers.ts';
import { type Phase, phases } from '../../../model/phase.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { formatKey } from '../../input/allocation-name.ts';
import { parseLimit } from '../../input/limit.ts';
import { renderTable } from '../../output/table.ts';

interface ListOptions {
  tenant?: string;
  project?: string;
  phase?: Phase;
  limit: number;
}

export function addListCommand(parent: Command, run: Run): void {
  addCommand(parent, 'list', {
    summary: 'List allocations, newest first',
    details: "From Temporal's visibility store, which may lag by some seconds; status never does",
    examples: ['penstock allocation list --tenant acme --phase running'],
  })
    .option('--tenant <tenant>', 'only those of this tenant')
    .option('--project <project>', 'only those of this project')
    .addOption(new Option('--phase <phase>', 'only those in this phase').choices(phases))
    .addOption(new Option('--limit <number>', 'at most so many').argParser(parseLimit).default(100))
    .action((options: ListOptions, command: Command) =>
      run(command, async (session) => {
        if (options.tenant !== undefined) acceptInput(TenantSchema, options.tenant, '--tenant');
        if (options.project !== undefined) acceptInput(IdentifierSchema, options.project, '--project');
        const rows = await (await session.penstock()).list(options);
        return {
          data: rows,
          text:
            rows.length === 0
              ? 'no allocations'
              : renderTable(
                  ['allocation', 'phase', 'started', 'closed'],
                  rows.map((row) => [formatKey(row), row.phase, row.startedAt, row.closedAt ?? '']),
                ),
        };
      }),
    );
}
