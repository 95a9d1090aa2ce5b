import { type Command, Option } from 'commander';
import { type Repair, repairs } from '../../../model/durability.ts';
import { assessDurability, type DurabilityRequest } from '../../../model/durability-assessment.ts';
import { ownRackClosure } from '../../../model/erasure-set.ts';
import { balanceOf, evenFleet } from '../../../model/fleet.ts';
import type { PlacementRack } from '../../../model/placement.ts';
import { CliError } from '../../cli-error.ts';
import { addCommand, type CommandAnswer, type Run } from '../../command.ts';
import { parseDuration } from '../../input/duration.ts';
import { parseShare, parseYears, wholeNumber } from '../../input/number.ts';
import type { Session } from '../../session.ts';
import { simulationText } from '../../views/simulation.ts';

interface SimulateOptions {
  racks?: number;
  rooms?: number;
  data: number;
  parity: number;
  objects: number;
  afr: number;
  mttr: number;
  repair: Repair;
  correlated?: number;
  share: number;
  years: number;
  runs: number;
  method: DurabilityRequest['method'];
  seed: number;
}

const HOUR_MS = 3_600_000;
/** Placements counted for the balance: some seconds. */
const MAX_PLACED = 50_000_000;

export function addSimulateCommand(parent: Command, run: Run): void {
  addCommand(parent, 'simulate', {
    summary: 'How evenly a fleet of racks would be filled, and how likely it would lose an object',
    details:
      'Reads nothing but the site file, and not even that where --racks is given. The formula, the exact solution and a simulation stand side by side; docs/durability.md says what they assume and leave out',
    examples: [
      'penstock erasure simulate',
      'penstock erasure simulate --racks 25 --rooms 5 --afr 2% --mttr 72h',
      'penstock erasure simulate --racks 20 --rooms 4 --correlated 1% --share 50%',
      'penstock erasure simulate --racks 20 --rooms 1 --data 17 --parity 3 --afr 0.405% --mttr 156h --repair window',
    ],
  })
    .addOption(new Option('--racks <number>', 'equal racks, in place of those of the site file').argParser(wholeNumber(2, 10_000)))
    .addOption(new Option('--rooms <number>', 'rooms that they stand in; with --racks, default 1').argParser(wholeNumber(1, 1000)))
    .addOption(new Option('--data <number>', 'data shards').argParser(wholeNumber(1, 200)).default(14))
    .addOption(new Option('--parity <number>', 'parity shards').argParser(wholeNumber(0, 20)).default(4))
    .addOption(new Option('--objects <number>', 'objects placed to see the balance').argParser(wholeNumber(1, 1_000_000)).default(10_000))
    .addOption(new Option('--afr <share>', 'racks lost for good in a year').argParser(parseShare).default(0.02, '2%'))
    .addOption(new Option('--mttr <duration>', 'time until a lost rack is rebuilt, from 1s to 24d').argParser(parseDuration).default(72 * HOUR_MS, '72h'))
    .addOption(
      new Option('--repair <order>', 'serial: one rack after the other; parallel: all at once; window: whole again at the end of each window of that time')
        .choices(repairs)
        .default('serial'),
    )
    .addOption(new Option('--correlated <rate>', 'events in a year, for each room, that take several of its racks at once').argParser(parseShare))
    .addOption(new Option('--share <share>', "part of a room's racks that such an event takes").argParser(parseShare).default(0.5, '50%'))
    .addOption(new Option('--years <number>', 'time looked at').argParser(parseYears).default(1))
    .addOption(new Option('--runs <number>', 'of the simulation').argParser(wholeNumber(100, 10_000_000)).default(100_000))
    .addOption(
      new Option('--method <method>', 'biased: failures made likely and weighted back, for what is rare; plain: as they come, for what is not')
        .choices(['biased', 'plain'])
        .default('biased'),
    )
    .addOption(new Option('--seed <number>', 'the same seed gives the same answer').argParser(wholeNumber(0, 2 ** 32 - 1)).default(1))
    .action((options: SimulateOptions, command: Command) => run(command, (session) => simulate(session, options)));
}

async function simulate(session: Session, options: SimulateOptions): Promise<CommandAnswer> {
  const { data, parity, objects, seed, repair, correlated, share, years, runs, method } = options;
  if (options.mttr <= 0) throw new CliError('usage', '--mttr: accepted: a duration above 0');
  if (share > 1) throw new CliError('usage', '--share: accepted: at most 100%');
  if (repair === 'window' && (correlated !== undefined || method === 'plain')) {
    throw new CliError('usage', '--repair window knows neither --correlated nor --method plain; accepted: serial or parallel with these');
  }
  const fleet = await fleetOf(session, options);
  const open = fleet.filter((rack) => rack.closed === undefined);
  const shards = data + parity;
  if (open.length < shards) {
    const closed = fleet.flatMap(({ id, closed: closure }) => (closure ? [`${id} ${closure.why}`] : []));
    const why = closed.length > 0 ? `: ${closed.join(', ')}` : '';
    throw new CliError(
      'refused',
      `racks: found ${open.length} that take shards${why}; accepted: at least ${shards}, one for each of ${data}+${parity} shards`,
      { type: 'InvalidInput' },
    );
  }
  if (open.length * objects > MAX_PLACED)
    throw new CliError('usage', `--objects: accepted: at most ${Math.floor(MAX_PLACED / open.length)} with ${open.length} racks`);

  const balance = balanceOf(fleet, { objects, shards, seed });
  const durability = assessDurability({
    model: {
      shardsPerRoom: balance.shardsPerRoom,
      parityShards: parity,
      failuresPerYear: options.afr,
      repairHours: options.mttr / HOUR_MS,
      repair,
      roomEvents: correlated === undefined ? undefined : { perYear: correlated, share },
    },
    racksPerRoom: [...Map.groupBy(open, ({ room }) => room).values()].map(({ length }) => length),
    objects,
    years,
    runs,
    method,
    seed,
  });
  const result = { fleet: { racks: fleet.length, rooms: new Set(open.map(({ room }) => room)).size, closed: fleet.length - open.length }, balance, durability };
  return { data: result, text: simulationText(result) };
}

async function fleetOf(session: Session, { racks, rooms }: SimulateOptions): Promise<PlacementRack[]> {
  if (racks !== undefined) return evenFleet(racks, rooms ?? 1);
  if (rooms !== undefined) throw new CliError('usage', '--rooms needs --racks: the site file says where its racks stand');
  const site = await session.site();
  return site.erasureSet.racks.map((rack) => ({ id: rack.id, room: rack.room, closed: ownRackClosure(site, rack) }));
}
