import { type Command, Option } from 'commander';
import { RestoreTierSchema } from '../../../model/archive.ts';
import { allocationPrefix } from '../../../model/identifiers.ts';
import { type RecallInput, RecallRequestSchema, type RecallResult, recallWorkflowId } from '../../../model/recall.ts';
import { addCommand, type CommandAnswer, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, formatKey, resolveAllocation } from '../../input/allocation-name.ts';
import { parseDuration } from '../../input/duration.ts';
import { LOCATION_ABOUT, parseLocation } from '../../input/location.ts';
import { newName } from '../../input/transfer-name.ts';
import { renderFacts } from '../../output/table.ts';
import type { Session } from '../../session.ts';
import { recallResultText } from '../../views/recall.ts';
import { waitForRecall } from '../../wait-for-transfer.ts';

interface StartOptions {
  path?: string;
  tier: NonNullable<RecallInput['tier']>;
  to?: string;
  id?: string;
  replace?: true;
  wait?: true;
  timeout?: number;
}

export function addRecallStart(parent: Command, run: Run): void {
  addCommand(parent, 'start', {
    summary: 'Bring the output of an allocation, or one path of it, back from the cold tier',
    details:
      'Asks the store to restore only the packs and objects that hold it, waits for hours where it must, reads no more than the files themselves, and verifies them. What is archived stays where it is. A restored copy that expires before it was read is asked for again',
    examples: [
      'penstock recall start acme/vision/train-001 --path results/epoch-9.csv --tier expedited --wait',
      'penstock recall start acme/vision/train-001 --tier bulk --to warm:acme/again/',
    ],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .option('--path <path>', 'a file or a directory of the output; all of it where absent')
    .addOption(
      new Option('--tier <tier>', 'how fast, at what price: minutes, hours, half a day or more').choices(RestoreTierSchema.options).default('standard'),
    )
    .option('--to <location>', `${LOCATION_ABOUT}; where it lay in the warm tier where absent`)
    .option('--id <name>', 'names the recall; made up where absent')
    .option('--replace', 'replace what lies at the target with other content; else such a file is not recalled, and told as a Conflict')
    .option('--wait', 'wait until it is over, with progress on stderr, and answer its result')
    .option('--timeout <duration>', 'give up waiting after so long, such as 12h; the recall goes on', parseDuration)
    .action((allocation: string, options: StartOptions, command: Command) => run(command, (session) => start(session, allocation, options)));
}

async function start(session: Session, allocation: string, options: StartOptions): Promise<CommandAnswer> {
  const key = await resolveAllocation(allocation);
  const { path, tier, replace = false } = options;
  const target =
    options.to === undefined ? { store: 'warm', bucket: key.tenant, prefix: allocationPrefix(key) } : parseLocation(options.to, await session.site());
  const recallId = options.id ?? newName('r', session.io.now());
  const request = acceptInput(RecallRequestSchema, { ...key, recallId, tier, target, replace, ...(path === undefined ? {} : { path }) });
  const penstock = await session.penstock();
  const submission = await penstock.recalls.start(request);
  const done = submission.attached ? 'attached to' : 'started';
  if (!options.wait) {
    const facts = [
      [done, submission.workflowId],
      ['run', submission.runId],
      ['follow it', `penstock recall status ${formatKey(key)}/${recallId}`],
    ] as const;
    return { data: { recallId, ...submission }, text: renderFacts(facts) };
  }
  session.note(`${done} ${recallWorkflowId(request)}`);
  return answerOf(await waitForRecall(session, penstock, request, options.timeout), { recallId });
}

/** @param name for who has just started it, and may not have named it */
export const answerOf = (result: RecallResult, name: { readonly recallId?: string } = {}): CommandAnswer => ({
  data: { ...name, ...result },
  text: recallResultText(result),
  exit: result.state === 'partial' ? 'partial' : 'ok',
});
