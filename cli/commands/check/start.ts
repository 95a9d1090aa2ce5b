import { type Command, Option } from 'commander';
import type { Penstock } from '../../../client/penstock.ts';
import { CheckRequestSchema, differences } from '../../../model/check.ts';
import type { Location } from '../../../model/location.ts';
import { MAX_LANES } from '../../../model/transfer-input.ts';
import { CliError } from '../../cli-error.ts';
import { addCommand, type CommandAnswer, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { parseDuration } from '../../input/duration.ts';
import { LOCATION_ABOUT, parseLocation, reparseLocation } from '../../input/location.ts';
import { wholeNumber } from '../../input/number.ts';
import { newName, TRANSFER_EXPECTED, transferName } from '../../input/transfer-name.ts';
import type { Session } from '../../session.ts';
import { checkText } from '../../views/check.ts';
import { waitForCheck } from '../../wait-for-transfer.ts';

interface CheckOptions {
  manifest?: string;
  target?: string;
  read: 'where-needed' | 'always';
  extra?: true;
  lanes: number;
  id?: string;
  timeout?: number;
}

/** The command itself; others that steer a check are below it. */
export function addCheckStart(program: Command, run: Run): Command {
  return addCommand(program, 'check', {
    summary: 'Hold a target to what was moved there: entries that are missing, different, unreadable or extra',
    details:
      'Marked as rclone check --combined marks them: = the same, + missing at the target, - extra at the target, * different, ! unreadable. All are counted, the first ones shown, and `penstock check report` prints the full list. Exit code 8 where there are differences; 7 where there are none, but some entries of the transfer were not moved, and so not checked. Moves and mends nothing. A transfer whose name is that of a command below `check` is named transfer/NAME',
    examples: [
      'penstock check spring-cleaning',
      'penstock check spring-cleaning --read always --extra',
      'penstock check --manifest warm:penstock-system/manifests/transfers/spring-cleaning/RUN/moved/ --target cold:team-a/data/',
    ],
  })
    .argument('[transfer]', TRANSFER_EXPECTED)
    .option('--manifest <place>', 'in place of a transfer: where a manifest lies, as `transfer status` names it')
    .option('--target <place>', `what is checked, where it is not the transfer's own target: ${LOCATION_ABOUT}`)
    .addOption(
      new Option('--read <policy>', 'where-needed believes checksums that the store has on record; always reads every byte, and so finds what rotted')
        .choices(['where-needed', 'always'])
        .default('where-needed'),
    )
    .option('--extra', 'also find what lies at the target and was not moved there')
    .addOption(new Option('--lanes <number>', `parts at once, up to ${MAX_LANES}`).argParser(wholeNumber(1, MAX_LANES)).default(4))
    .option('--id <name>', 'names the check; made up where absent')
    .option('--timeout <duration>', 'give up waiting after so long, such as 30m; the check goes on', parseDuration)
    .action((transfer: string | undefined, options: CheckOptions, command: Command) => run(command, (session) => check(session, transfer, options)));
}

async function check(session: Session, transfer: string | undefined, options: CheckOptions): Promise<CommandAnswer> {
  if ((transfer === undefined) === (options.manifest === undefined)) {
    throw new CliError('usage', 'accepted: either the name of a transfer, or --manifest with --target');
  }
  const penstock = await session.penstock();
  const places = transfer === undefined ? await named(session, options) : await ofTransfer(session, penstock, transferName(transfer), options.target);
  const request = acceptInput(CheckRequestSchema, {
    checkId: options.id ?? newName('c', session.io.now()),
    ...places,
    read: options.read,
    extra: options.extra ?? false,
    lanes: options.lanes,
  });
  const { workflowId, attached, endedAt } = await penstock.checks.start(request);
  if (endedAt !== undefined) throw alreadyOver(request.checkId, endedAt);
  session.note(`${attached ? 'attached to' : 'started'} ${workflowId}`);
  return await answerOf(session, penstock, request.checkId, options.timeout);
}

/** An old answer would say that all is well now. */
const alreadyOver = (checkId: string, endedAt: string): CliError =>
  new CliError(
    'alreadyOver',
    `check ${checkId} ended at ${endedAt}; nothing was checked now. Start it under another --id, or leave --id out. What it found: \`penstock check wait ${checkId}\`.`,
    { type: 'AlreadyOver' },
  );

export async function answerOf(session: Session, penstock: Penstock, checkId: string, timeoutMs: number | undefined): Promise<CommandAnswer> {
  const result = await waitForCheck(session, penstock, checkId, timeoutMs);
  const exit = differences(result.counts) > 0 ? 'differences' : result.notMoved ? 'partial' : 'ok';
  return { data: { checkId, ...result }, text: checkText(checkId, result), exit };
}

type Places = { readonly manifest: Location; readonly target: Location };

async function named(session: Session, { manifest = '', target }: CheckOptions): Promise<Places> {
  if (target === undefined) throw new CliError('usage', '--manifest needs --target: a manifest does not say where its entries lie');
  const site = await session.site();
  return { manifest: parseLocation(manifest, site), target: parseLocation(target, site) };
}

async function ofTransfer(session: Session, penstock: Penstock, transferId: string, target: string | undefined): Promise<Places> {
  const status = await penstock.transfers.status(transferId);
  if (!status.moved) {
    throw new CliError('refused', `transfer ${transferId} is ${status.state}; only of one that is complete or partial is on record what arrived`, {
      type: 'NotReady',
    });
  }
  const { store, bucket, prefix } = status.moved;
  return { manifest: { store, bucket, prefix }, target: target === undefined ? reparseLocation(status.target) : parseLocation(target, await session.site()) };
}
