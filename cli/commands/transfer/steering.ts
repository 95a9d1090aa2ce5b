import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { parseDuration } from '../../input/duration.ts';
import { parseRate, RATE_ABOUT } from '../../input/location.ts';
import { TRANSFER_EXPECTED, transferName } from '../../input/transfer-name.ts';
import { renderFacts } from '../../output/table.ts';
import { rateText, transferText } from '../../views/transfer.ts';
import { answerOf } from './start.ts';

export function addSteeringCommands(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'Show how far a transfer is, at what rate, and what could not be moved',
    details: 'Fresh while data moves. Also of one that is over',
    examples: ['penstock transfer status spring-cleaning'],
  })
    .argument('<transfer>', TRANSFER_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const status = await (await session.penstock()).transfers.status(transferName(name));
        return { data: status, text: transferText(status) };
      }),
    );

  addCommand(parent, 'wait', {
    summary: 'Wait until a transfer is over, with progress on stderr',
    details: 'Exit code 7 where some entries could not be moved, 6 where it failed or was cancelled, 5 where it took too long',
    examples: ['penstock transfer wait spring-cleaning --timeout 2h'],
  })
    .argument('<transfer>', TRANSFER_EXPECTED)
    .option('--timeout <duration>', 'give up after so long, such as 30m; the transfer goes on', parseDuration)
    .action((name: string, options: { timeout?: number }, command: Command) =>
      run(command, async (session) => await answerOf(session, await session.penstock(), transferName(name), options.timeout)),
    );

  addCommand(parent, 'rate', {
    summary: 'Limit a transfer while it runs, or stop it for a while',
    details:
      'Movers follow within seconds. The limit is for the whole transfer, shared evenly by its lanes, so that the last units of an uneven one may be slower. A transfer that is stopped for longer than the policy sweepAfterHours loses what it had begun of single files',
    examples: ['penstock transfer rate spring-cleaning 200MB/s', 'penstock transfer rate spring-cleaning 0', 'penstock transfer rate spring-cleaning none'],
  })
    .argument('<transfer>', TRANSFER_EXPECTED)
    .argument('<rate>', RATE_ABOUT, parseRate)
    .action((name: string, bytesPerSecond: number | null, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const answer = await (await session.penstock()).transfers.setRate(transferName(name), { bytesPerSecond });
        return { data: answer, text: renderFacts([['limit', rateText(answer.bytesPerSecond)]]) };
      }),
    );

  addCommand(parent, 'cancel', {
    summary: 'End a transfer early; answers when nothing moves any more',
    details:
      'What has arrived whole stays; started again under the same name it moves the rest. A file of policies.largeFile and more that had not arrived whole is given back, and moved from its start then',
    examples: ['penstock transfer cancel spring-cleaning'],
  })
    .argument('<transfer>', TRANSFER_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const status = await (await session.penstock()).transfers.cancel(transferName(name));
        return { data: status, text: transferText(status) };
      }),
    );
}
