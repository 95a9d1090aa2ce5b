import type { Command } from 'commander';
import { HoldOrderSchema } from '../../../model/retention.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { retentionText } from '../../views/retention.ts';

interface HoldOptions {
  matter?: string;
  reason: string;
  actor: string;
}

export function addHoldCommands(parent: Command, run: Run): void {
  addHoldCommand(parent, run, 'hold', 'placeHold', {
    summary: 'Place a legal hold on the archived output of an allocation',
    details:
      'Nothing of it goes, and its retention is extended again and again, as long as the hold stands. Each matter holds by itself. On record in the audit log. Where the store refuses, the hold stands all the same and is tried again',
    examples: ['penstock retention hold acme/vision/train-001 --matter case-4711 --reason "subpoena of 2026-11-20" --actor ada@legal'],
  });
  addHoldCommand(parent, run, 'release-hold', 'releaseHold', {
    summary: 'Release a legal hold',
    details: 'What was locked stays locked as long as it was extended to: no retention is ever shortened. Other matters go on holding',
    examples: ['penstock retention release-hold acme/vision/train-001 --matter case-4711 --reason "case closed" --actor ada@legal'],
  });
}

function addHoldCommand(
  parent: Command,
  run: Run,
  name: string,
  order: 'placeHold' | 'releaseHold',
  about: { summary: string; details: string; examples: readonly string[] },
): void {
  addCommand(parent, name, about)
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .option('--matter <name>', 'what the hold belongs to, such as a case (default: default)')
    .requiredOption('--reason <text>', 'for those who ask later')
    .requiredOption('--actor <name>', 'who orders it')
    .action((allocation: string, options: HoldOptions, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(allocation);
        const answer = await (await session.penstock()).retentions[order](key, acceptInput(HoldOrderSchema, options));
        return { data: answer, text: retentionText(answer) };
      }),
    );
}
