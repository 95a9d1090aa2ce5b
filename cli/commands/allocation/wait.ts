import { type Command, Option } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { parseDuration } from '../../input/duration.ts';
import { statusText } from '../../views/status.ts';
import { type WaitTarget, waitForPhase, waitTargets } from '../../wait-for-phase.ts';

export function addWaitCommand(parent: Command, run: Run): void {
  addCommand(parent, 'wait', {
    summary: 'Wait until an allocation is ready, running or released',
    details: 'Exit code 5 where it took too long, 6 where the allocation failed or was cancelled',
    examples: ['penstock allocation wait acme/vision/train-001 --until ready --timeout 30m'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .addOption(new Option('--until <phase>', 'what to wait for').choices(waitTargets).default('released'))
    .option('--timeout <duration>', 'give up after so long, such as 30m; the allocation goes on', parseDuration)
    .action((name: string, options: { until: WaitTarget; timeout?: number }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const status = await waitForPhase(session, await session.penstock(), key, { until: options.until, timeoutMs: options.timeout });
        return { data: status, text: statusText(status) };
      }),
    );
}
