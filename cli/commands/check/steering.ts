import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { CHECK_EXPECTED, checkName } from '../../input/check-name.ts';
import { parseDuration } from '../../input/duration.ts';
import { checkStatusText } from '../../views/check.ts';
import { answerOf } from './start.ts';

export function addCheckSteering(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'Show how far a check is, and what it has found',
    details: 'Fresh while it compares. Also of one that is over',
    examples: ['penstock check status c-20261121t080000-1f2e'],
  })
    .argument('<check>', CHECK_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const status = await (await session.penstock()).checks.status(checkName(name));
        return { data: status, text: checkStatusText(status) };
      }),
    );

  addCommand(parent, 'wait', {
    summary: 'Wait until a check is over, with progress on stderr',
    details: 'Exit codes as of `penstock check`',
    examples: ['penstock check wait c-20261121t080000-1f2e --timeout 2h'],
  })
    .argument('<check>', CHECK_EXPECTED)
    .option('--timeout <duration>', 'give up after so long, such as 30m; the check goes on', parseDuration)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        // `penstock check` has an option of that name itself, and takes it first.
        const { timeout } = command.optsWithGlobals<{ timeout?: number }>();
        return await answerOf(session, await session.penstock(), checkName(name), timeout);
      }),
    );

  addCommand(parent, 'cancel', {
    summary: 'End a check early; answers when nothing is read any more',
    details: 'Exit code 9 where it was over already',
    examples: ['penstock check cancel c-20261121t080000-1f2e'],
  })
    .argument('<check>', CHECK_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const status = await (await session.penstock()).checks.cancel(checkName(name));
        return { data: status, text: checkStatusText(status) };
      }),
    );
}
