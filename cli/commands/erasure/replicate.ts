import { type Command, Option } from 'commander';
import { requireReplica } from '../../../model/erasure-set.ts';
import { type ReplicateRequest, ReplicateRequestSchema } from '../../../model/replication.ts';
import { addCommand, type CommandAnswer, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { parseDuration } from '../../input/duration.ts';
import { newName } from '../../input/transfer-name.ts';
import type { Session } from '../../session.ts';
import { replicationText } from '../../views/replication.ts';
import { waitForReplication } from '../../wait-for-transfer.ts';

interface ReplicateOptions {
  to: string;
  prefix: string;
  within?: string;
  verify: ReplicateRequest['verify'];
  id?: string;
  timeout?: number;
}

export function addReplicateCommand(parent: Command, run: Run): void {
  addCommand(parent, 'replicate', {
    summary: "Copy objects to another site's erasure set, object by object, and read back what was written there",
    details:
      'What lies there already with equal content is success, so that it may be repeated; a checkpoint is copied before its commit record. A set outside the countries that the site allows is refused. It goes on without this command. Exit code 7 where some objects could not be copied; they are named',
    examples: ['penstock erasure replicate --to bern', 'penstock erasure replicate --to bern --prefix acme/vision/ --within ch'],
  })
    .requiredOption('--to <replica>', 'a set under erasureSet.replicas of the site file')
    .option('--prefix <prefix>', 'only objects whose keys begin so', '')
    .option('--within <countries>', 'countries in which these objects may lie, where they are fewer than the site allows: two-letter codes, with commas')
    .addOption(
      new Option(
        '--verify <what>',
        'copied: read back what is written now; all: also what lay there already; mend: all, and make whole what is lost or rotten there',
      )
        .choices(['copied', 'all', 'mend'])
        .default('copied'),
    )
    .option('--id <name>', 'names the copying; made up where absent')
    .option('--timeout <duration>', 'give up waiting after so long, such as 30m; the copying goes on', parseDuration)
    .action((options: ReplicateOptions, command: Command) => run(command, (session) => replicate(session, options)));
}

async function replicate(session: Session, { to, prefix, within, verify, id, timeout }: ReplicateOptions): Promise<CommandAnswer> {
  const request = acceptInput(ReplicateRequestSchema, {
    replicationId: id ?? newName('r', session.io.now()),
    to,
    prefix,
    verify,
    ...(within === undefined ? {} : { within: within.split(',') }),
  });
  requireReplica(await session.site(), request.to, request.within);
  const penstock = await session.penstock();
  const { workflowId } = await penstock.replications.start(request);
  session.note(`started ${workflowId}`);
  const counts = await waitForReplication(session, penstock, request, timeout);
  return { data: counts, text: replicationText(request.to, counts), exit: counts.notCopiedCount > 0 ? 'partial' : 'ok' };
}
