import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { parseDuration } from '../../input/duration.ts';
import { RECALL_EXPECTED, recallKey } from '../../input/recall-name.ts';
import { recallStatusText } from '../../views/recall.ts';
import { waitForRecall } from '../../wait-for-transfer.ts';
import { answerOf } from './start.ts';

export function addRecallSteering(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'Show what a recall waits for, since when, and when it is expected',
    details: 'The expected time is the longer end of what the store calls typical for the tier. Also of one that is over',
    examples: ['penstock recall status acme/vision/train-001/r-20260304t050607z-1f0c'],
  })
    .argument('<recall>', RECALL_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const status = await (await session.penstock()).recalls.status(recallKey(name));
        return { data: status, text: recallStatusText(status) };
      }),
    );

  addCommand(parent, 'wait', {
    summary: 'Wait until a recall is over, with progress on stderr',
    details: 'Exit code 7 where some files could not be recalled, 6 where it failed or was cancelled, 5 where it took too long',
    examples: ['penstock recall wait acme/vision/train-001/audit-2026 --timeout 12h'],
  })
    .argument('<recall>', RECALL_EXPECTED)
    .option('--timeout <duration>', 'give up after so long, such as 12h; the recall goes on', parseDuration)
    .action((name: string, options: { timeout?: number }, command: Command) =>
      run(command, async (session) => answerOf(await waitForRecall(session, await session.penstock(), recallKey(name), options.timeout))),
    );

  addCommand(parent, 'cancel', {
    summary: 'End a recall early',
    details: 'What has arrived stays. A store finishes the restores that were asked for, and charges for them',
    examples: ['penstock recall cancel acme/vision/train-001/audit-2026'],
  })
    .argument('<recall>', RECALL_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const status = await (await session.penstock()).recalls.cancel(recallKey(name));
        return { data: status, text: recallStatusText(status) };
      }),
    );
}
