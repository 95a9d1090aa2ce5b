import { type Command, Option } from 'commander';
import type { Penstock } from '../../../client/penstock.ts';
import { type AdHocTransfer, MAX_LANES, TransferRequestSchema } from '../../../model/transfer-input.ts';
import { CliError } from '../../cli-error.ts';
import { addCommand, type CommandAnswer, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { parseDuration } from '../../input/duration.ts';
import { LOCATION_ABOUT, parseLocation, parseRate, RATE_ABOUT } from '../../input/location.ts';
import { wholeNumber } from '../../input/number.ts';
import { repeated } from '../../input/repeated.ts';
import { newName } from '../../input/transfer-name.ts';
import { renderFacts } from '../../output/table.ts';
import type { Session } from '../../session.ts';
import { planText, resultText } from '../../views/transfer.ts';
import { waitForTransfer } from '../../wait-for-transfer.ts';

interface StartOptions {
  id?: string;
  exclude: string[];
  replace?: true;
  attributes: boolean;
  symlinks: AdHocTransfer['symlinks'];
  rate?: number | null;
  lanes: number;
  tenant?: string;
  allowEmpty?: true;
  dryRun?: true;
  wait?: true;
  timeout?: number;
}

export function addStartCommand(parent: Command, run: Run): void {
  addCommand(parent, 'start', {
    summary: 'Move everything below one place to another, verified, and resumed from what is there already',
    details:
      'Nothing is removed at either end. Entries that cannot be moved do not hold up the others: the transfer is then partial, and --wait exits with 7. Started again under the same --id it attaches while it runs, and goes on from what has arrived after a cancel or a failure; once it is complete or partial, nothing is moved under that --id any more, exit code 9. What is to be moved every night needs another --id each time, or none',
    examples: [
      'penstock transfer start warm:team-a/data/ cold:team-a/data/ --id spring-cleaning --wait',
      'penstock transfer start old-nas:projects/2019/ warm:team-a/2019/ --exclude tmp/ --rate 200MB/s',
      'penstock transfer start warm:team-a/data/ cold:team-a/data/ --dry-run',
    ],
  })
    .argument('<source>', LOCATION_ABOUT)
    .argument('<target>', 'the same; what lies there besides stays')
    .option('--id <name>', 'names the transfer; made up where absent')
    .addOption(
      new Option('--exclude <prefix>', 'leave out what begins with this below the source; may be given again').argParser(repeated).default([], 'nothing'),
    )
    .option('--replace', 'replace what lies at the target with other content; else such an entry is not moved, and told as a Conflict')
    .option('--no-attributes', 'leave permission bits, extended attributes and objects’ metadata behind')
    .addOption(
      new Option(
        '--symlinks <policy>',
        'symbolic links of a directory tree: keep moves them as links, follow moves what they lead to inside the source, skip leaves them out, refuse tells each as not moved',
      )
        .choices(TransferRequestSchema.shape.symlinks.unwrap().options)
        .default('keep'),
    )
    .option('--rate <rate>', `limit of the whole transfer: ${RATE_ABOUT}`, parseRate)
    .addOption(new Option('--lanes <number>', `units of work at once, up to ${MAX_LANES}`).argParser(wholeNumber(1, MAX_LANES)).default(4))
    .option('--tenant <tenant>', 'whose work it is: a search attribute, and a share of the workers')
    .option('--allow-empty', 'a source prefix without objects is moved as what it is, nothing; else it is taken for a mistyped one, NotFound')
    .option('--dry-run', 'list the source and plan as the transfer would, and move nothing')
    .option('--wait', 'wait until it is over, with progress on stderr, and answer its result')
    .option('--timeout <duration>', 'give up waiting after so long, such as 30m; the transfer goes on', parseDuration)
    .action((source: string, target: string, options: StartOptions, command: Command) => run(command, (session) => start(session, source, target, options)));
}

async function start(session: Session, source: string, target: string, options: StartOptions): Promise<CommandAnswer> {
  const site = await session.site();
  const { exclude, attributes, symlinks, lanes, tenant, allowEmpty, rate } = options;
  const request = acceptInput(TransferRequestSchema, {
    transferId: options.id ?? newName('t', session.io.now()),
    source: parseLocation(source, site),
    target: parseLocation(target, site),
    exclude,
    replace: options.replace ?? false,
    attributes,
    symlinks,
    lanes,
    ...(tenant === undefined ? {} : { tenant }),
    ...(allowEmpty ? { allowEmpty } : {}),
    ...(rate === undefined || rate === null ? {} : { bytesPerSecond: rate }),
  });
  const { transferId } = request;
  const penstock = await session.penstock();
  if (options.dryRun) {
    const plan = await penstock.transfers.plan(request);
    return { data: plan, text: planText(request, plan) };
  }
  const submission = await penstock.transfers.start(request);
  if (submission.endedAt !== undefined) throw await alreadyOver(penstock, transferId, submission.endedAt);
  const done = submission.attached ? 'attached to' : 'started';
  if (!options.wait) {
    const facts = [
      [done, submission.workflowId],
      ['run', submission.runId],
      ['follow it', `penstock transfer wait ${transferId}`],
    ] as const;
    return { data: { transferId, ...submission }, text: renderFacts(facts) };
  }
  session.note(`${done} ${submission.workflowId}`);
  return await answerOf(session, penstock, transferId, options.timeout);
}

export async function answerOf(session: Session, penstock: Penstock, transferId: string, timeoutMs: number | undefined): Promise<CommandAnswer> {
  const result = await waitForTransfer(session, penstock, transferId, timeoutMs);
  return { data: { transferId, ...result }, text: resultText(transferId, result), exit: result.state === 'partial' ? 'partial' : 'ok' };
}

/** An answer like that of a fresh one would say every night that all is well. */
async function alreadyOver(penstock: Penstock, transferId: string, endedAt: string): Promise<CliError> {
  const { state } = await penstock.transfers.wait(transferId);
  return new CliError(
    'alreadyOver',
    `transfer ${transferId} ended at ${endedAt} as ${state}; nothing was moved now. Start it under another --id, or leave --id out. How it ended: \`penstock transfer status ${transferId}\`.`,
    { type: 'AlreadyOver' },
  );
}
