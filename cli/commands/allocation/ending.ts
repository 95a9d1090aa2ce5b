import { type Command, InvalidArgumentError, Option } from 'commander';
import { CancelSchema, ExtendRetentionSchema, FinishSchema } from '../../../model/allocation.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { renderFacts } from '../../output/table.ts';

export function addEndingCommands(parent: Command, run: Run): void {
  addCommand(parent, 'finish', {
    summary: 'Say that the job has ended; answers when its nodes may be given to another job',
    details: 'Draining, publishing and archiving go on without the nodes',
    examples: ['penstock allocation finish acme/vision/train-001 --outcome succeeded'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .addOption(
      new Option('--outcome <outcome>', 'how the job ended; only the output of one that succeeded is archived')
        .choices(FinishSchema.shape.outcome.options)
        .makeOptionMandatory(),
    )
    .option('--exit-code <number>', "the job's exit code, for the record", parseInteger)
    .action((name: string, options: { outcome: string; exitCode?: number }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const answer = await (await session.penstock()).finish(key, acceptInput(FinishSchema, options));
        return {
          data: answer,
          text: renderFacts([
            ['nodes released', answer.nodesReleasedAt],
            ['to be cleaned', answer.uncleanNodes.length === 0 ? 'none' : answer.uncleanNodes.join(', ')],
          ]),
        };
      }),
    );

  addCommand(parent, 'cancel', {
    summary: 'End an allocation early; answers what is kept and what is dropped',
    details: 'drain keeps and finishes moving what exists; abandon drops what is not yet safe',
    examples: ['penstock allocation cancel acme/vision/train-001 --mode drain --reason "wrong data set"'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .addOption(new Option('--mode <mode>', 'what happens to data that is not yet safe').choices(CancelSchema.shape.mode.options).makeOptionMandatory())
    .requiredOption('--reason <text>', 'for those who ask later')
    .action((name: string, options: { mode: string; reason: string }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const answer = await (await session.penstock()).cancel(key, acceptInput(CancelSchema, options));
        return {
          data: answer,
          text: renderFacts([
            ['mode', answer.mode],
            ['keeps', answer.keeps.join('; ') || 'nothing, for there is nothing yet'],
            ['drops', answer.drops.join('; ') || 'nothing'],
          ]),
        };
      }),
    );

  addCommand(parent, 'extend-retention', {
    summary: 'Lock the archived output for longer than asked for at first; never for shorter',
    examples: ['penstock allocation extend-retention acme/vision/train-001 --until 2036-12-31T00:00:00Z'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .requiredOption('--until <instant>', 'such as 2036-12-31T00:00:00Z')
    .action((name: string, options: { until: string }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const answer = await (await session.penstock()).extendRetention(key, acceptInput(ExtendRetentionSchema, { retainUntil: options.until }));
        return { data: answer, text: renderFacts([['locked until', answer.retainUntil]]) };
      }),
    );
}

function parseInteger(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError('accepted: a whole number');
  return Number(text);
}
