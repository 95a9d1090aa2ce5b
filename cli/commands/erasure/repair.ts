import { type Command, Option } from 'commander';
import { objectsOnRack } from '../../../activities/erasure-overview.ts';
import { callOffRack } from '../../../activities/repair-call-off.ts';
import { Refusal } from '../../../client/refusal.ts';
import { formatBytes } from '../../../model/quantity.ts';
import { CallOffRackSchema, RepairRequestSchema } from '../../../model/repair.ts';
import { MAX_LANES } from '../../../model/transfer-input.ts';
import { CliError } from '../../cli-error.ts';
import { addCommand, addGroup, type CommandAnswer, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { parseRate, RATE_ABOUT } from '../../input/location.ts';
import { wholeNumber } from '../../input/number.ts';
import { repeated } from '../../input/repeated.ts';
import { renderTable } from '../../output/table.ts';
import type { Session } from '../../session.ts';
import { calledOffText, repairText } from '../../views/repair.ts';
import { addSteering } from './steering.ts';

interface StartOptions {
  rack: string[];
  claim?: string;
  lanes?: number;
  rate?: number | 'none';
  dryRun?: true;
}

export function addRepairCommands(parent: Command, run: Run): void {
  const repair = addGroup(parent, 'repair', 'Rebuild what is lost or rotten in the erasure set, most endangered objects first');
  addCommand(repair, 'start', {
    summary: 'Repair what is due; with --rack also everything that had a shard on a rack that is lost for good',
    details:
      'There is one at a time: where one is under way it is given more to do. It ends by itself when nothing is due. Stopped while it lists a rack, it goes on from there when it is started again, with or without --rack. What no rack can take now is put off and tried again, at least once an hour. The rack need not be in the site file any more. Of a rack that still answers only what is lost or rotten there is rebuilt; take it out of the site file first to have everything rebuilt elsewhere',
    examples: [
      'penstock erasure repair start',
      'penstock erasure repair start --rack r07 --rate 500MB/s',
      'penstock erasure repair start --rack r07 --dry-run',
    ],
  })
    .addOption(new Option('--rack <rack>', 'a rack that is lost for good; may be given again').argParser(repeated).default([], 'none'))
    .option('--claim <prefix>', 'also make manifests anew, from their shards, for objects under this prefix that have none left and are older than the sweep')
    .addOption(
      new Option('--lanes <number>', `units of work at once, up to ${MAX_LANES}; as before where absent, 4 to begin with`).argParser(wholeNumber(1, MAX_LANES)),
    )
    .option(
      '--rate <rate>',
      `limit of what is read from the racks, for all lanes together: ${RATE_ABOUT}; as before where absent, the policy repairRate to begin with`,
      (text) => parseRate(text) ?? 'none',
    )
    .option('--dry-run', 'with --rack: count the objects that had a shard there, and repair nothing')
    .action((options: StartOptions, command: Command) => run(command, (session) => start(session, options)));
  addCommand(repair, 'call-off', {
    summary: 'Call off the drain of a rack that was begun with `repair start --rack` and is not wanted',
    details:
      'Ends its listing, and drops what is due for this drain and nothing else; what a scrub or a reader found stays due. What was rebuilt stays rebuilt. Works also while the repair is stopped. Exit code 3 where no drain of the rack is on record',
    examples: ['penstock erasure repair call-off r07'],
  })
    .argument('<rack>', 'as it was given to `repair start --rack`')
    .action((rack: string, _options: unknown, command: Command) => run(command, (session) => callOff(session, rack)));
  addSteering(repair, run, { name: 'repair', calls: (penstock) => penstock.erasure.repair, text: repairText });
}

async function start(session: Session, { rack: racks, claim, lanes, rate, dryRun }: StartOptions): Promise<CommandAnswer> {
  const known = (await session.site()).erasureSet.racks.map(({ id }) => id);
  const unknown = racks.filter((rack) => !known.includes(rack));
  // A rack that is lost for good may have been taken out of the site file already; manifests still name it.
  if (unknown.length > 0)
    session.note(`not in the site file: ${unknown.join(', ')}; what had a shard there is looked for all the same (the site file has ${known.join(', ')})`);
  const request = acceptInput(RepairRequestSchema, {
    racks,
    ...(lanes === undefined ? {} : { lanes }),
    ...(claim === undefined ? {} : { claim }),
    ...(rate === undefined ? {} : { bytesPerSecond: rate === 'none' ? null : rate }),
  });
  if (dryRun) {
    if (racks.length === 0) throw new CliError('usage', '--dry-run needs --rack: what is due already is shown by `penstock erasure status`');
    const concerned = await objectsOnRack(await session.stores(), racks, (objects) => session.note(`${objects} objects looked at`));
    const rows = concerned.map(({ margin, objects, storedBytes }) => [String(margin), String(objects), formatBytes(storedBytes)]);
    return {
      data: concerned,
      text: rows.length === 0 ? 'nothing had a shard there' : renderTable(['racks that may still be lost', 'objects', 'shards'], rows),
    };
  }
  const status = await (await session.penstock()).erasure.repair.start(request);
  return { data: status, text: repairText(status) };
}

async function callOff(session: Session, rack: string): Promise<CommandAnswer> {
  const request = acceptInput(CallOffRackSchema, { rack });
  const called = await (await session.penstock()).erasure.repair.callOffRack(request).catch(async (error: unknown) => {
    // None is under way: what a stopped one left is on record.
    if (error instanceof Refusal && error.type === 'NotFound') return await callOffRack(await session.stores(), rack);
    throw error;
  });
  if (!called.listing && called.droppedObjects === 0)
    throw new CliError('notFound', `no drain of ${JSON.stringify(rack)} is on record. \`penstock erasure repair status\` shows what is being listed.`, {
      type: 'NotFound',
    });
  return { data: called, text: calledOffText(called) };
}
