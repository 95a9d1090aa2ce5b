import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { TRANSFER_EXPECTED, transferName } from '../../input/transfer-name.ts';
import { failedLine } from '../../views/transfer.ts';
import { writeRows } from '../../write-rows.ts';

export function addTransferFailed(parent: Command, run: Run): void {
  addCommand(parent, 'failed', {
    summary: 'Print everything that a transfer could not move, one a line',
    details:
      'Path, type and reason, with tabs between them. With -o json an object a line. Of a transfer that is moving: so far; read from the store while it is printed',
    examples: ['penstock transfer failed spring-cleaning', 'penstock transfer failed spring-cleaning -o json'],
  })
    .argument('<transfer>', TRANSFER_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const transferId = transferName(name);
        const { manifest, failedCount, state } = await (await session.penstock()).transfers.status(transferId);
        if (failedCount === 0) session.note(`transfer ${transferId} is ${state}; nothing that it listed has failed`);
        if (!manifest) return { data: [], text: '', isWritten: true };
        const { readFailed } = await import('../../../activities/stored-lists.ts');
        return await writeRows(session, readFailed(await session.stores(), manifest), failedLine);
      }),
    );
}
