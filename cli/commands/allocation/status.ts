import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { readinessText, statusText } from '../../views/status.ts';

export function addStatusCommands(parent: Command, run: Run): void {
  addCommand(parent, 'status', {
    summary: 'Show where an allocation is in its life, what it waits for and what it has done',
    examples: ['penstock allocation status acme/vision/train-001', 'penstock allocation status examples/allocation.yaml -o json'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const status = await (await session.penstock()).status(key);
        return { data: status, text: statusText(status) };
      }),
    );

  addCommand(parent, 'readiness', {
    summary: 'Show how much of the data is hot, and when the rest will be',
    details: 'Fresh while data moves; a job may start from the policy readyThreshold on',
    examples: ['penstock allocation readiness acme/vision/train-001'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const readiness = await (await session.penstock()).readiness(key);
        return { data: readiness, text: readinessText(readiness) };
      }),
    );
}
