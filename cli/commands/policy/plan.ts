import { type Command, Option } from 'commander';
import { type UpperTier, upperTiers } from '../../../model/demotion-rules.ts';
import { addCommand, type Run } from '../../command.ts';
import { wholeNumber } from '../../input/number.ts';
import { planDemotion } from '../../plan/demotion.ts';
import { demotionPlanText } from '../../views/policy.ts';

interface PlanOptions {
  tier?: UpperTier;
  prefix?: string;
  tenant?: string;
  all?: true;
  limit: number;
}

const MOST_FILES = 1_000_000;

export function addPlanCommand(parent: Command, run: Run): void {
  addCommand(parent, 'plan', {
    summary: 'Show what the rules would move now, and why; moves nothing',
    details:
      'Asks the stores what a run would ask. The age counts from the last use that is known: on the hot tier a read (as exact as its mount keeps times of access) or a change, on the warm tier the arrival there, on both the last allocation that mounted it; `by` says which. A store may refuse later what is listed here: it is named then in `penstock policy status`',
    examples: ['penstock policy plan', 'penstock policy plan --tier hot --prefix training-data/imagenet --all', 'penstock policy plan --tenant acme -o json'],
  })
    .addOption(new Option('--tier <tier>', 'only what lies there now').choices(upperTiers))
    .option('--prefix <place>', 'only what lies below it: BUCKET or BUCKET/PREFIX', (text) => text.replace(/\/$/, ''))
    .option('--tenant <name>', "only this tenant's bucket")
    .option('--all', 'list what stays too, and why')
    .option('--limit <number>', 'list so many files; all are counted', wholeNumber(0, MOST_FILES), 1000)
    .action(({ all, ...rest }: PlanOptions, command: Command) =>
      run(command, async (session) => {
        const allocations = await (await session.penstock()).demotion.allocationsUnderWay();
        const plan = await planDemotion(await session.stores(), { ...rest, all: all ?? false, now: session.io.now(), allocations });
        return { data: plan, text: demotionPlanText(plan) };
      }),
    );
}
