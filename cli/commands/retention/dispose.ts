import { type Command, Option } from 'commander';
import { DisposeSchema } from '../../../model/retention.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { retentionText } from '../../views/retention.ts';

export function addDisposeCommand(parent: Command, run: Run): void {
  addCommand(parent, 'dispose', {
    summary: 'Decide what becomes of archived output whose retention is over',
    details:
      'Where the policy retention.disposition is to ask. delete removes every version, record first, and reads back that it is gone; keep leaves it there, no longer locked. It takes effect when the lock that waited for it has run out, and may be another decision until then',
    examples: ['penstock retention dispose acme/vision/train-001 --decision delete --reason "period over, ticket 4711" --actor ada@records'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .addOption(new Option('--decision <decision>', 'what becomes of it').choices(DisposeSchema.shape.decision.options).makeOptionMandatory())
    .requiredOption('--reason <text>', 'for those who ask later')
    .requiredOption('--actor <name>', 'who decides it')
    .action((allocation: string, options: { decision: string; reason: string; actor: string }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(allocation);
        const answer = await (await session.penstock()).retentions.dispose(key, acceptInput(DisposeSchema, options));
        return { data: answer, text: retentionText(answer) };
      }),
    );
}
