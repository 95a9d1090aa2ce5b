import { type Command, Option } from 'commander';
import { TenantSchema } from '../../../model/identifiers.ts';
import { type TransferState, transferStates } from '../../../model/transfer-input.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { parseLimit } from '../../input/limit.ts';
import { renderTable } from '../../output/table.ts';

interface ListOptions {
  tenant?: string;
  state?: TransferState;
  limit: number;
}

export function addTransferList(parent: Command, run: Run): void {
  addCommand(parent, 'list', {
    summary: 'List transfers, newest first',
    details: "From Temporal's visibility store, which may lag by some seconds; status never does",
    examples: ['penstock transfer list --state moving'],
  })
    .option('--tenant <tenant>', 'only those of this tenant')
    .addOption(new Option('--state <state>', 'only those in this state').choices(transferStates))
    .addOption(new Option('--limit <number>', 'at most so many').argParser(parseLimit).default(100))
    .action((options: ListOptions, command: Command) =>
      run(command, async (session) => {
        if (options.tenant !== undefined) acceptInput(TenantSchema, options.tenant, '--tenant');
        const rows = await (await session.penstock()).transfers.list(options);
        return {
          data: rows,
          text:
            rows.length === 0
              ? 'no transfers'
              : renderTable(
                  ['transfer', 'state', 'started', 'closed'],
                  rows.map((row) => [row.transferId, row.state, row.startedAt, row.closedAt ?? '']),
                ),
        };
      }),
    );
}
