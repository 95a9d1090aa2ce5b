import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { CHECK_EXPECTED, checkName } from '../../input/check-name.ts';
import { differenceText } from '../../views/check.ts';
import { writeRows } from '../../write-rows.ts';

export function addCheckReport(parent: Command, run: Run): void {
  addCommand(parent, 'report', {
    summary: 'Print everything that a check found different, one a line',
    details:
      'The mark, the path and, behind a tab, what is wrong. With -o json an object a line. Nothing where all is the same; read from the store while it is printed',
    examples: ['penstock check report c-20261121t080000-1f2e', 'penstock check report c-20261121t080000-1f2e -o json'],
  })
    .argument('<check>', CHECK_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const checkId = checkName(name);
        const { report, state } = await (await session.penstock()).checks.status(checkId);
        if (!report) {
          session.note(
            state === 'complete' ? `check ${checkId} found no differences` : `check ${checkId} is ${state}; the list is written when it is complete`,
          );
          return { data: [], text: '', isWritten: true, exit: state === 'complete' ? 'ok' : 'refused' };
        }
        const { readDifferences } = await import('../../../activities/stored-lists.ts');
        return await writeRows(session, readDifferences(await session.stores(), report), differenceText);
      }),
    );
}
